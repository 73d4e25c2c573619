"""Where the vault of a complete skull is, found from the mask itself.

Seen from inside the cranial cavity the vault is the part of the head where a ray meets one thin layer of
bone; towards the skull base and the face it meets many, or thick ones. That rule needs no landmark and
does not mind a tilted head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# The maps are azimuthal equidistant about the head's own upward axis, one degree a cell.
REACH_DEGREES = 120
_SIZE = 2 * REACH_DEGREES + 1

# Thickest bone, with the obliqueness of its ray and the frontal sinus, that still is vault.
_LAYER_MM = 20.0
# The vault ends at the latest this many degrees from its top: in front, over the orbits, and behind; at the
# sides, in the temporal fossae. And it ends this many cells before the first thick bone.
_LOWEST_DEGREES = (100.0, 106.0)
_MARGIN_CELLS = 3

# Adults' and children's heads: height of the cavity's centre under the vertex, as a share of the length.
_CENTRE_DEPTH = 0.42
# A head lies turned by no more than these degrees.
_LARGEST_YAW = 40
_FEWEST_POINTS = 1000


@dataclass(frozen=True, eq=False)
class Vault:
    """The vault as seen from the middle of the cranial cavity.

    Attributes:
        centre: of the cavity, RAS millimetres (3,).
        axes: rows are the head's right, anterior and upward unit vectors in RAS (3, 3).
        outer: millimetres from the centre to the outer surface, a map over directions.
        inside: the directions that lie on the vault, the same map.
    """

    centre: Floats
    axes: Floats
    outer: Floats
    inside: Mask

    def seen(self, ras: Floats) -> tuple[Floats, Floats]:
        """Directions (N, 3) in the head's axes and distances (N,) from the centre, of RAS points (N, 3)."""
        offsets = (ras - self.centre) @ self.axes.T
        distances = np.linalg.norm(offsets, axis=1)
        return offsets / np.maximum(distances, 1e-6)[:, None], distances

    def outer_at(self, directions: Floats) -> Floats:
        """Millimetres from the centre to the outer surface along directions (..., 3)."""
        return _sampled(self.outer, directions)

    def holds(self, directions: Floats) -> Mask:
        """Which of the directions (..., 3) lie on the vault."""
        return _sampled(self.inside.astype(np.float64), directions) > 0.5

    @property
    def radius(self) -> float:
        """Typical millimetres from the centre to the outer surface."""
        return float(np.median(self.outer[self.inside]))


def find_vault(complete: Volume) -> Vault:
    """The vault of a complete skull whose volume is roughly upright (RAS).

    Raises:
        UserError: the mask is empty, or no vault is in it.
    """
    points = _bone_points(complete)
    top = points[:, 2].max()
    slab = points[(points[:, 2] > top - 80.0) & (points[:, 2] < top - 20.0)]
    if len(slab) < _FEWEST_POINTS:
        raise UserError("no vault was found", where=complete.name, remedy="Give a complete, upright skull.")
    low, high = np.percentile(slab, 0.1, axis=0), np.percentile(slab, 99.9, axis=0)
    centre = (low + high) / 2.0
    centre[2] = top - _CENTRE_DEPTH * (high[1] - low[1])
    axes = _turned(_yaw(_radii(points, centre, np.eye(3))[0]))
    outer, inner = _radii(points, centre, axes)
    inside = _single_layer(outer - inner)
    if not inside.any():
        raise UserError("no vault was found", where=complete.name, remedy="Give a complete, upright skull.")
    return Vault(centre, axes, ndimage.gaussian_filter(ndimage.median_filter(outer, 5), 1.0), inside)


def _bone_points(complete: Volume) -> Floats:
    """RAS places (N, 3) of the voxels of the largest piece of bone, about one a cubic millimetre."""
    i, j, k = (max(round(1.0 / edge), 1) for edge in complete.spacing)
    pieces, count = ndimage.label(complete.voxels[::k, ::j, ::i] > 0, np.ones((3, 3, 3)))
    if count == 0:
        raise UserError("the mask is empty", where=complete.name, remedy="Give a complete skull.")
    largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    places = np.argwhere(pieces == largest) * np.array([k, j, i])
    return complete.grid.ras_of(places[:, ::-1])


def _radii(points: Floats, centre: Floats, axes: Floats) -> tuple[Floats, Floats]:
    """Maps of the distances from ``centre`` to the last and to the first bone."""
    offsets = (points - centre) @ axes.T
    distances = np.linalg.norm(offsets, axis=1)
    row, column = np.rint(_cells(offsets / np.maximum(distances, 1e-6)[:, None])).astype(int)
    reached = (np.minimum(row, column) >= 0) & (np.maximum(row, column) < _SIZE)
    outer, inner = np.zeros((_SIZE, _SIZE)), np.full((_SIZE, _SIZE), np.inf)
    np.maximum.at(outer, (row[reached], column[reached]), distances[reached])
    np.minimum.at(inner, (row[reached], column[reached]), distances[reached])
    nearest = ndimage.distance_transform_edt(outer == 0.0, return_distances=False, return_indices=True)
    return outer[tuple(nearest)], inner[tuple(nearest)]


def _yaw(outer: Floats) -> float:
    """The turn about the vertical, in radians, after which left and right are most alike."""
    angles, turns = np.meshgrid(np.arange(40.0, REACH_DEGREES), np.arange(360.0), indexing="ij")
    rows = REACH_DEGREES - angles * np.cos(np.radians(turns))
    columns = REACH_DEGREES + angles * np.sin(np.radians(turns))
    around = ndimage.map_coordinates(outer, [rows, columns], order=1, mode="nearest")
    candidates = np.arange(-_LARGEST_YAW, _LARGEST_YAW + 1)
    turned = [np.roll(around, -yaw, axis=1) for yaw in candidates]
    # Clockwise by a turn is mirrored by counter-clockwise by the same turn: the index 360 - n.
    unlike = [np.abs(view - np.roll(view[:, ::-1], 1, axis=1)).mean() for view in turned]
    return float(np.radians(candidates[int(np.argmin(unlike))]))


def _turned(yaw: float) -> Floats:
    """The head's right, front and up in RAS, for a head that looks ``yaw`` radians to the right."""
    sine, cosine = np.sin(yaw), np.cos(yaw)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _single_layer(span: Floats) -> Mask:
    """The piece around the top in which bone spans little along the ray, off its edge by a margin."""
    rows, columns = np.indices(span.shape) - REACH_DEGREES
    high = np.hypot(rows / _LOWEST_DEGREES[0], columns / _LOWEST_DEGREES[1]) <= 1.0
    thin = (ndimage.median_filter(span, 5) <= _LAYER_MM) & high
    core = ndimage.binary_opening(thin, _disc(5))
    pieces, _ = ndimage.label(core)
    top = pieces[REACH_DEGREES, REACH_DEGREES]
    vault = ndimage.binary_fill_holes(pieces == top) if top else np.zeros_like(core)
    off_the_edge: Mask = ndimage.binary_erosion(vault, _disc(_MARGIN_CELLS))
    return off_the_edge


def _disc(radius: int) -> Mask:
    rows, columns = np.indices((2 * radius + 1, 2 * radius + 1)) - radius
    return np.hypot(rows, columns) <= radius


def _cells(directions: Floats) -> Floats:
    """Map cells, rows then columns (2, ...), of unit vectors (..., 3): front is up, right is right."""
    x, y, z = np.moveaxis(directions, -1, 0)
    angle = np.degrees(np.arccos(np.clip(z, -1.0, 1.0)))
    flat = np.maximum(np.hypot(x, y), 1e-9)
    return np.stack([REACH_DEGREES - angle * y / flat, REACH_DEGREES + angle * x / flat])


def _sampled(field: Floats, directions: Floats) -> Floats:
    sampled: Floats = ndimage.map_coordinates(field, _cells(directions), order=1, mode="nearest")
    return sampled
