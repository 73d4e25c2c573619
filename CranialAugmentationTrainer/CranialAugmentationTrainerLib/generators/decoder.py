"""What turns latents into cases: the decoder of every autoencoder and the generator of the WGANs."""

from __future__ import annotations

import math

import torch
from monai.networks.blocks import Convolution
from torch import nn

from CranialAugmentationTrainerLib.generators.blocks import Norm, doubling, group_norm, residual_units
from CranialAugmentationTrainerLib.generators.case_tensor import CHANNELS, DEFECT, SKULL
from CranialAugmentationTrainerLib.generators.parameters import NetworkSettings

# What the sigmoid begins from: a tenth of the voxels is skull and a fiftieth defect. Cases hold 3 % and
# 0.3 %, where the sigmoid would be too flat to learn fast.
SPARSE = {SKULL: -2.0, DEFECT: -4.0}


class Decoder(nn.Module):
    """The encoder mirrored: latents (B, *latent_shape) to cases (B, 2, K, J, I) in [0, 1].

    Latents move a template that is learned with the rest (ours). Without one the norm that follows makes
    any latent loud, so that an encoder first has to spend its means on saying that there is a skull at
    all, and draws of the prior that happen to lie elsewhere decode to noise.

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
        self.template = nn.Parameter(torch.randn(1, width, base, base, base))
        blocks: list[nn.Module] = []
        for channels, narrower in zip(settings.widths[::-1], settings.widths[-2::-1], strict=False):
            blocks += residual_units(channels, settings.residual_units, settings.groups)
            blocks.append(doubling(channels, narrower, norm))
        first = settings.widths[0]
        blocks += residual_units(first, settings.residual_units, settings.groups)
        self.doublings = nn.Sequential(*blocks, _interpolating(first))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.doublings(self.template + self.start(latent)))


def _interpolating(width: int) -> nn.ConvTranspose3d:
    """The last doubling, which begins as linear interpolation (Long et al. 2015, as in FCN).

    A transposed convolution has weights of its own for each of the eight places between coarse voxels. From
    independent draws some of them begin so far on the wrong side that the sigmoid is flat there: they never
    make any bone, and missing bone becomes a pattern of single voxels with a Dice of 0.5 (ours).
    """
    last = nn.ConvTranspose3d(width, CHANNELS, 4, stride=2, padding=1)
    weights = torch.tensor([0.25, 0.75, 0.75, 0.25])
    kernel = weights[:, None, None] * weights[:, None] * weights
    draws = torch.randn(width, CHANNELS, 1, 1, 1) / math.sqrt(width)
    last.weight = nn.Parameter(draws * kernel)
    last.bias = nn.Parameter(torch.tensor([SPARSE[SKULL], SPARSE[DEFECT]]))
    return last
