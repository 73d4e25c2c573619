"""The part of a vault that a closed curve on its outside encloses.

Everything is looked at from a place deep in the head, behind the curve: a place becomes a direction and a
distance. Directions are laid out flat about the curve's mean normal (azimuthal equidistant projection), where
the curve is a polygon, be it as large as half the vault. The outer table within is what bone there is, and
spanned smoothly between curve and bone where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.resampling import resample
from CranialReconstructionLib.imaging.volume import Grid, Volume

Points = npt.NDArray[np.float64]

# About the distance from within the head to the vault, mm; heads from 65 to 95 are seen well from there.
HEAD_RADIUS = 80.0
# A curve that encloses less, square mm, encloses nothing.
LEAST_AREA = 20.0
# Places nearer to each other are one, mm.
_SAME = 1e-3
# Bone farther than this above or below the curve's own level is no part of the vault under it, mm.
LEVEL = 20.0
# The steps in which bone, and the fields that are cut at zero, are looked at, mm.
STEP = 2.0
# Cells of the flat map, radians, on which the polygon and the outer table are drawn.
_FINE, _COARSE = np.radians(0.35), np.radians(2.0)
# Bone to this far beside the curve still tells how the outer table goes on, radians.
_BESIDE = np.radians(12.0)
_MOST_SAMPLES = 600
_SMOOTHING = 0.1


@dataclass(frozen=True)
class Depth:
    """How far a footprint reaches from the outer table, millimetres."""

    inward: float = 20.0
    outward: float = 10.0

    def __post_init__(self) -> None:
        if not (self.inward > 0.0 and self.outward >= 0.0):
            raise UserError(
                f"a depth of {self.inward:g} mm inwards and {self.outward:g} mm outwards holds no bone",
                where="depth",
                remedy="Give lengths above 0.",
            )


WHOLE_VAULT = Depth()


@dataclass(frozen=True, eq=False)
class _View:
    """Where the head is looked at from: RAS ``centre``, and ``axes`` (3, 3) in rows, the last one outwards."""

    centre: Points
    axes: Points

    def flat(self, places: Points) -> tuple[Points, Points]:
        """Places (N, 3) as flat directions (N, 2), radians, and distances (N,), mm."""
        seen = (places - self.centre) @ self.axes.T
        distance = np.linalg.norm(seen, axis=1)
        across = np.linalg.norm(seen[:, :2], axis=1)
        angle = np.arctan2(across, seen[:, 2])
        return seen[:, :2] * (angle / np.maximum(across, 1e-9))[:, None], distance

    def places(self, flat: Points, distance: Points) -> Points:
        """Back again."""
        angle = np.linalg.norm(flat, axis=1)
        across = flat * (np.sin(angle) / np.maximum(angle, 1e-9))[:, None]
        return self.centre + distance[:, None] * (np.column_stack([across, np.cos(angle)]) @ self.axes)


def footprint(line: Points, mask: Volume, depth: Depth = WHOLE_VAULT, where: str = "curve") -> Volume:
    """The voxels under a closed line on the outer table, through the vault: uint8 (K, J, I) on the mask's grid.

    Args:
        line: places (N, 3) in order, RAS mm; its end meets its beginning.
        mask: of the skull.
        depth: how far to either side of the outer table.
        where: of the curve, for messages.

    Raises:
        UserError: the line encloses nothing, or there is no bone near it.
    """
    line = _dense(line, where)
    bone = _bone_places(mask, where)
    view = _view(line, bone, where)
    curve, level = view.flat(line)
    inside = _signed_distance(curve)
    table = _outer_table(curve, level, *view.flat(bone), inside, where)
    near = _box(view, inside, table, mask.grid, depth)
    # Coarse fields of distances, cut at zero on the fine grid: as good as fine ones, in a fraction of the time.
    coarse = _coarser(near)
    flat, distance = view.flat(coarse.ras_of(np.indices(coarse.shape)[::-1].reshape(3, -1).T))
    above = distance - _looked_up(table, flat, _COARSE)
    within = np.minimum(depth.outward - above, depth.inward + above)
    field = np.minimum(within, _looked_up(inside, flat, _FINE) * distance).astype(np.float32)
    fine = resample(Volume(field.reshape(coarse.shape), coarse.ijk_to_ras), near, outside=-1.0)
    region = np.zeros(mask.voxels.shape, np.uint8)
    start = np.rint(mask.grid.ijk_of(near.ijk_to_ras[:3, 3])[0]).astype(int)[::-1]
    window = tuple(slice(first, first + count) for first, count in zip(start, near.shape, strict=True))
    region[window] = fine.voxels > 0.0
    return Volume(region, mask.ijk_to_ras, where)


def _dense(line: Points, where: str) -> Points:
    """The closed line with a place a millimetre, none of them twice: a curve's last place may be its first."""
    line = line[np.linalg.norm(np.roll(line, -1, axis=0) - line, axis=1) > _SAME]
    if len(line) < 3:
        raise _no_area(where)
    behind = np.roll(line, -1, axis=0)
    parts = np.maximum(1, np.ceil(np.linalg.norm(behind - line, axis=1)).astype(int))
    return np.concatenate(
        [np.linspace(a, b, count, endpoint=False) for a, b, count in zip(line, behind, parts, strict=True)]
    )


def _bone_places(mask: Volume, where: str) -> Points:
    """Where there is bone (N, 3), on a lattice of about two millimetres."""
    steps = [max(1, round(STEP / edge)) for edge in mask.spacing[::-1]]
    found = np.argwhere(mask.voxels[:: steps[0], :: steps[1], :: steps[2]] > 0)
    if not len(found):
        raise _no_bone(where)
    return mask.grid.ras_of((found * steps)[:, ::-1])


def _view(line: Points, bone: Points, where: str) -> _View:
    middle = line.mean(axis=0)
    spokes = line - middle
    area = 0.5 * np.cross(spokes, np.roll(spokes, -1, axis=0)).sum(axis=0)
    if np.linalg.norm(area) < LEAST_AREA:
        raise _no_area(where)
    outward = area / np.linalg.norm(area)
    # The head is behind the curve, whichever way round it was drawn.
    if outward @ (middle - bone.mean(axis=0)) < 0.0:
        outward = -outward
    behind = np.sqrt(max(0.0, HEAD_RADIUS**2 - float((spokes**2).sum(axis=1).mean())))
    side = np.cross(outward, np.eye(3)[np.abs(outward).argmin()])
    side /= np.linalg.norm(side)
    return _View(middle - behind * outward, np.stack([side, np.cross(outward, side), outward]))


def _signed_distance(curve: Points) -> Points:
    """Radians to the polygon on the fine flat map, positive inside."""
    inside = _filled(curve / _FINE + (_cells(_FINE) - 1) / 2.0, _cells(_FINE))
    inner, outer = scipy.ndimage.distance_transform_edt(inside), scipy.ndimage.distance_transform_edt(~inside)
    return np.asarray(np.where(inside, inner - 0.5, 0.5 - outer) * _FINE)


def _filled(polygon: Points, size: int) -> npt.NDArray[np.bool_]:
    """The cells (size, size) whose middles are inside of a polygon (N, 2): those behind an odd number of edges."""
    crossed = np.zeros((size, size + 1), np.int32)
    for (x, y), (x_next, y_next) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        rows = np.arange(int(np.ceil(min(x, x_next))), int(np.ceil(max(x, x_next))))
        if len(rows):
            columns = y + (rows - x) / (x_next - x) * (y_next - y)
            crossed[rows, np.ceil(columns).astype(int)] += 1
    return np.asarray(np.cumsum(crossed, axis=1)[:, :size] % 2 == 1)


def _outer_table(curve: Points, level: Points, bone: Points, distance: Points, inside: Points, where: str) -> Points:
    """Millimetres from the centre to the outer table on the coarse flat map.

    Args:
        curve, level: flat directions (N, 2) and distances (N,) of the line.
        bone, distance: the same of bone.
        inside: signed distance to the polygon.
        where: for messages.
    """
    size = _cells(_COARSE)
    flat = (np.indices((size, size)).reshape(2, -1).T - (size - 1) / 2.0) * _COARSE
    every = max(1, len(curve) // 150)
    spanned = scipy.interpolate.RBFInterpolator(curve[::every], level[::every], kernel="linear")
    wanted = _looked_up(inside, flat, _FINE) > -2.0 * _BESIDE
    table = np.full(len(flat), level.mean())
    table[wanted] = spanned(flat[wanted])
    above = distance - _looked_up(table.reshape(size, size), bone, _COARSE)
    vault = (np.abs(above) < LEVEL) & (_looked_up(inside, bone, _FINE) > -_BESIDE)
    if not vault.any():
        raise _no_bone(where)
    cells = np.rint(bone[vault] / _COARSE + (size - 1) / 2.0).astype(int)
    outermost = np.zeros((size, size))
    np.maximum.at(outermost, (cells[:, 0], cells[:, 1]), distance[vault])
    known = np.flatnonzero(outermost.ravel())
    known = known[:: max(1, len(known) // _MOST_SAMPLES)]
    places = np.concatenate([curve[::every], flat[known]])
    levels = np.concatenate([level[::every], outermost.ravel()[known]])
    # A paraboloid carries the curvature of what is there over what is missing; the rest is local.
    shape, *_ = np.linalg.lstsq(_quadratic(places), levels, rcond=None)
    rest = scipy.interpolate.RBFInterpolator(
        places, levels - _quadratic(places) @ shape, kernel="linear", smoothing=_SMOOTHING
    )
    table[wanted] = _quadratic(flat[wanted]) @ shape + rest(flat[wanted])
    return table.reshape(size, size)


def _quadratic(flat: Points) -> Points:
    u, v = flat.T
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)


def _box(view: _View, inside: Points, table: Points, grid: Grid, depth: Depth) -> Grid:
    """The part of the grid that holds the footprint."""
    size = _cells(_COARSE)
    flat = (np.indices((size, size)).reshape(2, -1).T - (size - 1) / 2.0) * _COARSE
    flat = flat[_looked_up(inside, flat, _FINE) > -2.0 * _COARSE]
    level = _looked_up(table, flat, _COARSE)
    shells = [view.places(flat, level + beyond) for beyond in (-depth.inward, depth.outward)]
    seen = grid.ijk_of(np.concatenate(shells))[:, ::-1]
    start = np.clip(np.floor(seen.min(axis=0)).astype(int) - 1, 0, np.array(grid.shape) - 1)
    stop = np.clip(np.ceil(seen.max(axis=0)).astype(int) + 2, start + 1, grid.shape)
    first, shape = (tuple(int(n) for n in side) for side in (start, stop - start))
    return grid.cropped((first[0], first[1], first[2]), (shape[0], shape[1], shape[2]))


def _coarser(grid: Grid) -> Grid:
    """Voxels of about two millimetres, or the grid's own where those are longer, that cover ``grid``."""
    steps = np.maximum(1.0, STEP / np.array(grid.spacing))
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, :3] *= steps
    k, j, i = (int(np.ceil(n / step)) + 1 for n, step in zip(grid.shape, steps[::-1], strict=True))
    return Grid((k, j, i), matrix)


def _cells(width: float) -> int:
    """Cells of a side of the flat map, an odd number, so that one lies in the middle."""
    return 2 * int(np.ceil(np.pi / width)) + 1


def _looked_up(table: Points, flat: Points, width: float) -> Points:
    """Values of a flat map at directions (N, 2), linearly between its cells."""
    return np.asarray(
        scipy.ndimage.map_coordinates(table, (flat / width + (len(table) - 1) / 2.0).T, order=1, mode="nearest")
    )


def _no_area(where: str) -> UserError:
    return UserError("it encloses nothing", where=where, remedy="Draw a closed curve of at least three points.")


def _no_bone(where: str) -> UserError:
    return UserError(
        "there is no bone near it", where=where, remedy="Draw the curve on the skull, and check that it is this one."
    )
