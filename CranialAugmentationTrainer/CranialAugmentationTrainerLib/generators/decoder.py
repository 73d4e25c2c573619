"""What turns latents into cases: the decoder of every autoencoder and the generator of the WGANs."""

from __future__ import annotations

import torch
from monai.networks.blocks import Convolution
from torch import nn

from CranialAugmentationTrainerLib.generators.blocks import Norm, doubling, group_norm, residual_units
from CranialAugmentationTrainerLib.generators.case_tensor import CHANNELS
from CranialAugmentationTrainerLib.generators.parameters import NetworkSettings


class Decoder(nn.Module):
    """The encoder mirrored: latents (B, *latent_shape) to cases (B, 2, K, J, I) in [0, 1].

    Args:
        settings: sizes.
        norm: K23: batch norm in the WGANs, group norm in the autoencoders (the default).
    """

    def __init__(self, settings: NetworkSettings, norm: Norm | None = None) -> None:
        super().__init__()
        norm = norm or group_norm(settings.groups)
        width, base = settings.widths[-1], settings.base
        self.start: nn.Module
        if settings.latent_size:
            dense = nn.Linear(settings.latent_size, width * base**3)
            self.start = nn.Sequential(dense, nn.Unflatten(1, (width, base, base, base)))
        else:
            self.start = Convolution(3, settings.latent_channels, width, conv_only=True)
        blocks: list[nn.Module] = []
        for channels, narrower in zip(settings.widths[::-1], settings.widths[-2::-1], strict=False):
            blocks += residual_units(channels, settings.residual_units, settings.groups)
            blocks.append(doubling(channels, narrower, norm))
        first = settings.widths[0]
        blocks += residual_units(first, settings.residual_units, settings.groups)
        blocks.append(nn.ConvTranspose3d(first, CHANNELS, 4, stride=2, padding=1))
        self.doublings = nn.Sequential(*blocks)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.doublings(self.start(latent)))
