"""WGAN-GP (Gulrajani et al. 2017; K23; W24).

Critic: ``-E[D(real)] + E[D(fake)] + lambda*E[(|grad D(x)| - 1)^2]``.
Generator: ``-E[D(fake)] - gamma*Dice(F1, F2)``.
"""

from __future__ import annotations

import torch
from torch import nn

from CranialAugmentationTrainerLib.generators.blocks import BATCH_NORM, frozen
from CranialAugmentationTrainerLib.generators.decoder import Decoder
from CranialAugmentationTrainerLib.generators.encoder import Critic
from CranialAugmentationTrainerLib.generators.gradient_penalty import gradient_penalty
from CranialAugmentationTrainerLib.generators.method import Generator, Part
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.overlap import separation_loss
from CranialAugmentationTrainerLib.generators.parameters import WganGpSettings

GENERATOR, CRITIC = 0, 1


def critic_terms(
    critic: nn.Module, real: torch.Tensor, fake: torch.Tensor, noise: Noise, penalty: float
) -> dict[str, torch.Tensor]:
    """The critic's objective as ``loss``; ``wasserstein`` is its estimate of the distance."""
    distance = critic(real).mean() - critic(fake).mean()
    steepness = gradient_penalty(critic, real, fake, noise.uniform(len(real)))
    return {"loss": penalty * steepness - distance, "wasserstein": distance, "penalty": steepness}


def generator_terms(critic: nn.Module, fake: torch.Tensor, separation: float) -> dict[str, torch.Tensor]:
    """The generator's objective as ``loss``; no gradient reaches the critic's parameters."""
    with frozen(critic):
        score = critic(fake).mean()
    apart = separation_loss(fake).mean()
    return {"loss": separation * apart - score, "separation": apart}


class WganGp(Generator):
    """Every batch teaches the critic, every ``critic_steps``-th the generator too (K23: 5)."""

    settings: WganGpSettings

    def __init__(self, settings: WganGpSettings) -> None:
        super().__init__(settings)
        self.generator = Decoder(settings.network, BATCH_NORM)
        self.critic = Critic(settings.network)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(size,) or (C, k, j, i)."""
        return self.settings.network.latent_shape

    def parts(self) -> list[Part]:
        """Generator, critic; Adam (0.5, 0.9), 2e-4 each (K23)."""
        chosen = self.settings.optimiser
        return [Part(chosen, self.generator.parameters()), Part(chosen, self.critic.parameters())]

    def learn(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """A step of the critic and, when it is due, one of the generator."""
        return self.compete(cases, noise.normal(len(cases), *self.latent_shape), noise)

    def compete(self, cases: torch.Tensor, latents: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """``learn``, with the latents that the generator is fed."""
        with torch.no_grad():
            fake = self.generator(latents)
        against = critic_terms(self.critic, cases, fake, noise, self.settings.penalty)
        self.descend(CRITIC, against["loss"])
        losses = {"loss": against["loss"], "wasserstein": against["wasserstein"], "penalty": against["penalty"]}
        if (int(self.batches) + 1) % self.settings.critic_steps == 0:
            own = generator_terms(self.critic, self.generator(latents), self.settings.separation)
            self.descend(GENERATOR, own["loss"])
            losses |= {"generator_loss": own["loss"], "separation": own["separation"]}
        return losses

    def cases_from(self, latent: torch.Tensor) -> torch.Tensor:
        """The generator's cases."""
        cases: torch.Tensor = self.generator(latent)
        return cases
