"""LDM-VQVAE (W24's best): latent diffusion over the VQVAE's features, rounded to codes at the end."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from CranialAugmentationTrainerLib.generators.latent_diffusion import LatentDiffusion
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.parameters import LdmVqVaeSettings
from CranialAugmentationTrainerLib.generators.quantised_network import (
    QuantisedNetwork,
    codebook_concerns,
    codebook_figures,
    vqvae_terms,
)


class LdmVqVae(LatentDiffusion):
    """The VQVAE's own prior is not used: the denoiser takes its place."""

    settings: LdmVqVaeSettings
    network: QuantisedNetwork

    def __init__(self, settings: LdmVqVaeSettings) -> None:
        below = settings.autoencoder
        super().__init__(settings, below, QuantisedNetwork(below.network, below.codebook))

    def autoencoder_terms(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """The VQVAE's objective."""
        return vqvae_terms(self.network, cases, noise, self.settings.autoencoder.separation)

    def monitor(self) -> dict[str, float]:
        """The last losses, how far samples differ, the latents' scale, and how much of the codebook is in use."""
        return {**super().monitor(), **codebook_figures(self.network.codebook)}

    def concerns(self, seen: Mapping[str, float]) -> list[str]:
        """Collapse of the samples or of the codebook."""
        return super().concerns(seen) + codebook_concerns(seen)
