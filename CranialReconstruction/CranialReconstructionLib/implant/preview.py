"""An implant's shape at reduced detail, made anew in a fraction of a second when its design changes.

It goes the way of ``solid`` on voxels of a millimetre or more. What does not depend on the design is kept. A sheet
thinner than these voxels is made thicker, and its surface is pressed to the true thickness in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import block_reduce

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.implant.bone_field import crop_around, share_on
from CranialReconstructionLib.implant.design import Design, Vector
from CranialReconstructionLib.implant.flange import check_flange, onlay
from CranialReconstructionLib.implant.input_checks import check_input
from CranialReconstructionLib.implant.insertion import Insertion, bench_grid, insertion_of, least_above
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.meshing import surface_of
from CranialReconstructionLib.implant.outer_surface import (
    BONE_RING,
    OuterSurface,
    Tables,
    crossing,
    faired_outer,
    read_tables,
)
from CranialReconstructionLib.implant.preview_holes import drilled
from CranialReconstructionLib.implant.solid import (
    FLANGE_MARGIN,
    MARGIN,
    SMALLEST_PART,
    bench_of,
    body_of,
    in_one_piece,
    split_defect,
    thickness_of,
    thinnest_sheet,
    with_missing,
)

Field = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating]
Report = Callable[[str], None]

# Voxels that the thinnest sheet must hold to have its two sides in the right places.
SHEET_VOXELS = 2.0
# The same for a flange, which takes the more hold of the implant the thicker it is made.
FLANGE_VOXELS = 1.25
# Millimetres about a defect that the widest flange may ask for.
SURROUNDINGS = 40.0
# Millimetres between the nodes of the outer surface.
FINEST = 2.4
# Millimetres between the voxels by which a given axis is judged.
LATTICE = 2.0
# How many outer surfaces are kept, for an axis or a flange that is tried and left again.
KEPT = 4


@dataclass(frozen=True, eq=False)
class Preview:
    """One implant at reduced detail.

    Attributes:
        mesh: its surface, RAS millimetres.
        thickness: millimetres (V,) along the surface's normal at its vertices; NaN along its border.
        axis: from outside to inside, RAS unit vector; found by itself if the design gives none.
        centre: a place on the outer surface near its middle, RAS.
        undercut, collision, volume: millilitres, as of ``Solid``; the volume without its holes.
        thinnest: millimetres, under the opening and further from its border than the minimum wall; NaN if nothing is.
        holes_left_out: single holes and holes of the pattern without room.
    """

    mesh: Mesh
    thickness: npt.NDArray[np.float64]
    axis: Vector
    centre: Vector
    undercut: float
    collision: float
    volume: float
    thinnest: float
    holes_left_out: int


class Previews:
    """The implants of one skull and defect, for one design after another.

    Args:
        skull, defect, confidence: as of ``make_implants``.
        spacing: millimetres of the voxels.

    Raises:
        UserError: the masks do not belong together, or no part of the defect is large enough.
    """

    def __init__(
        self, skull: Volume, defect: Volume, confidence: Volume | None, spacing: float, report: Report
    ) -> None:
        report("check")
        self.warnings = check_input(skull, defect, confidence)
        parts, _ = split_defect(defect)
        if not parts:
            raise UserError(
                f"no part of the defect reaches {SMALLEST_PART:g} ml",
                where=defect.name,
                remedy="Check that the mask marks the missing bone.",
            )
        self._sites = []
        for part in parts:
            report("sample")
            self._sites.append(_Site(skull, part, confidence, spacing))

    def of(self, design: Design, report: Report) -> list[Preview]:
        """One preview for each implant, the largest first.

        Raises:
            UserError: no implant of this design can be built or inserted.
        """
        check_flange(design)
        return [site.preview(design, report) for site in self._sites]


@dataclass(frozen=True, eq=False)
class _Ground:
    """What is there before the design has a say."""

    bone: Field
    whole: Field
    tables: Tables
    outer: OuterSurface


class _Site:
    """One connected part of the defect and the bone around it, on coarse voxels."""

    def __init__(self, skull: Volume, part: Volume, confidence: Volume | None, spacing: float) -> None:
        self._spacing = spacing
        around = _box_around(part, SURROUNDINGS)
        self._bone = _pooled(crop_around(skull, around), spacing)
        self._whole = _pooled(with_missing(skull, part, confidence, around), spacing)
        self._part = _pooled(crop_around(part, around), spacing)
        self._found = insertion_of(skull, part, None)
        self._sampled = _strided(skull), _strided(part)
        self._grounds: dict[tuple[Vector, float], _Ground] = {}

    def preview(self, design: Design, report: Report) -> Preview:
        report("insertion axis")
        insertion = self._found if design.axis is None else insertion_of(*self._sampled, design.axis)
        report("outer surface")
        ground = self._ground(insertion, design)
        thickness = thickness_of(ground.outer, design)
        outer = replace(ground.outer, thickness=np.maximum(thickness, SHEET_VOXELS * self._spacing))
        report("distances")
        bench = bench_of(outer, ground.bone, design)
        report("body")
        body, _, undercut, _ = body_of(bench, ground.whole - ground.bone > 0.5, design)
        clear = least_above(bench.bone)
        rise = 1.0
        if design.flange:
            report("flange")
            onlaid = max(design.flange_thickness, FLANGE_VOXELS * self._spacing)
            rise = design.flange_thickness / onlaid
            footprint = np.asarray((body < 0.0).any(0))
            sheet = onlay(design.flange.width, onlaid, outer, ground.tables, bench.above, clear, footprint)
            body = in_one_piece(np.minimum(body, sheet), outer.spacing)
        report("surface")
        pressing = _Pressing(outer, thickness / outer.thickness, rise)
        mesh = pressing.pressed(surface_of(Volume(body, outer.grid.ijk_to_ras, "preview")))
        columns = pressing.thickness(body)
        volume, left_out = mesh.volume / 1000.0, 0
        if design.holes or design.perfusion:
            report("holes")
            mesh, left_out = drilled(mesh, outer, columns, design, insertion.axis)
        share = float((thickness / outer.thickness)[outer.opening < 0.0].mean())
        met = float(((body < 0.0) & (clear < 0.0)).sum()) * outer.grid.voxel_volume / 1000.0
        feet = outer.above(outer.grid.ijk_of(mesh.vertices) * outer.spacing)[1] * outer.spacing
        shown = np.where(ndimage.binary_erosion(columns > 0.0), columns, np.nan)
        return Preview(
            mesh=mesh,
            thickness=np.asarray(outer.at(shown, feet), dtype=np.float64),
            axis=_vector(insertion.axis),
            centre=_middle(outer),
            undercut=share * undercut,
            collision=share * met,
            volume=volume,
            thinnest=_thinnest_of(np.where(outer.opening < 0.0, columns, 0.0), design.wall, outer.spacing),
            holes_left_out=left_out,
        )

    def _ground(self, insertion: Insertion, design: Design) -> _Ground:
        flange = design.flange.width if design.flange else 0.0
        key = (_vector(insertion.axis), flange)
        if key not in self._grounds:
            margin = max(MARGIN, flange + FLANGE_MARGIN if flange else 0.0)
            grid = bench_grid(self._part, insertion.axis, margin, thinnest_sheet(design), self._spacing)
            bone, whole = share_on(grid, self._bone), share_on(grid, self._whole)
            tables = read_tables(bone, whole, grid.spacing[0])
            outer = faired_outer(tables, grid, max(BONE_RING, flange + 2.0 if flange else 0.0), FINEST)
            while len(self._grounds) >= KEPT:
                del self._grounds[next(iter(self._grounds))]
            self._grounds[key] = _Ground(bone, whole, tables, outer)
        return self._grounds[key]


@dataclass(frozen=True, eq=False)
class _Pressing:
    """From a body that its voxels could hold to the thickness that it is to have.

    Attributes:
        outer: the outer surface, which stays.
        sink: (J, I) the share of its depth that a place under the outer surface keeps.
        rise: the same above it.
    """

    outer: OuterSurface
    sink: Floats
    rise: float

    def pressed(self, mesh: Mesh) -> Mesh:
        if self.rise == 1.0 and bool((self.sink == 1.0).all()):
            return mesh
        outer = self.outer
        height, foot = outer.above(outer.grid.ijk_of(mesh.vertices) * outer.spacing)
        kept = np.where(height < 0.0, outer.at(self.sink, foot * outer.spacing), self.rise)
        moved = (height * (kept - 1.0))[:, None] * outer.normals_at(mesh.vertices)
        return Mesh(mesh.vertices + moved, mesh.triangles)

    def thickness(self, body: Field) -> npt.NDArray[np.float64]:
        """Millimetres (J, I) of the pressed body in each column, along the outer surface's normal; 0 beside it."""
        spacing, inside = self.outer.spacing, body < 0.0
        share = np.float32(0.5) - body / np.float32(spacing)
        sides = []
        for from_top in (True, False):
            side, covered = crossing(share, inside, spacing, from_top)
            height = side - self.outer.height
            sides.append(height * np.where(height < 0.0, self.sink, self.rise))
        steep = np.sqrt(1.0 + (self.outer.slope**2).sum(0))
        return np.where(covered, (sides[0] - sides[1]) / steep, 0.0)


def _thinnest_of(columns: Floats, wall: float, spacing: float) -> float:
    inwards = ndimage.distance_transform_edt(columns > 0.0, sampling=spacing)
    # Edges are no sharper than that a millimetre inwards is one of thickness.
    interior = inwards > max(wall, 2.0 * spacing)
    return float(columns[interior].min()) if interior.any() else float("nan")


def _middle(outer: OuterSurface) -> Vector:
    """The place on the outer surface over the column of the opening nearest to its middle, RAS."""
    missing = np.argwhere(outer.opening < 0.0)
    j, i = missing[np.argmin(((missing - missing.mean(0)) ** 2).sum(1))]
    return _vector(outer.grid.ras_of([i, j, outer.height[j, i] / outer.spacing])[0])


def _box_around(part: Volume, margin: float) -> Grid:
    """The part of the mask's own grid within ``margin`` millimetres of what it marks."""
    (box,) = ndimage.find_objects((part.voxels > 0).view(np.uint8))
    reach = np.ceil(margin / np.array(part.spacing[::-1])).astype(int)
    start = np.maximum([side.start for side in box] - reach, 0)
    stop = np.minimum([side.stop for side in box] + reach, part.voxels.shape)
    k, j, i = (int(first) for first in start)
    depth, height, width = (int(length) for length in stop - start)
    return part.grid.cropped((k, j, i), (depth, height, width))


def _pooled(volume: Volume, spacing: float) -> Volume:
    """Means (float32) over blocks of voxels no longer than ``spacing`` millimetres."""
    factors = np.array([max(1, int(spacing / length + 1e-6)) for length in volume.spacing[::-1]])
    means = block_reduce(volume.voxels.astype(np.float32), tuple(factors), np.mean)
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, :3] *= factors[::-1]
    matrix[:3, 3] = volume.grid.ras_of((factors[::-1] - 1) / 2.0)[0]
    return Volume(means, matrix, volume.name)


def _strided(mask: Volume) -> Volume:
    """The mask's voxels on a lattice."""
    steps = np.maximum(1, np.rint(LATTICE / np.array(mask.spacing[::-1]))).astype(int)
    matrix = mask.ijk_to_ras.copy()
    matrix[:3, :3] *= steps[::-1]
    return Volume(mask.voxels[:: steps[0], :: steps[1], :: steps[2]].copy(), matrix, mask.name)


def _vector(values: Floats) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
