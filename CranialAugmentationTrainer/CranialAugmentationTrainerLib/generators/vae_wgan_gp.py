"""VAE/WGAN-GP (K23): a VAE whose decoder becomes the generator of a WGAN-GP, in three stages.

1. VAE: encoder and decoder learn ``Dice + beta*KL``.
2. Bridge: the decoder is the generator of a WGAN-GP that is fed the VAE's reparametrised latents, which
   are near, but not yet, N(0, I); the encoder rests.
3. WGAN-GP from N(0, I).

That decoder and generator are one network is our reading of the paper.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from CranialAugmentationTrainerLib.generators.encoder import GaussianEncoder
from CranialAugmentationTrainerLib.generators.method import Part
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.parameters import VaeWganGpSettings
from CranialAugmentationTrainerLib.generators.variational_network import (
    posterior_concerns,
    reconstruction_figures,
    vae_terms,
)
from CranialAugmentationTrainerLib.generators.wgan_gp import WganGp

VAE = 2
STAGES = ("vae", "bridge", "wgan-gp")


class VaeWganGp(WganGp):
    """The stages follow from the number of batches seen."""

    settings: VaeWganGpSettings

    def __init__(self, settings: VaeWganGpSettings) -> None:
        super().__init__(settings)
        self.encoder = GaussianEncoder(settings.network)

    @property
    def stage(self) -> str:
        """The stage that the next batch belongs to."""
        seen, first = int(self.batches), self.settings.vae_steps
        return STAGES[(seen >= first) + (seen >= first + self.settings.bridge_steps)]

    def parts(self) -> list[Part]:
        """Generator, critic, and the VAE, whose decoder is the generator."""
        both = [*self.encoder.parameters(), *self.generator.parameters()]
        return [*super().parts(), Part(self.settings.vae_optimiser, both)]

    def learn(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """A step of the stage that it is."""
        if self.stage == "vae":
            chosen = self.settings
            terms = vae_terms(self.encoder, self.generator, cases, noise, chosen.kl_weight, chosen.separation)
            self.descend(VAE, terms["loss"])
            return terms
        if self.stage == "bridge":
            with torch.no_grad():
                posterior = self.encoder.posterior(cases)
            return self.compete(cases, posterior.at(noise.normal(*posterior.mean.shape)), noise)
        return super().learn(cases, noise)

    def concerns(self, seen: Mapping[str, float]) -> list[str]:
        """Collapse of the samples, or of the first stage's posterior."""
        return super().concerns(seen) + posterior_concerns(seen)

    def latents_from(self, cases: torch.Tensor) -> torch.Tensor:
        """Means of the first stage's posteriors; the generator has moved on since."""
        return self.encoder.posterior(cases).mean

    def figures(self, cases: torch.Tensor) -> dict[str, torch.Tensor]:
        """Dice of the reconstructions."""
        return reconstruction_figures(self.generator(self.latents_from(cases)), cases)
