"""The decoder's last doubling: every place between coarse voxels begins alike."""

from __future__ import annotations

import torch
from torch.nn import functional

from CranialAugmentationTrainerLib.generators.decoder import Decoder
from CranialAugmentationTrainerLib.generators.parameters import NetworkSettings

SIZES = NetworkSettings(side=16, widths=(8, 16), groups=4, latent_size=12)


def test_the_last_doubling_begins_as_linear_interpolation() -> None:
    torch.manual_seed(0)
    last = Decoder(SIZES).doublings[-1]
    features = torch.randn(2, 8, 6, 6, 6)
    # Of one voxel's weights alone, as a convolution without extent.
    mixed = torch.einsum("bckji,co->bokji", features, last.weight.sum((2, 3, 4)) / 8)
    wanted = functional.interpolate(mixed, scale_factor=2, mode="trilinear") + last.bias[:, None, None, None]
    # At the border interpolation repeats the outermost voxel, which a transposed convolution does not.
    inner = (..., slice(2, -2), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(last(features)[inner], wanted[inner])
