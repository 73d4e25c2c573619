"""LDM-VAE (W24): latent diffusion over the means of the VAE's posteriors."""

from __future__ import annotations

import torch

from CranialAugmentationTrainerLib.generators.latent_diffusion import LatentDiffusion
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.parameters import LdmVaeSettings
from CranialAugmentationTrainerLib.generators.variational_network import VariationalNetwork, vae_terms


class LdmVae(LatentDiffusion):
    """The VAE's KL term only bounds the latents here: the denoiser takes the prior's place (ours)."""

    settings: LdmVaeSettings
    network: VariationalNetwork

    def __init__(self, settings: LdmVaeSettings) -> None:
        super().__init__(settings, settings.autoencoder, VariationalNetwork(settings.autoencoder.network))

    def autoencoder_terms(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """The VAE's objective."""
        chosen, network = self.settings.autoencoder, self.network
        return vae_terms(network.encoder, network.decoder, cases, noise, chosen.kl_weight, chosen.separation)
