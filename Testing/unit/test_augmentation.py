"""What training cases are made of: the same draw on any grid, shapes and places as asked for."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_head import SyntheticHead
from torch.nn import functional

from CranialAugmentationTrainerLib.augmentation.deformable_masking import MaskingRange, Patch, draw_cut, vault_of
from CranialAugmentationTrainerLib.augmentation.registration import folding_fraction, register
from CranialAugmentationTrainerLib.augmentation.registration_schedule import RegistrationSchedule
from CranialAugmentationTrainerLib.augmentation.spatial import SpatialRange, draw_spatial
from CranialReconstructionLib.imaging.head_grid import VAULT_BOX
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame

FRAME = HeadFrame(VAULT_BOX)


def on_frame(head: SyntheticHead, spacing: float = 6.0) -> torch.Tensor:
    """A synthetic skull about the frame's centre, (K, J, I)."""
    return torch.from_numpy(head.complete(VAULT_BOX.grid(np.zeros(3), spacing)).voxels).float()


@pytest.fixture(scope="module")
def skull() -> torch.Tensor:
    """Share of bone of a whole head."""
    return on_frame(SyntheticHead(hole_radius=0.0))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_places_are_those_of_the_head_grid() -> None:
    grid = VAULT_BOX.grid(np.zeros(3), 6.0)
    places = FRAME.places(6.0)
    assert tuple(places.shape[:3]) == grid.shape
    assert places[3, 4, 5].numpy() == pytest.approx(grid.ras_of([5, 4, 3])[0], abs=1e-4)


def test_sampling_where_the_voxels_are_gives_them_back(skull: torch.Tensor) -> None:
    torch.testing.assert_close(FRAME.sample(skull[None], FRAME.places(6.0))[0], skull, atol=1e-4, rtol=0)


def test_a_window_is_a_part_of_the_whole(skull: torch.Tensor) -> None:
    low = torch.tensor(VAULT_BOX.low) + torch.tensor([12.0, 24.0, 6.0])
    window = FRAME.sample(skull[None], FRAME.places(6.0, low, (5, 6, 7)))[0]
    torch.testing.assert_close(window, skull[1:6, 4:10, 2:9], atol=1e-4, rtol=0)


def test_the_same_seed_moves_the_head_alike() -> None:
    places = FRAME.places(24.0)
    first, again, other = (draw_spatial(SpatialRange(), FRAME, generator(s)).source(places) for s in (5, 5, 6))
    torch.testing.assert_close(first, again)
    assert (first - other).abs().max() > 1.0


def test_an_empty_range_leaves_the_head_alone() -> None:
    still = SpatialRange(rotation=0, scale=(1, 1), stretch=0, translation=0, flip=0, bend=0)
    places = FRAME.places(24.0)
    torch.testing.assert_close(draw_spatial(still, FRAME, generator(0)).source(places), places)


def test_rotation_and_scale_stay_in_their_range() -> None:
    for seed in range(20):
        drawn = draw_spatial(SpatialRange(stretch=0, flip=0.5), FRAME, generator(seed))
        magnification = 1.0 / torch.linalg.svdvals(drawn.matrix)
        assert magnification.min() >= 0.88 - 1e-5
        assert magnification.max() <= 1.1 + 1e-5
        turned = drawn.matrix * magnification.mean()
        turned = turned * torch.sign(torch.linalg.det(turned))
        angle = math.degrees(math.acos(min(1.0, float((turned.abs().diagonal().sum() - 1) / 2))))
        assert angle <= math.sqrt(3) * 14.0 + 1.0


def test_a_flip_swaps_the_sides() -> None:
    flip = SpatialRange(rotation=0, scale=(1, 1), stretch=0, translation=0, flip=1, bend=0)
    places = FRAME.places(24.0)
    moved = draw_spatial(flip, FRAME, generator(0)).source(places)
    torch.testing.assert_close(moved, places * torch.tensor([-1.0, 1.0, 1.0]))


@pytest.mark.parametrize("box", [False, True])
def test_a_patch_knows_its_inside(box: bool) -> None:
    patch = Patch(torch.tensor([10.0, 0.0, 0.0]), torch.eye(3), torch.tensor([20.0, 12.0, 8.0]), box)
    inside = patch.distance(torch.tensor([[10.0, 0.0, 0.0], [28.0, 0.0, 0.0], [10.0, 0.0, -7.0]]))
    outside = patch.distance(torch.tensor([[32.0, 0.0, 0.0], [10.0, 13.0, 0.0], [10.0, 0.0, 9.0]]))
    assert (inside < 0).all()
    assert (outside > 0).all()


def test_a_cut_is_the_same_on_every_grid(skull: torch.Tensor) -> None:
    cut = draw_cut(MaskingRange(), vault_of(skull, FRAME), FRAME, generator(3))
    coarse, fine = (cut.share(FRAME.places(spacing), spacing) for spacing in (6.0, 3.0))
    averaged = functional.avg_pool3d(fine[None, None], 2)[0, 0]
    assert (averaged - coarse).abs().mean() < 0.01
    assert float(averaged.sum()) == pytest.approx(float(coarse.sum()), rel=0.05)


def test_cuts_lie_on_the_vault_and_spare_the_face(skull: torch.Tensor) -> None:
    places = FRAME.places(6.0)
    extent = replace(MaskingRange(), second=0.0)
    volumes = []
    for seed in range(30):
        share = draw_cut(extent, vault_of(skull, FRAME), FRAME, generator(seed)).share(places, 6.0) * skull
        volumes.append(float(share.sum()) * 0.216)
        assert float(share[places[..., 2] < extent.floor[0] - 6.0].sum()) == 0.0
    assert min(volumes) > 0.3
    assert np.median(volumes) > 15
    assert max(volumes) > 60


def test_cuts_come_on_both_sides_in_front_and_behind(skull: torch.Tensor) -> None:
    places = FRAME.places(6.0)
    middles = []
    for seed in range(40):
        cut = draw_cut(MaskingRange(second=0.0), vault_of(skull, FRAME), FRAME, generator(seed))
        share = cut.share(places, 6.0) * skull
        middles.append((share[..., None] * places).sum((0, 1, 2)) / share.sum())
    spread = torch.stack(middles)
    for axis in (0, 1):
        assert spread[:, axis].min() < -25
        assert spread[:, axis].max() > 25
    assert spread[:, 2].max() > 50


def test_registration_brings_two_heads_together_without_folding() -> None:
    moving = on_frame(SyntheticHead(hole_radius=0.0))
    fixed = on_frame(SyntheticHead(centre=(6.0, -4.0, 3.0), half_axes=(66.0, 95.0, 76.0), hole_radius=0.0))
    displacement = register(moving, fixed, RegistrationSchedule(levels=(2, 1), iterations=40))
    identity = functional.affine_grid(torch.eye(3, 4)[None], [1, 1, *moving.shape], align_corners=False)
    places = identity + displacement.movedim(0, -1)[None]
    warped = functional.grid_sample(moving[None, None], places, align_corners=False)[0, 0]
    before, after = ((image - fixed).square().mean() for image in (moving, warped))
    assert after < 0.25 * before
    assert folding_fraction(displacement) < 0.001


def test_folding_is_counted() -> None:
    identity = functional.affine_grid(torch.eye(3, 4)[None], [1, 1, 8, 8, 8], align_corners=False)[0]
    assert folding_fraction(torch.zeros(3, 8, 8, 8)) == 0.0
    mirrored = torch.zeros(3, 8, 8, 8)
    mirrored[0] = -2.0 * identity[..., 0]
    assert folding_fraction(mirrored) == 1.0
