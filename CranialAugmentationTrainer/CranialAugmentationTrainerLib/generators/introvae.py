"""IntroVAE (Huang et al. 2018; K23 eq. 4-5): an autoencoder whose encoder is its own critic.

With E the encoder, s a reconstruction or a sample of the prior, and ng() without gradients:

    encoder:    KL(E(x)) + alpha * sum_s max(0, m - KL(E(ng(s)))) - beta * E[log p(x)]
    generator:  alpha * sum_s KL(E(s)) - beta * E[log p(x)]

The two take turns on each batch. Of the encoder's objective only the encoder learns, of the
generator's only the decoder. The paper's ``-log p`` is the Dice loss in nats (ours: ``likelihood``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch.nn import functional

from CranialAugmentationTrainerLib.generators.blocks import frozen
from CranialAugmentationTrainerLib.generators.method import Part
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.overlap import dice_loss, separation_loss
from CranialAugmentationTrainerLib.generators.parameters import IntroVaeSettings
from CranialAugmentationTrainerLib.generators.vae import Variational
from CranialAugmentationTrainerLib.generators.variational_network import VariationalNetwork, vae_terms

ENCODER, DECODER = 0, 1
# Of the moving average of real cases' KL, which a measured margin follows.
KL_MEMORY = 0.9


def encoder_terms(
    network: VariationalNetwork, cases: torch.Tensor, noise: Noise, settings: IntroVaeSettings, margin: float
) -> dict[str, torch.Tensor]:
    """Equation 4 as ``loss``, its terms, means over the batch."""
    posterior = network.encoder.posterior(cases)
    with frozen(network.decoder):
        reconstruction = network.decoder(posterior.at(noise.normal(*posterior.mean.shape)))
    with torch.no_grad():
        sample = network.decoder(noise.normal(*posterior.mean.shape))
    told = [network.encoder.posterior(made).divergence() for made in (reconstruction.detach(), sample)]
    terms = {
        "dice_loss": dice_loss(reconstruction, cases).mean(),
        "separation": separation_loss(reconstruction).mean(),
        "kl": posterior.divergence().mean(),
        "kl_reconstruction": told[0].mean(),
        "kl_sample": told[1].mean(),
        "margin_loss": torch.stack([functional.relu(margin - kl).mean() for kl in told]).sum(),
        "active": posterior.active(),
    }
    loss = terms["kl"] + settings.alpha * terms["margin_loss"] + _distortion(terms, settings)
    return {"loss": loss, **terms}


def decoder_terms(
    network: VariationalNetwork, cases: torch.Tensor, noise: Noise, settings: IntroVaeSettings
) -> dict[str, torch.Tensor]:
    """Equation 5 as ``loss``, its terms, means over the batch."""
    with torch.no_grad():
        posterior = network.encoder.posterior(cases)
    reconstruction = network.decoder(posterior.at(noise.normal(*posterior.mean.shape)))
    sample = network.decoder(noise.normal(*posterior.mean.shape))
    with frozen(network.encoder):
        fooled = [network.encoder.posterior(made).divergence().mean() for made in (reconstruction, sample)]
    terms = {
        "dice_loss": dice_loss(reconstruction, cases).mean(),
        "separation": separation_loss(reconstruction).mean(),
        "kl_fooled": torch.stack(fooled).sum(),
    }
    return {"loss": settings.alpha * terms["kl_fooled"] + _distortion(terms, settings), **terms}


def _distortion(terms: dict[str, torch.Tensor], settings: IntroVaeSettings) -> torch.Tensor:
    """``-beta * E[log p]``, with W24's channel separation in the same nats."""
    loss = terms["dice_loss"] + settings.separation * terms["separation"]
    return settings.beta * settings.likelihood * loss


class IntroVae(Variational):
    """A warm-up as plain VAE, then the two objectives in turn."""

    settings: IntroVaeSettings
    real_kl: torch.Tensor

    def __init__(self, settings: IntroVaeSettings) -> None:
        super().__init__(settings)
        self.register_buffer("real_kl", torch.full((), torch.nan))

    @property
    def margin(self) -> float:
        """m: as set, or a little above the KL of the real cases seen last, which goes on rising."""
        return self.settings.margin or self.settings.margin_factor * float(self.real_kl)

    def parts(self) -> list[Part]:
        """Encoder, decoder."""
        chosen, network = self.settings.optimiser, self.network
        return [Part(chosen, network.encoder.parameters()), Part(chosen, network.decoder.parameters())]

    def learn(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """A step of the VAE, or of the encoder and then of the decoder."""
        warm = int(self.batches) < self.settings.warmup_steps
        losses = self._warm_up(cases, noise) if warm else self._compete(cases, noise)
        kl = losses["kl"].detach()
        self.real_kl = kl if bool(self.real_kl.isnan()) else self.real_kl.lerp(kl, 1.0 - KL_MEMORY)
        return losses

    def _compete(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        critic = encoder_terms(self.network, cases, noise, self.settings, self.margin)
        self.descend(ENCODER, critic["loss"])
        maker = decoder_terms(self.network, cases, noise, self.settings)
        self.descend(DECODER, maker["loss"])
        return {**critic, "decoder_loss": maker["loss"], "kl_fooled": maker["kl_fooled"]}

    def monitor(self) -> dict[str, float]:
        """The last losses, how far samples differ and, once there is one, the margin."""
        seen = super().monitor()
        return seen if math.isnan(self.margin) else {**seen, "margin": self.margin}

    def concerns(self, seen: Mapping[str, float]) -> list[str]:
        """Collapse, and a margin that real cases do not stay under."""
        found = super().concerns(seen)
        if "kl_sample" in seen and seen["kl"] > seen["margin"]:
            found.append(
                f"real cases have a KL of {seen['kl']:.3g} nats, above the margin of {seen['margin']:.3g}: the "
                "encoder cannot tell samples from them; raise margin"
            )
        return found

    def _warm_up(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        chosen, network = self.settings, self.network
        kl_weight = 1.0 / (chosen.beta * chosen.likelihood)
        terms = vae_terms(network.encoder, network.decoder, cases, noise, kl_weight, chosen.separation)
        loss = terms["loss"] / kl_weight
        self.descend_all(loss)
        return {**terms, "loss": loss}
