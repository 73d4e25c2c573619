"""VQVAE (W24) with a learned convolutional prior over its codes.

First the autoencoder learns; then it is frozen and the prior learns the codes of the training cases.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from CranialAugmentationTrainerLib.generators.blocks import evaluating
from CranialAugmentationTrainerLib.generators.code_prior import CodePrior
from CranialAugmentationTrainerLib.generators.method import Generator, Part
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.parameters import VqVaeSettings
from CranialAugmentationTrainerLib.generators.quantised_network import (
    QuantisedNetwork,
    codebook_concerns,
    codebook_figures,
    vqvae_terms,
)
from CranialAugmentationTrainerLib.generators.variational_network import reconstruction_figures

AUTOENCODER, PRIOR = 0, 1


class VqVae(Generator):
    """Its latents are one normal number a code, which picks the code from the prior."""

    settings: VqVaeSettings

    def __init__(self, settings: VqVaeSettings) -> None:
        super().__init__(settings)
        base, prior = settings.network.base, settings.prior
        self.network = QuantisedNetwork(settings.network, settings.codebook)
        self.prior = CodePrior(settings.codebook.codes, (base, base, base), prior.width, prior.layers)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(1, k, j, i)."""
        return (1, *self.prior.shape)

    @property
    def stage(self) -> str:
        """The stage that the next batch belongs to."""
        return "autoencoder" if int(self.batches) < self.settings.autoencoder_steps else "prior"

    @property
    def sampling(self) -> bool:
        """Whether the prior has begun to learn."""
        return self.stage == "prior"

    def parts(self) -> list[Part]:
        """Encoder and decoder, prior; the codebook follows by moving averages."""
        chosen, network = self.settings, self.network
        autoencoder = [*network.encoder.parameters(), *network.decoder.parameters()]
        return [Part(chosen.optimiser, autoencoder), Part(chosen.prior.optimiser, self.prior.parameters())]

    def learn(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """A step of the stage that it is."""
        if self.stage == "autoencoder":
            terms = vqvae_terms(self.network, cases, noise, self.settings.separation)
            self.descend(AUTOENCODER, terms["loss"])
            return terms
        with evaluating(self.network):
            indices = self.network.indices(cases)
        loss = self.prior.loss(indices)
        self.descend(PRIOR, loss)
        return {"loss": loss}

    def cases_from(self, latent: torch.Tensor) -> torch.Tensor:
        """Cases of the codes that the prior draws."""
        return self.network.cases(self.prior.draw(latent))

    def latents_from(self, cases: torch.Tensor) -> torch.Tensor:
        """Latents from which the prior draws the cases' own codes."""
        return self.prior.latents(self.network.indices(cases))

    def figures(self, cases: torch.Tensor) -> dict[str, torch.Tensor]:
        """Dice of the reconstructions, and how well the prior foretells the codes, nats each."""
        indices = self.network.indices(cases)
        found = reconstruction_figures(self.network.cases(indices), cases)
        return {**found, "prior_loss": self.prior.loss(indices)}

    def monitor(self) -> dict[str, float]:
        """The last losses, how far samples differ, and how much of the codebook is in use."""
        return {**super().monitor(), **codebook_figures(self.network.codebook)}

    def concerns(self, seen: Mapping[str, float]) -> list[str]:
        """Collapse of the samples or of the codebook."""
        return super().concerns(seen) + codebook_concerns(seen)
