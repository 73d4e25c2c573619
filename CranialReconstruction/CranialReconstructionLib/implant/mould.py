"""A two-part mould in which an implant is cast of bone cement (PMMA).

The halves part along the implant's silhouette, seen along the insertion axis, and at its middle height; from
there the parting surface runs on outwards, ever smoother. Everything is cut from the implant's own field, so
that both halves are closed surfaces and come off along the axis whatever its shape: where the implant has an
undercut, the cavity is open as far as the half above or below needs. Cement goes in through a sprue in the
upper half, over the implant's outer side; air leaves through two vents. Pins at the block's corners register
the halves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold
from scipy import ndimage
from scipy.spatial import cKDTree

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.booleans import clean_mesh_of, solid_of
from CranialReconstructionLib.implant.insertion import least_above
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.meshing import surface_of
from CranialReconstructionLib.implant.refinement import simplified

Floats = npt.NDArray[np.floating]
Field = npt.NDArray[np.float32]

FLATTEN_WITHIN = 6.0  # from the silhouette, mm: there the parting surface turns from exact to smooth
SMOOTHING = 4.0  # of the parting surface outside, mm
FAR = 3.0  # from the implant, mm: where its field is not known
SEGMENTS = 64
SPRUE_RADII = (2.5, 6.0)  # at the implant, and where the cement is poured, mm
VENT_RADIUS = 0.8
VENT_PLACES = (-0.38, 0.38)  # shares of the implant's length from its middle
THINNEST_BLOCK = 6.0  # of the wall around the implant in which the pins have room, mm
MOST_TRIANGLES = 200_000  # of a half


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
        undercut: millilitres of the cavity beside the implant, without which a half would not come off.
        wall: least millimetres of the block around the cavity and around the register pins' holes.
    """

    upper: Mesh
    lower: Mesh
    cavity_volume: float
    undercut: float
    wall: float


def mould_of(body: Volume, shape: MouldShape | None = None) -> Mould:
    """The mould of one implant.

    Args:
        body: (K, J, I) signed millimetres, negative inside, isotropic, K pointing out of the head against the way
            in. Without holes: cores as thin as perfusion holes would break when the halves come off, and holes that
            are not parallel to the axis could not. They are drilled into the cast.
    """
    shape = shape or MouldShape()
    bench = _Bench(body, shape.wall)
    above, below = least_above(bench.field), np.minimum.accumulate(bench.field, axis=0)
    over = bench.levels - bench.parting
    upper = bench.solid(np.maximum(np.maximum(bench.block, -above), -over))
    lower = bench.solid(np.maximum(np.maximum(bench.block, -below), over))
    block = bench.solid(bench.block).volume()
    cavity = block - upper.volume() - lower.volume()
    undercut = np.where(over > 0.0, above < 0.0, below < 0.0) & (bench.field >= 0.0)
    pins = bench.corners(0.5 * shape.wall)
    for x, y in pins:
        foot = (x, y, bench.height(x, y))
        lower = lower + bench.placed(_pin(shape, 0.0, foot))
        upper = upper - bench.placed(_pin(shape, shape.play, foot))
    for channel in bench.channels():
        upper = upper - bench.placed(channel)
    return Mould(
        _largest(upper),
        _largest(lower),
        cavity,
        float(np.count_nonzero(undercut)) * bench.spacing**3 / 1000.0,
        min(shape.wall, bench.clear_of_cavity(pins, shape)),
    )


class _Bench:
    """The implant in the middle of its block; places (x, y, z) are millimetres along I, J and K of its grid."""

    def __init__(self, body: Volume, wall: float) -> None:
        spacing = body.spacing[0]
        inside = np.argwhere(body.voxels < 0.0)
        first, last = inside.min(axis=0), inside.max(axis=0)
        room = int(np.ceil(wall / spacing)) + 2
        start, stop = first - room, last + room + 1
        self.spacing = spacing
        before, after = np.maximum(0, -start), np.maximum(0, stop - body.voxels.shape)
        wide = np.pad(body.voxels, np.stack((before, after), axis=1), constant_values=FAR)
        self.field: Field = wide[tuple(slice(a, b) for a, b in zip(start + before, stop + before, strict=True))]
        self._to_ras = body.ijk_to_ras.copy()
        self._to_ras[:3, 3] = body.grid.ras_of(start[::-1])[0]
        self.low = np.full(3, room * spacing - wall)
        self.high = ((last - start) * spacing + wall)[::-1]
        self.levels = (np.arange(len(self.field), dtype=np.float32) * np.float32(spacing))[:, None, None]
        self._columns = (self.field < 0.0).any(axis=0)
        self.parting = self._parting().astype(np.float32)
        self.block = self._block()

    def height(self, x: float, y: float) -> float:
        """Height of the parting surface at a place."""
        place = [[y / self.spacing], [x / self.spacing]]
        return float(ndimage.map_coordinates(self.parting, place, order=1, mode="nearest")[0])

    def solid(self, field: Field) -> Manifold:
        """What a field on this grid bounds (RAS)."""
        return simplified(solid_of(surface_of(Volume(field, self._to_ras, "mould"))), MOST_TRIANGLES)

    def placed(self, part: Manifold) -> Manifold:
        """A part at its place (RAS)."""
        frame = self._to_ras[:3].copy()
        frame[:, :3] /= self.spacing
        return part.transform(frame)

    def corners(self, inset: float) -> Floats:
        """Places (4, 2) as far from two sides of the block."""
        return np.array(
            [
                (x, y)
                for x in (self.low[0] + inset, self.high[0] - inset)
                for y in (self.low[1] + inset, self.high[1] - inset)
            ]
        )

    def clear_of_cavity(self, pins: Floats, shape: MouldShape) -> float:
        """Least millimetres from a pin's hole to the cavity or to the block's outside."""
        radius = shape.pin_radius + shape.play
        away, _ = cKDTree(np.argwhere(self._columns)[:, ::-1] * self.spacing).query(pins)
        return float(min(away.min(), 0.5 * shape.wall) - radius)

    def channels(self) -> list[Manifold]:
        """The sprue over the implant's middle, and vents near the two ends of it."""
        columns = np.argwhere(self._columns)[:, ::-1] * self.spacing
        middle = columns.mean(axis=0)
        along = np.linalg.svd(columns - middle, full_matrices=False)[2][0]
        length = float(np.ptp((columns - middle) @ along))
        places = [middle, *(middle + share * length * along for share in VENT_PLACES)]
        radii = [SPRUE_RADII, (VENT_RADIUS, VENT_RADIUS), (VENT_RADIUS, VENT_RADIUS)]
        depth = ndimage.distance_transform_edt(self._columns, sampling=self.spacing)
        deep = np.argwhere(depth >= min(SPRUE_RADII[0] + 0.5, 0.9 * float(depth.max())))[:, ::-1] * self.spacing
        channels = []
        for place, (start, end) in zip(places, radii, strict=True):
            # Not at the rim: the deep place that is nearest to the one wanted.
            x, y = deep[np.argmin(((deep - place) ** 2).sum(axis=1))]
            foot = self.height(x, y)
            channels.append(Manifold.cylinder(self.high[2] + 1.0 - foot, start, end, SEGMENTS).translate((x, y, foot)))
        return channels

    def _parting(self) -> Floats:
        """Height (J, I) of the parting surface: half way between the implant's sides, and on from its silhouette."""
        inside = self.field < 0.0
        top = len(inside) - 1 - np.argmax(inside[::-1], axis=0)
        bottom = np.argmax(inside, axis=0)
        middle = 0.5 * self.spacing * (top + bottom)
        away, nearest = ndimage.distance_transform_edt(~self._columns, sampling=self.spacing, return_indices=True)
        heights = middle[tuple(nearest)]
        share = np.clip(away / FLATTEN_WITHIN, 0.0, 1.0)
        smooth = ndimage.gaussian_filter(heights, SMOOTHING / self.spacing, mode="nearest")
        return np.asarray(np.where(self._columns, middle, (1.0 - share) * heights + share * smooth))

    def _block(self) -> Field:
        """Signed millimetres to the block's sides (K, J, I), negative inside."""
        sides = []
        for axis, (low, high) in enumerate(zip(self.low[::-1], self.high[::-1], strict=True)):
            place = np.arange(self.field.shape[axis], dtype=np.float32) * np.float32(self.spacing)
            side = np.maximum(np.float32(low) - place, place - np.float32(high))
            sides.append(side.reshape([-1 if other == axis else 1 for other in range(3)]))
        return np.maximum(np.maximum(sides[0], sides[1]), sides[2])


def _pin(shape: MouldShape, play: float, foot: tuple[float, float, float]) -> Manifold:
    """A pin with a conical tip, its foot as deep in the lower half as it is high."""
    radius, height = shape.pin_radius + play, shape.pin_height
    tip = 0.5 * height
    shaft = Manifold.cylinder(height + tip + play, radius, -1.0, SEGMENTS).translate((0.0, 0.0, -height))
    cone = Manifold.cylinder(tip, radius, 0.6 * radius, SEGMENTS).translate((0.0, 0.0, tip + play))
    # Their hull, since the two discs where they meet would leave a seam.
    return (shaft + cone).hull().translate(foot)


def _largest(half: Manifold) -> Mesh:
    """The half without crumbs."""
    return clean_mesh_of(max(half.decompose(), key=lambda part: part.volume()))
