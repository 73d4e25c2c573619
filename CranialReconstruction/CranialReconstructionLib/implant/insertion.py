"""The way in: the axis along which an implant meets the least bone, and what that axis leaves of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.distance import distance_to
from CranialReconstructionLib.imaging.pooling import bone_box
from CranialReconstructionLib.imaging.volume import Grid, Volume

Floats = npt.NDArray[np.float64]

# Millimetres: sampling of the search, how far from the missing bone a host bone is looked at, and how near it
# counts for nothing: there the sampling alone decides what lies above what.
SAMPLE, NEIGHBOURHOOD, SLACK = 1.0, 8.0, 1.0
# Degrees from the mean normal: the cone that is searched, the steps of its refinement, and what a given axis may be.
CONE, REFINEMENTS, LARGEST_TILT = (0.0, 8.0, 16.0, 24.0, 32.0), (4.0, 2.0, 1.0), 75.0
# Share of the implant that ten degrees off the normal are worth.
TILT_COST = 0.002
# Voxels of the largest bench; fifteen million hold 150 square centimetres at 0.5 mm.
LARGEST_BENCH = 15_000_000


@dataclass(frozen=True)
class Insertion:
    """How an implant goes in.

    Attributes:
        axis: unit vector from outside to inside, RAS.
        tilt: degrees between the axis and the mean normal.
        undercut: millilitres of the missing bone that could not go in along the axis, at the search's sampling.
    """

    axis: Floats
    tilt: float
    undercut: float


def insertion_of(skull: Volume, defect: Volume, axis: tuple[float, float, float] | None) -> Insertion:
    """The axis of least undercut over a cone about the mean normal, or the given one, measured.

    Args:
        skull, defect: masks on one grid; the defect is one connected part.
        axis: from outside to inside, RAS, any length; None to search.

    Raises:
        UserError: the given axis does not lead into the head.
    """
    bone, missing, mean_normal, cell_volume = _samples(skull, defect)
    if axis is not None:
        given = np.array(axis, dtype=np.float64) / np.linalg.norm(axis)
        tilt = float(np.degrees(np.arccos(np.clip(-given @ mean_normal, -1.0, 1.0))))
        if tilt > LARGEST_TILT:
            raise UserError(
                f"the axis lies {tilt:.0f} degrees off the way into the head at this defect",
                where="design",
                remedy="Give an axis from outside to inside (RAS), or none to have it found.",
            )
        return Insertion(given, tilt, _blocked(bone, missing, -given) * cell_volume / 1000.0)

    best, least = mean_normal, float("inf")

    def try_all(directions: list[Floats]) -> None:
        nonlocal best, least
        for up in directions:
            tilt = float(np.degrees(np.arccos(np.clip(up @ mean_normal, -1.0, 1.0))))
            cost = TILT_COST * (tilt / 10.0) ** 2
            # A tilt that costs more than the best axis does as a whole need not be looked at.
            if cost < least:
                cost += _blocked(bone, missing, up) / len(missing)
            if cost < least:
                best, least = up, cost

    try_all([direction for tilt in CONE for direction in _cone(mean_normal, tilt)])
    for tilt in REFINEMENTS:
        try_all(_cone(best, tilt))
    tilt = float(np.degrees(np.arccos(np.clip(best @ mean_normal, -1.0, 1.0))))
    return Insertion(-best, tilt, _blocked(bone, missing, best) * cell_volume / 1000.0)


def bench_grid(defect: Volume, axis: Floats, margin: float, thinnest: float, spacing: float | None = None) -> Grid:
    """An isotropic grid round the defect whose K axis points out of the head, against ``axis``.

    Args:
        margin: millimetres of surroundings on every side.
        thinnest: millimetres of the thinnest sheet that two voxels are to hold.
        spacing: of the voxels; without it, it follows the mask's and ``thinnest``.
    """
    up = -axis
    across = _across(up)
    frame = np.stack((across, np.cross(up, across), up), axis=1)
    local = defect.grid.ras_of(_ends_of_rows(defect)) @ frame
    low, high = local.min(0) - margin, local.max(0) + margin
    if spacing is None:
        spacing = min(float(np.clip(min(defect.spacing), 0.4, 0.5)), 0.5 * thinnest)
    spacing = max(spacing, float((np.prod(high - low) / LARGEST_BENCH) ** (1.0 / 3.0)))
    shape = np.ceil((high - low) / spacing).astype(int) + 1
    matrix = np.eye(4)
    matrix[:3, :3] = frame * spacing
    matrix[:3, 3] = frame @ low
    return Grid((int(shape[2]), int(shape[1]), int(shape[0])), matrix)


def least_above(field: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The least value at or above each voxel, K pointing up: what a point meets on its way in."""
    return np.minimum.accumulate(field[::-1], axis=0)[::-1]


def drafted(
    wall: npt.NDArray[np.float32], below: npt.NDArray[np.bool_], spacing: float, bevel: float
) -> npt.NDArray[np.float32]:
    """``wall`` made to close by ``bevel`` degrees with depth, below the outer surface.

    Args:
        wall: (K, J, I) signed millimetres to the walls, negative where an implant may be; K points up.
        below: where the outer surface is above: nothing higher counts.
        spacing: millimetres between voxels.
    """
    # The walls are moved sideways, so their distance is taken sideways too.
    upward = np.gradient(wall, spacing, axis=0)
    sideways = wall / np.sqrt(np.clip(1.0 - upward**2, 0.25, 1.0))
    rise = (np.arange(len(wall), dtype=np.float32) * np.float32(spacing * np.tan(np.radians(bevel))))[:, None, None]
    started = np.where(below, sideways + rise, np.float32(-1e3))
    return np.maximum.accumulate(started[::-1], axis=0)[::-1] - rise


def _samples(skull: Volume, defect: Volume) -> tuple[Floats, Floats, Floats, float]:
    """RAS points of the bone around (N, 3), of the missing bone (M, 3), its mean outward normal, and mm3 a point."""
    first, end = _box(defect)
    reach = np.ceil((NEIGHBOURHOOD + 2.0) / np.array(defect.spacing[::-1])).astype(int)
    start = np.maximum(first - reach, 0)
    stop = np.minimum(end + reach, defect.voxels.shape)
    steps = np.maximum(1, np.rint(SAMPLE / np.array(defect.spacing[::-1]))).astype(int)
    window = tuple(slice(int(a), int(b), int(step)) for a, b, step in zip(start, stop, steps, strict=True))
    bone, missing = skull.voxels[window] > 0, defect.voxels[window] > 0
    matrix = defect.ijk_to_ras.copy()
    matrix[:3, 3] = defect.grid.ras_of(start[::-1])[0]
    matrix[:3, :3] *= steps[::-1]
    grid = Grid(bone.shape, matrix)
    spacing = grid.spacing[::-1]
    apart = distance_to(missing, spacing)
    around = bone & (apart > SLACK) & (apart < NEIGHBOURHOOD)

    coarse = tuple(slice(None, None, max(1, n // 64)) for n in skull.voxels.shape)
    strides = np.array([part.step for part in coarse])
    centre = skull.grid.ras_of((np.argwhere(skull.voxels[coarse] > 0) * strides).mean(0)[::-1])[0]
    share = ndimage.gaussian_filter((bone | missing).astype(np.float32), 1.0)
    index = np.argwhere(missing)
    places = grid.ras_of(index[:, ::-1])
    fall = -np.stack([np.gradient(share, edge, axis=axis)[missing] for axis, edge in enumerate(spacing)], axis=1)
    normals = fall[:, ::-1] @ np.linalg.inv(matrix[:3, :3] / np.array(grid.spacing))
    outer = np.einsum("ij,ij->i", normals, places - centre) > 0.0
    normal = normals[outer].sum(0) if outer.any() else places.mean(0) - centre
    return grid.ras_of(np.argwhere(around)[:, ::-1]), places, normal / np.linalg.norm(normal), grid.voxel_volume


def _box(defect: Volume) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and one-past-last voxel (k, j, i) of a mask that is not empty."""
    box = bone_box(defect)
    assert box is not None
    return np.array(box[0]), np.array(box[1])


def _ends_of_rows(defect: Volume) -> npt.NDArray[np.int64]:
    """First and last voxel (N, 3: i, j, k) of every row of a mask: no other is the outermost in any direction."""
    start, stop = _box(defect)
    rows = defect.voxels[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]] > 0
    k, j = np.nonzero(rows.any(axis=2))
    rows = rows[k, j]
    columns = rows.argmax(axis=1), rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)
    return np.concatenate([np.stack((i, j, k), axis=1) for i in columns]) + start[::-1]


def _blocked(bone: Floats, missing: Floats, up: Floats) -> int:
    """How many points of the missing bone have bone above them."""
    across = _across(up)
    frame = np.stack((across, np.cross(up, across), up), axis=1)
    host, part = bone @ frame, missing @ frame
    corner = np.minimum(host[:, :2].min(0, initial=np.inf), part[:, :2].min(0))
    cell_of_host = ((host[:, :2] - corner) / SAMPLE).astype(int)
    cell_of_part = ((part[:, :2] - corner) / SAMPLE).astype(int)
    width, depth = np.maximum(cell_of_host.max(0, initial=0), cell_of_part.max(0)) + 1
    highest = np.full(width * depth, -np.inf)
    np.maximum.at(highest, cell_of_host[:, 0] * depth + cell_of_host[:, 1], host[:, 2])
    return int((highest[cell_of_part[:, 0] * depth + cell_of_part[:, 1]] > part[:, 2]).sum())


def _across(direction: Floats) -> Floats:
    helper = np.eye(3)[int(np.argmin(np.abs(direction)))]
    across = np.cross(direction, helper)
    return across / np.linalg.norm(across)


def _cone(middle: Floats, tilt: float) -> list[Floats]:
    """Directions ``tilt`` degrees off ``middle``, eight round it."""
    if tilt == 0.0:
        return [middle]
    first = _across(middle)
    second = np.cross(middle, first)
    angle = np.radians(tilt)
    return [
        np.cos(angle) * middle + np.sin(angle) * (np.cos(turn) * first + np.sin(turn) * second)
        for turn in np.arange(8) * np.pi / 4.0
    ]
