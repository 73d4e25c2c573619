"""The decoder's last doubling: every place between coarse voxels begins alike, and learns."""

from __future__ import annotations

import torch
from torch.nn import functional

from CranialAugmentationTrainerLib.generators.case_tensor import DEFECT
from CranialAugmentationTrainerLib.generators.decoder import Decoder
from CranialAugmentationTrainerLib.generators.overlap import dice_loss
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


def test_no_place_between_coarse_voxels_is_left_without_bone() -> None:
    case = torch.zeros(1, 2, 16, 16, 16)
    case[:, 0, 2:14, 2:14, 2:14] = 1.0
    case[:, 0, 4:12, 4:12, 4:12] = 0.0
    case[:, :, 6:10, 6:10, 12:14] = torch.tensor([0.0, 1.0])[:, None, None, None]
    for seed in range(4):
        torch.manual_seed(seed)
        decoder, latent = Decoder(SIZES), torch.randn(1, 12)
        adam = torch.optim.Adam(decoder.parameters(), 1e-2)
        for _ in range(40):
            adam.zero_grad()
            dice_loss(decoder(latent), case).mean().backward()
            adam.step()
        found = decoder(latent)[0, DEFECT] > 0.5
        places = [found[k::2, j::2, i::2].sum() for k in (0, 1) for j in (0, 1) for i in (0, 1)]
        assert min(places) >= 0.7 * max(places), f"seed {seed}: {places}"
