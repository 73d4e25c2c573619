"""What turns cases into numbers: the encoder of every autoencoder, and the critic, which is one too."""

from __future__ import annotations

import torch
from monai.networks.blocks import Convolution
from torch import nn

from CranialAugmentationTrainerLib.generators.blocks import (
    LAYER_NORM,
    EvenLinear,
    Norm,
    group_norm,
    halving,
    residual_units,
)
from CranialAugmentationTrainerLib.generators.case_tensor import CHANNELS
from CranialAugmentationTrainerLib.generators.gaussian import Gaussian
from CranialAugmentationTrainerLib.generators.parameters import NetworkSettings


class Encoder(nn.Module):
    """Halves the grid once a width, with group norm (K23), then gives ``parts`` latents.

    Cases (B, 2, K, J, I) to ``parts`` tensors (B, *latent_shape): a dense layer for a flat latent, a
    convolution for a volumetric one.
    """

    def __init__(self, settings: NetworkSettings, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.halvings = _halvings(settings, group_norm(settings.groups))
        width, base = settings.widths[-1], settings.base
        self.head: nn.Module
        if settings.latent_size:
            self.head = nn.Sequential(nn.Flatten(), EvenLinear(width * base**3, parts * settings.latent_size))
        else:
            self.head = Convolution(3, width, parts * settings.latent_channels, conv_only=True)

    def forward(self, cases: torch.Tensor) -> tuple[torch.Tensor, ...]:
        latents: tuple[torch.Tensor, ...] = self.head(self.halvings(cases)).chunk(self.parts, 1)
        return latents


class GaussianEncoder(Encoder):
    """The encoder of the variational methods: one normal distribution a case."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings, parts=2)

    def posterior(self, cases: torch.Tensor) -> Gaussian:
        """``q(z | case)``; the variance's logarithm is kept where its exponential is a number."""
        mean, log_variance = self(cases)
        return Gaussian(mean, log_variance.clamp(-20.0, 10.0))


class Critic(nn.Module):
    """K23's critic: the encoder's blocks with layer norm, since batch norm would tie the gradient of
    one case to the others of its batch. Cases (B, 2, K, J, I) to scores (B,)."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.halvings = _halvings(settings, LAYER_NORM)
        self.score = EvenLinear(settings.widths[-1] * settings.base**3, 1)

    def forward(self, cases: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.score(self.halvings(cases).flatten(1))[:, 0]
        return scores


def _halvings(settings: NetworkSettings, norm: Norm) -> nn.Sequential:
    blocks: list[nn.Module] = []
    for channels, width in zip((CHANNELS, *settings.widths), settings.widths, strict=False):
        # Residual units share the norm's groups, so that the critic's have a layer norm as well.
        groups = int(norm[1]["num_groups"])
        blocks += [halving(channels, width, norm), *residual_units(width, settings.residual_units, groups)]
    return nn.Sequential(*blocks)
