"""The mirror method on a head whose plane, hole and missing bone are known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation
from synthetic_head import SyntheticHead

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.reconstruction.mirror import mirror_defect

Floats = npt.NDArray[np.float64]
HALF_AXES = np.array([68.0, 90.0, 76.0])
WALL = 6.0
SIDE_HOLE = (np.array([60.0, 10.0, 32.0]), 27.0)
VERTEX_HOLE = (np.array([8.0, -10.0, 74.0]), 32.0)


@dataclass(frozen=True)
class Head:
    """A head in a scanner: tilted, and on a grid that is oblique and anisotropic."""

    tilt: tuple[float, float, float]
    place: tuple[float, float, float] = (12.0, -30.0, 400.0)
    spacing: tuple[float, float, float] = (1.5, 1.4, 2.0)
    gantry: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def to_world(self) -> Floats:
        return np.asarray(Rotation.from_euler("xyz", self.tilt, degrees=True).as_matrix())

    def grid(self) -> Grid:
        axes = Rotation.from_euler("xyz", self.gantry, degrees=True).as_matrix()
        matrix = np.eye(4)
        # LPS index order, as scanners write it.
        matrix[:3, :3] = axes @ np.diag(np.array([-1.0, -1.0, 1.0]) * self.spacing)
        size = np.array([190.0, 230.0, 216.0]) / self.spacing
        middle = np.array(self.place) + self.to_world @ np.array([0.0, 0.0, -12.0])
        matrix[:3, 3] = middle - matrix[:3, :3] @ (size / 2.0)
        i, j, k = (int(n) for n in size)
        return Grid((k, j, i), matrix)

    def make(self, hole: tuple[Floats, float] | None) -> tuple[Volume, npt.NDArray[np.bool_]]:
        """The skull with ``hole`` (centre in the head, radius; mm) in it, and the bone it lacks."""
        grid = self.grid()
        ijk = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)[..., ::-1]
        head = (grid.ras_of(ijk.reshape(-1, 3)) - np.array(self.place)) @ self.to_world
        bone = _bone(head).reshape(grid.shape)
        if hole is None:
            cut = np.zeros_like(bone)
        else:
            cut = bone & (np.linalg.norm(head - hole[0], axis=1) < hole[1]).reshape(grid.shape)
        return Volume((bone & ~cut).astype(np.uint8), grid.ijk_to_ras, "head"), cut


def _bone(head: Floats) -> npt.NDArray[np.bool_]:
    """Vault, base, brow ridges and a neck that leans aside, at places (N, 3) in the head's own axes."""
    x, y, z = head.T

    def ellipsoid(half_axes: Floats) -> npt.NDArray[np.bool_]:
        return np.asarray(((head / half_axes) ** 2).sum(axis=1) < 1.0)

    wall = ellipsoid(HALF_AXES) & ~ellipsoid(HALF_AXES - WALL) & (z > -34.0)
    base = ellipsoid(HALF_AXES) & (np.abs(z + 34.0) < 2.5) & ((x / 14) ** 2 + ((y + 25) / 17) ** 2 > 1.0)
    brow = ((np.abs(x) - 30.0) ** 2 + (y - 76.0) ** 2 + (z + 22.0) ** 2 < 15.0**2) & ~ellipsoid(HALF_AXES)
    neck = ((x - 0.3 * (z + 34.0)) ** 2 + (y + 25.0) ** 2 < 17.0**2) & (z < -36.0) & (z > -105.0)
    return np.asarray(wall | base | brow | neck)


def _dice(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float(2.0 * np.count_nonzero(one & other) / (one.sum() + other.sum()))


@pytest.mark.parametrize(
    "head",
    [Head(tilt=(0.0, 0.0, 0.0)), Head(tilt=(-14.0, 16.0, -19.0), gantry=(17.0, -6.0, 4.0))],
    ids=["upright", "tilted and oblique"],
)
def test_a_hole_in_one_side_is_filled_from_the_other(head: Head) -> None:
    skull, truth = head.make(SIDE_HOLE)
    told: list[float] = []
    result = mirror_defect(skull, lambda share, stage: told.append(share))
    normal = head.to_world[:, 0]
    cosine = float(abs(normal @ result.plane_normal))
    assert np.degrees(np.arccos(min(1.0, cosine))) < 1.0
    assert abs((result.plane_point - np.array(head.place)) @ normal) < 1.0
    assert result.plane_normal[0] > 0.0
    assert result.defect.voxels.dtype == np.uint8
    assert result.defect.grid.same_as(skull.grid)
    found = result.defect.voxels > 0
    assert _dice(found, truth) > 0.85
    assert not (found & (skull.voxels > 0)).any()
    assert result.warnings == ()
    confidence = result.confidence.voxels
    assert confidence.dtype == np.float32
    assert 0.0 <= confidence.min() <= confidence.max() <= 1.0
    assert confidence[truth].mean() > 0.6
    assert confidence[skull.voxels > 0].max() == 0.0
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_a_whole_head_gives_nothing() -> None:
    skull, _ = Head(tilt=(6.0, -11.0, 8.0)).make(None)
    result = mirror_defect(skull)
    assert not result.defect.voxels.any()
    assert not result.confidence.voxels.any()
    assert result.warnings == ()


def test_a_hole_across_the_midline_warns() -> None:
    skull, truth = Head(tilt=(0.0, 8.0, 0.0)).make(VERTEX_HOLE)
    result = mirror_defect(skull)
    assert any("both sides of the midline" in warning for warning in result.warnings)
    assert np.count_nonzero(result.defect.voxels) < 0.6 * np.count_nonzero(truth)


@pytest.mark.parametrize("bone", [0, 12], ids=["empty", "a splinter"])
def test_what_is_no_head_is_refused(bone: int) -> None:
    voxels = np.zeros((60, 60, 60), dtype=np.uint8)
    voxels[:bone, :bone, :bone] = 1
    with pytest.raises(UserError):
        mirror_defect(Volume(voxels, np.eye(4), "thing"))


@pytest.mark.parametrize("spacing", [2.0, 2.5, 3.0])
def test_a_hole_is_filled_however_long_the_voxels_are(spacing: float) -> None:
    head = SyntheticHead()
    grid = head.grid((spacing, spacing, spacing))
    outcome = mirror_defect(head.skull(grid))
    assert _dice(outcome.defect.voxels > 0, head.defect(grid).voxels > 0) > 0.8
    assert outcome.warnings == ()


def test_an_opening_that_stays_open_is_told_of() -> None:
    # A window of bone is missing, too little of it for a defect.
    head = SyntheticHead(hole_radius=7.5)
    outcome = mirror_defect(head.skull(head.grid((1.5, 1.5, 1.5))))
    assert not outcome.defect.voxels.any()
    (warning,) = outcome.warnings
    assert "does not fill it" in warning
