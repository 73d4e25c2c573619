"""A two-part mould in which an implant is cast of bone cement (PMMA).

The halves part along the implant's middle surface, seen along the insertion axis, carried on outwards
from its silhouette, so that each half comes off along the axis. Cement goes in through a sprue in the
upper half, over the implant's outer side; air leaves through two vents. Pins at the block's corners
register the halves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold
from scipy import ndimage
from scipy.spatial import cKDTree

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.booleans import clean_mesh_of, solid_of
from CranialReconstructionLib.implant.clearance import voxels_inside
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_probe import MeshProbe
from CranialReconstructionLib.implant.meshing import border_edges

Points = npt.NDArray[np.float64]

GRID = 0.5  # of the parting surface, mm
FLATTEN_WITHIN = 6.0  # from the silhouette, mm: there the parting surface turns from exact to smooth
RIM_CELLS = 2  # of the grid inside the silhouette that take the rim's height
SMOOTHING = 4.0  # of the parting surface outside, mm
SEGMENTS = 64
SPRUE_RADII = (2.5, 6.0)  # at the implant, and where the cement is poured, mm
VENT_RADIUS = 0.8
VENT_PLACES = (0.12, 0.88)  # shares of the implant's length
THINNEST_BLOCK = 6.0  # of the wall around the implant in which the pins have room, mm


@dataclass(frozen=True)
class MouldShape:
    """Measures of the mould, mm.

    Attributes:
        wall: of the block, around the implant.
        pin_radius, pin_height: of the register pins.
        play: between a pin and its hole.
    """

    wall: float = 8.0
    pin_radius: float = 2.5
    pin_height: float = 4.0
    play: float = 0.2

    def __post_init__(self) -> None:
        if not THINNEST_BLOCK <= self.wall <= 40.0:
            raise UserError(
                f"the mould's wall of {self.wall:g} mm is not within 6 to 40 mm",
                where="mould",
                remedy="Change the wall.",
            )
        room = 0.5 * self.wall - self.play - 0.5
        if not (0.0 < self.pin_radius <= room and 0.0 < self.pin_height <= self.wall - 1.0 and self.play >= 0.0):
            raise UserError("the register pins do not fit the wall", where="mould", remedy="Make them smaller.")


@dataclass(frozen=True, eq=False)
class Mould:
    """Both halves in the implant's place (RAS).

    Attributes:
        upper: over the outer side, with the sprue and the vents.
        lower: under the inner side, with the pins.
        cavity_volume: what the closed halves leave for the implant, cubic millimetres.
        undercut: millilitres of both halves that the cast holds back when they come off along the axis.
        wall: least millimetres of the block around the cavity and around the register pins' holes.
    """

    upper: Mesh
    lower: Mesh
    cavity_volume: float
    undercut: float
    wall: float


def mould_of(implant: Mesh, axis: npt.ArrayLike, shape: MouldShape | None = None) -> Mould:
    """The mould of one implant.

    Args:
        implant: two-manifold, one shell, without holes: cores as thin as perfusion holes would break when the
            halves come off, and holes that are not parallel to the axis could not. They are drilled into the cast.
        axis: direction from outside to inside (RAS).
    """
    shape = shape or MouldShape()
    frame = _frame(implant, np.asarray(axis, dtype=np.float64))
    local = Mesh((implant.vertices - frame[:, 3]) @ frame[:, :3], implant.triangles)
    low = local.vertices.min(axis=0) - shape.wall
    high = local.vertices.max(axis=0) + shape.wall
    parting = _Parting(local, low, high)
    solid = solid_of(local)
    below = solid_of(parting.solid_down_to(low[2] - 1.0))
    block = Manifold.cube(tuple(high - low)).translate(tuple(low))
    lower, upper = (block ^ below) - solid, (block - below) - solid
    cavity = block.volume() - lower.volume() - upper.volume()
    # The pins stand where the block has no implant, in the middle of the wall.
    inset = 0.5 * shape.wall
    pins = [(x, y) for x in (low[0] + inset, high[0] - inset) for y in (low[1] + inset, high[1] - inset)]
    for x, y in pins:
        foot = (x, y, parting.height(x, y))
        lower = lower + _pin(shape, 0.0, foot)
        upper = upper - _pin(shape, shape.play, foot)
    for channel in _channels(local, parting, high[2]):
        upper = upper - channel
    return Mould(
        _largest(upper, frame),
        _largest(lower, frame),
        cavity,
        parting.undercut(local, low),
        min(shape.wall, _wall_at_pins(local, np.array(pins), shape)),
    )


class _Parting:
    """The surface between the halves: a height over a grid across the axis."""

    def __init__(self, local: Mesh, low: Points, high: Points) -> None:
        # The grid reaches beyond the block, so that it cuts it through.
        self._x = np.arange(low[0] - 2.0 * GRID, high[0] + 3.0 * GRID, GRID)
        self._y = np.arange(low[1] - 2.0 * GRID, high[1] + 3.0 * GRID, GRID)
        probe = MeshProbe(local)
        x, y = np.meshgrid(self._x, self._y, indexing="ij")
        top, length = high[2] + 1.0, high[2] - low[2] + 2.0
        down = np.broadcast_to([0.0, 0.0, -1.0], (x.size, 3))
        first = probe.cast(np.stack([x.ravel(), y.ravel(), np.full(x.size, top)], axis=1), down, length)
        last = probe.cast(np.stack([x.ravel(), y.ravel(), np.full(x.size, top - length)], axis=1), -down, length)
        met = first.met & last.met
        self._within = met.reshape(x.shape)
        upper, lower = (np.zeros(x.shape) for _ in range(2))
        upper[self._within] = top - first.distances[met]
        lower[self._within] = top - length + last.distances[met]
        rim = _silhouette(local)
        _, nearest = cKDTree(rim[:, :2]).query(np.stack([x.ravel(), y.ravel()], axis=1))
        rim_heights = rim[nearest, 2].reshape(x.shape)
        # Along the rim the halves part at its very height, or one of them would reach behind it.
        along_rim = ndimage.distance_transform_edt(self._within) <= RIM_CELLS
        middle = np.where(along_rim, np.clip(rim_heights, lower, upper), 0.5 * (lower + upper))
        self._heights = np.where(self._within, middle, _flattened(rim_heights, self._within))

    def height(self, x: float, y: float) -> float:
        """Height at a place."""
        place = [[(x - self._x[0]) / GRID], [(y - self._y[0]) / GRID]]
        return float(ndimage.map_coordinates(self._heights, place, order=1)[0])

    def undercut(self, local: Mesh, low: Points) -> float:
        """Millilitres beside the implant that have implant above them, over the surface, or below them, under it."""
        size = np.ceil((local.vertices.max(axis=0) - low) / GRID).astype(int) + 2
        # Half a step aside, so that flat sides do not lie on the samples.
        corner = low + 0.5 * GRID
        inside = voxels_inside(Mesh(local.vertices - corner, local.triangles), (size[2], size[1], size[0]), GRID)
        k, j, i = np.nonzero(~inside & inside.any(axis=0))
        x, y = (corner[0] - self._x[0]) / GRID + i, (corner[1] - self._y[0]) / GRID + j
        over = corner[2] + k * GRID > ndimage.map_coordinates(self._heights, (x, y), order=1, mode="nearest")
        above = np.maximum.accumulate(inside[::-1], axis=0)[::-1][k, j, i]
        below = np.maximum.accumulate(inside, axis=0)[k, j, i]
        return float(np.count_nonzero(np.where(over, above, below))) * GRID**3 / 1000.0

    def inside(self, x: float, y: float) -> Points:
        """The place (x, y) deep inside the silhouette that is nearest to the one wanted."""
        depth = ndimage.distance_transform_edt(self._within)
        rows, columns = np.nonzero(depth >= min(SPRUE_RADII[0] / GRID + 1.0, 0.9 * float(depth.max())))
        nearest = np.argmin((self._x[rows] - x) ** 2 + (self._y[columns] - y) ** 2)
        return np.array([self._x[rows[nearest]], self._y[columns[nearest]]])

    def solid_down_to(self, floor: float) -> Mesh:
        """What lies under the surface and over ``floor``, closed."""
        shape = self._heights.shape
        x, y = np.meshgrid(self._x, self._y, indexing="ij")
        top = np.stack([x, y, self._heights], axis=-1).reshape(-1, 3)
        bottom = np.stack([x, y, np.full(shape, floor)], axis=-1).reshape(-1, 3)
        index = np.arange(x.size).reshape(shape)
        a, b, c, d = index[:-1, :-1].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel(), index[:-1, 1:].ravel()
        sheet = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
        ring = np.concatenate([index[:-1, 0], index[-1, :-1], index[:0:-1, -1], index[0, :0:-1]])
        following = np.roll(ring, -1)
        side = np.concatenate(
            [
                np.stack([ring + x.size, following + x.size, following], axis=1),
                np.stack([ring + x.size, following, ring], axis=1),
            ]
        )
        return Mesh(np.concatenate([top, bottom]), np.concatenate([sheet, sheet[:, ::-1] + x.size, side]))


def _silhouette(local: Mesh) -> Points:
    """Places (N, 3) where the surface turns from facing up to facing down."""
    ends = local.vertices[border_edges(Mesh(local.vertices, local.triangles[local.normals[:, 2] > 1e-6]))]
    shares = np.linspace(0.0, 1.0, 5)[:, None, None]
    return ((1.0 - shares) * ends[:, 0] + shares * ends[:, 1]).reshape(-1, 3)


def _flattened(heights: Points, within: npt.NDArray[np.bool_]) -> Points:
    """The heights beyond the silhouette, smoother the farther from it."""
    share = np.clip(ndimage.distance_transform_edt(~within, sampling=GRID) / FLATTEN_WITHIN, 0.0, 1.0)
    return (1.0 - share) * heights + share * ndimage.gaussian_filter(heights, SMOOTHING / GRID, mode="nearest")


def _frame(implant: Mesh, axis: Points) -> Points:
    """(3, 4): the block's axes, the third out of the head, the first along the implant; and its middle."""
    out = -axis / np.linalg.norm(axis)
    middle = implant.vertices.mean(axis=0)
    flat = implant.vertices - middle
    flat = flat - np.outer(flat @ out, out)
    along = np.linalg.svd(flat.T @ flat)[0][:, 0]
    along = along - (along @ out) * out
    along = along / np.linalg.norm(along)
    return np.stack([along, np.cross(out, along), out, middle], axis=1)


def _pin(shape: MouldShape, play: float, foot: tuple[float, float, float]) -> Manifold:
    """A pin with a conical tip, its foot as deep in the lower half as it is high."""
    radius, height = shape.pin_radius + play, shape.pin_height
    tip = 0.5 * height
    shaft = Manifold.cylinder(height + tip + play, radius, -1.0, SEGMENTS).translate((0.0, 0.0, -height))
    cone = Manifold.cylinder(tip, radius, 0.6 * radius, SEGMENTS).translate((0.0, 0.0, tip + play))
    return (shaft + cone).translate(foot)


def _wall_at_pins(local: Mesh, pins: Points, shape: MouldShape) -> float:
    """Least millimetres from a pin's hole to the cavity or to the block's outside."""
    radius = shape.pin_radius + shape.play
    away, _ = cKDTree(local.vertices[:, :2]).query(pins)
    return float(min(away.min(), 0.5 * shape.wall) - radius)


def _channels(local: Mesh, parting: _Parting, top: float) -> list[Manifold]:
    """The sprue over the implant's middle, and vents near the two ends of it."""
    low, high = local.vertices.min(axis=0), local.vertices.max(axis=0)
    places = [parting.inside(0.0, 0.0)]
    places += [parting.inside(low[0] + share * (high[0] - low[0]), 0.0) for share in VENT_PLACES]
    radii = [SPRUE_RADII, (VENT_RADIUS, VENT_RADIUS), (VENT_RADIUS, VENT_RADIUS)]
    channels = []
    for (x, y), (start, end) in zip(places, radii, strict=True):
        foot = parting.height(x, y)
        channels.append(Manifold.cylinder(top + 1.0 - foot, start, end, SEGMENTS).translate((x, y, foot)))
    return channels


def _largest(half: Manifold, frame: Points) -> Mesh:
    """The half in its place, without crumbs that a perforated implant leaves."""
    parts = half.decompose()
    return clean_mesh_of(max(parts, key=lambda part: part.volume()).transform(frame))
