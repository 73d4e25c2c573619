"""VAE (K23; W24): ``Dice + beta*KL - gamma*Dice(ch1, ch2)``."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from CranialAugmentationTrainerLib.generators.method import Generator, Part
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.parameters import MethodSettings, VaeSettings
from CranialAugmentationTrainerLib.generators.variational_network import (
    VariationalNetwork,
    posterior_concerns,
    reconstruction_figures,
    vae_terms,
)


class Variational(Generator):
    """What the methods over one variational autoencoder share; they differ in how it learns."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings)
        self.sizes = settings.network
        self.network = VariationalNetwork(settings.network)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(size,) or (C, k, j, i)."""
        return self.sizes.latent_shape

    def cases_from(self, latent: torch.Tensor) -> torch.Tensor:
        """The decoder's cases."""
        return self.network.decode_stage_2_outputs(latent)

    def latents_from(self, cases: torch.Tensor) -> torch.Tensor:
        """Means of the posteriors."""
        return self.network.encode_stage_2_inputs(cases)

    def figures(self, cases: torch.Tensor) -> dict[str, torch.Tensor]:
        """Dice of the reconstructions."""
        return reconstruction_figures(self.network.reconstruction(cases), cases)

    def concerns(self, seen: Mapping[str, float]) -> list[str]:
        """Collapse of the samples or of the posterior."""
        return super().concerns(seen) + posterior_concerns(seen)


class Vae(Variational):
    """Kingma & Welling's autoencoder with Adam (0.9, 0.999), 1e-3 (K23)."""

    settings: VaeSettings

    def __init__(self, settings: VaeSettings) -> None:
        super().__init__(settings)

    def parts(self) -> list[Part]:
        """Encoder and decoder together."""
        return [Part(self.settings.optimiser, self.network.parameters())]

    def learn(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """One step on the objective."""
        chosen, network = self.settings, self.network
        terms = vae_terms(network.encoder, network.decoder, cases, noise, chosen.kl_weight, chosen.separation)
        self.descend(0, terms["loss"])
        return terms
