"""SoftIntroVAE (Daniel & Tamar 2021): IntroVAE with an exponentiated ELBO in place of the margin.

With L(x) the reconstruction loss of x, s a reconstruction or a sample of the prior, ng() without
gradients, and means over the two kinds of s:

    encoder:  L(x) + beta*KL(E(x)) + 1/a * mean_s exp(-a * (L(ng(s)) + beta_neg*KL(E(ng(s)))))
    decoder:  L(x) + mean_s [beta*KL(E(s)) + g * L(ng(s) from ng(E(s)))]

The papers scale their pixel sums into the reach of exp(); a Dice loss lies there already (ours).
"""

from __future__ import annotations

import torch

from CranialAugmentationTrainerLib.generators.blocks import frozen
from CranialAugmentationTrainerLib.generators.method import Part
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.overlap import dice_loss, separation_loss
from CranialAugmentationTrainerLib.generators.parameters import SoftIntroVaeSettings
from CranialAugmentationTrainerLib.generators.vae import Variational
from CranialAugmentationTrainerLib.generators.variational_network import VariationalNetwork, vae_terms

ENCODER, DECODER = 0, 1


def encoder_terms(
    network: VariationalNetwork, cases: torch.Tensor, noise: Noise, settings: SoftIntroVaeSettings
) -> dict[str, torch.Tensor]:
    """The encoder's objective as ``loss``, its terms, means over the batch."""
    posterior = network.encoder.posterior(cases)
    shape = posterior.mean.shape
    with frozen(network.decoder):
        reconstruction = network.decoder(posterior.at(noise.normal(*shape)))
        with torch.no_grad():
            made = (reconstruction.detach(), network.decoder(noise.normal(*shape)))
        exponentials, divergences = [], []
        for fake in made:
            told = network.encoder.posterior(fake)
            again = network.decoder(told.at(noise.normal(*shape)))
            negative = dice_loss(again, fake) + settings.fake_kl_weight * told.divergence()
            exponentials.append(torch.exp(-settings.exponent * negative).mean())
            divergences.append(told.divergence().mean())
    terms = {
        "dice_loss": dice_loss(reconstruction, cases).mean(),
        "separation": separation_loss(reconstruction).mean(),
        "kl": posterior.divergence().mean(),
        "kl_reconstruction": divergences[0],
        "kl_sample": divergences[1],
        "exponentiated_elbo": torch.stack(exponentials).mean(),
        "active": posterior.active(),
    }
    loss = (
        terms["dice_loss"]
        + settings.separation * terms["separation"]
        + settings.kl_weight * terms["kl"]
        + terms["exponentiated_elbo"] / settings.exponent
    )
    return {"loss": loss, **terms}


def decoder_terms(
    network: VariationalNetwork, cases: torch.Tensor, noise: Noise, settings: SoftIntroVaeSettings
) -> dict[str, torch.Tensor]:
    """The decoder's objective as ``loss``, its terms, means over the batch."""
    with torch.no_grad():
        posterior = network.encoder.posterior(cases)
    shape = posterior.mean.shape
    reconstruction = network.decoder(posterior.at(noise.normal(*shape)))
    sample = network.decoder(noise.normal(*shape))
    fooled, again = [], []
    for fake in (reconstruction, sample):
        with frozen(network.encoder):
            told = network.encoder.posterior(fake)
        fooled.append(told.divergence().mean())
        code = told.at(noise.normal(*shape)).detach()
        again.append(dice_loss(network.decoder(code), fake.detach()).mean())
    terms = {
        "dice_loss": dice_loss(reconstruction, cases).mean(),
        "separation": separation_loss(reconstruction).mean(),
        "kl_fooled": torch.stack(fooled).mean(),
        "fake_dice_loss": torch.stack(again).mean(),
    }
    loss = (
        terms["dice_loss"]
        + settings.separation * terms["separation"]
        + settings.kl_weight * terms["kl_fooled"]
        + settings.fake_reconstruction * terms["fake_dice_loss"]
    )
    return {"loss": loss, **terms}


class SoftIntroVae(Variational):
    """A warm-up as plain VAE, then the two objectives in turn."""

    settings: SoftIntroVaeSettings

    def __init__(self, settings: SoftIntroVaeSettings) -> None:
        super().__init__(settings)

    def parts(self) -> list[Part]:
        """Encoder, decoder."""
        chosen, network = self.settings.optimiser, self.network
        return [Part(chosen, network.encoder.parameters()), Part(chosen, network.decoder.parameters())]

    def learn(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """A step of the VAE, or of the encoder and then of the decoder."""
        chosen, network = self.settings, self.network
        if int(self.batches) < chosen.warmup_steps:
            terms = vae_terms(network.encoder, network.decoder, cases, noise, chosen.kl_weight, chosen.separation)
            self.descend_all(terms["loss"])
            return terms
        critic = encoder_terms(network, cases, noise, chosen)
        self.descend(ENCODER, critic["loss"])
        maker = decoder_terms(network, cases, noise, chosen)
        self.descend(DECODER, maker["loss"])
        return {**critic, "decoder_loss": maker["loss"], "kl_fooled": maker["kl_fooled"]}
