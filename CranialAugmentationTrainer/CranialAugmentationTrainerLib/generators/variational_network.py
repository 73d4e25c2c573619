"""The autoencoder that VAE, IntroVAE, SoftIntroVAE and LDM-VAE share, and the VAE's objective."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from CranialAugmentationTrainerLib.generators.case_tensor import DEFECT, SKULL
from CranialAugmentationTrainerLib.generators.decoder import Decoder
from CranialAugmentationTrainerLib.generators.encoder import GaussianEncoder
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.overlap import dice_loss, separation_loss, soft_dice
from CranialAugmentationTrainerLib.generators.parameters import NetworkSettings

# Share of the latent's numbers below which the posterior has collapsed onto the prior.
FEW_ACTIVE = 0.02


class VariationalNetwork(nn.Module):
    """Encoder and decoder; the latent is flat (K23) or volumetric (W24) as the settings say.

    MONAI's latent diffusion asks for the two methods named after its stages.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.encoder = GaussianEncoder(settings)
        self.decoder = Decoder(settings)

    def encode_stage_2_inputs(self, cases: torch.Tensor) -> torch.Tensor:
        """Means of the posteriors (B, *latent_shape)."""
        return self.encoder.posterior(cases).mean

    def decode_stage_2_outputs(self, latent: torch.Tensor) -> torch.Tensor:
        """Cases (B, 2, K, J, I)."""
        cases: torch.Tensor = self.decoder(latent)
        return cases

    def reconstruction(self, cases: torch.Tensor) -> torch.Tensor:
        """Cases as the autoencoder gives them back."""
        return self.decode_stage_2_outputs(self.encode_stage_2_inputs(cases))


def vae_terms(
    encoder: GaussianEncoder,
    decoder: nn.Module,
    cases: torch.Tensor,
    noise: Noise,
    kl_weight: float,
    separation: float,
) -> dict[str, torch.Tensor]:
    """``Dice + beta*KL - gamma*Dice(ch1, ch2)`` (W24) as ``loss``, and its terms, means over the batch.

    KL is summed over the latent's numbers: the ELBO's, so beta does not depend on the batch.
    """
    posterior = encoder.posterior(cases)
    found = decoder(posterior.at(noise.normal(*posterior.mean.shape)))
    terms = {
        "dice_loss": dice_loss(found, cases).mean(),
        "kl": posterior.divergence().mean(),
        "separation": separation_loss(found).mean(),
    }
    loss = terms["dice_loss"] + kl_weight * terms["kl"] + separation * terms["separation"]
    return {"loss": loss, **terms, "active": posterior.active()}


def reconstruction_figures(found: torch.Tensor, cases: torch.Tensor) -> dict[str, torch.Tensor]:
    """Dice of reconstructed skulls and defects, both cut at 0.5."""
    dice = soft_dice((found > 0.5).float(), (cases > 0.5).float()).mean(0)
    return {"skull_dice": dice[SKULL], "defect_dice": dice[DEFECT]}


def posterior_concerns(seen: Mapping[str, float]) -> list[str]:
    """Collapse of the posterior, told by the terms of ``vae_terms``."""
    if seen.get("active", 1.0) >= FEW_ACTIVE:
        return []
    return [
        f"the posterior has collapsed: {seen['active']:.1%} of the latent's numbers carry anything "
        f"(KL {seen['kl']:.2g} nats)"
    ]
