"""Heads turned onto a reference before they are unrolled."""

import math

import numpy as np
import pytest
import torch
from synthetic_head import SyntheticHead

from CranialReconstructionLib.imaging.head_grid import VAULT_BOX
from CranialReconstructionLib.imaging.resampling import occupancy
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame
from CranialReconstructionLib.reconstruction.head_pose import (
    POSE_MAP,
    UPRIGHT,
    HeadPose,
    find_pose,
    fit_pose,
    mean_outer_table,
)
from CranialReconstructionLib.reconstruction.vault_map import Tables, unroll

FRAME = HeadFrame(VAULT_BOX)
# Three different axes and a base below the middle, so that every turn can be seen.
HEAD = SyntheticHead(half_axes=(68.0, 92.0, 80.0))


def shares(head: SyntheticHead, kind: str = "complete") -> torch.Tensor:
    fine = head.grid((1.5, 1.5, 1.5))
    return torch.from_numpy(occupancy(getattr(head, kind)(fine), VAULT_BOX.grid(np.zeros(3), 2.0)).voxels)


@pytest.fixture(scope="module")
def reference() -> torch.Tensor:
    return mean_outer_table([unroll(shares(HEAD), FRAME, POSE_MAP)])


def pitch(pose: HeadPose) -> float:
    """Degrees about the left-right axis."""
    return math.degrees(math.atan2(float(pose.rotation[2, 1]), float(pose.rotation[1, 1])))


def test_to_the_vault_and_back() -> None:
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)))[0]
    pose = HeadPose(turn, torch.tensor([1.0, -2.0, 3.0]))
    places = 50.0 * torch.randn(20, 3)
    torch.testing.assert_close(pose.to_vault(pose.to_box(places)), places, atol=1e-3, rtol=0)


def test_a_head_that_is_the_reference_stays(reference: torch.Tensor) -> None:
    pose = find_pose(shares(HEAD), FRAME, reference)
    assert abs(pitch(pose)) < 0.3
    assert pose.shift.norm() < 0.5


@pytest.mark.parametrize("tilt", [-18.0, 12.0])
@pytest.mark.parametrize("kind", ["complete", "skull"])
def test_a_tilted_head_is_turned_back_with_its_hole_or_without(reference: torch.Tensor, tilt: float, kind: str) -> None:
    tilted = SyntheticHead(half_axes=HEAD.half_axes, tilt=tilt)
    pose = find_pose(shares(tilted, kind), FRAME, reference)
    assert abs(abs(pitch(pose)) - abs(tilt)) < 1.0
    turned = unroll(shares(tilted), FRAME, POSE_MAP, pose.to_box(POSE_MAP.rays()))
    vault = POSE_MAP.directions()[..., 2] > 0.1
    assert (turned.outer - reference)[vault].abs().mean() < 0.5


def test_a_small_head_is_not_tilted_to_look_larger(reference: torch.Tensor) -> None:
    small = SyntheticHead(half_axes=tuple(0.85 * edge for edge in HEAD.half_axes))  # type: ignore[arg-type]
    assert abs(pitch(find_pose(shares(small), FRAME, reference))) < 1.5


def test_what_is_no_head_stays_as_it_is(reference: torch.Tensor) -> None:
    nothing = torch.zeros(POSE_MAP.size, POSE_MAP.size)
    assert fit_pose(Tables(nothing, nothing, nothing), reference, POSE_MAP) is UPRIGHT


def test_the_reference_is_its_own_mirror_image() -> None:
    tables = unroll(shares(HEAD, "skull"), FRAME, POSE_MAP)
    reference = mean_outer_table([tables])
    torch.testing.assert_close(reference, reference.flip(-1))
    assert torch.isfinite(reference).all()
