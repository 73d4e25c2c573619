"""From a skull with missing bone to the body of its implant, as a signed distance field.

An implant is what lies below the outer surface, above the inner one, at least the gap away from bone, and is met
by no bone on its way in. Each of these is a distance in millimetres; the largest of them is the field.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.pooling import bone_box
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.implant.bone_field import Surface, crop_around, distance_field, half_surface, share_on
from CranialReconstructionLib.implant.design import Design, Vector
from CranialReconstructionLib.implant.edges import rounded, upright
from CranialReconstructionLib.implant.flange import check_flange, onlay
from CranialReconstructionLib.implant.gap import GapStatistics, gap_statistics
from CranialReconstructionLib.implant.insertion import (
    Insertion,
    bench_grid,
    drafted,
    insertion_of,
    least_above,
)
from CranialReconstructionLib.implant.outer_surface import (
    BONE_RING,
    OuterSurface,
    Rim,
    Tables,
    faired_outer,
    read_tables,
    rim_of,
)
from CranialReconstructionLib.implant.thin_walls import without_thin_walls

Field = npt.NDArray[np.float32]

# Millilitres: a smaller part of a defect gets no implant.
SMALLEST_PART = 0.3
# Millimetres of surroundings on the bench, and beyond a flange.
MARGIN, FLANGE_MARGIN = 8.0, 5.0
# Millimetres by which an implant may leave the missing outer table where no bone stops it.
FREE_EDGE = 0.5
# Millimetres: further than this no field is exact.
BAND = 3.0
# Shares of the body that the gap, and the way in, must leave.
LEFT_BY_GAP, LEFT_BY_AXIS = 0.3, 0.5
# Millimetres above the minimum wall that walls keep where they can: meshing costs some hundredths.
SPARE = 0.1
# Millimetres by which a wall may lie off the surface that places it.
PLACED = 0.05
# Share of the opening that may be thinner than the minimum wall before inner_clearance is refused.
THIN_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Solid:
    """One implant, not yet a mesh.

    Attributes:
        field: float32 (K, J, I) millimetres, negative inside, clipped some millimetres off the surface; the bench:
            isotropic, K pointing out of the head against the axis.
        bone: float32 on the same grid, signed millimetres to the bone, negative inside.
        axis: from outside to inside, RAS unit vector.
        insertion: how the axis was found.
        outer: the outer surface, with the thickness and the opening as maps.
        rim: step and angle of the outer surface at the bone.
        gap: to the bone at the walls.
        undercut: millilitres that the way in takes from the body; bevel and feather edges included.
        undercut_at: RAS middle of what was taken; None if nothing.
        collision: millilitres of the implant that would still meet bone on the way in.
        missing: millilitres of the missing bone.
    """

    field: Volume
    bone: Volume
    axis: Vector
    insertion: Insertion
    outer: OuterSurface
    rim: Rim
    gap: GapStatistics
    undercut: float
    undercut_at: Vector | None
    collision: float
    missing: float

    @property
    def volume(self) -> float:
        """Millilitres of the body, to a few tenths of a per cent."""
        spacing = self.field.spacing[0]
        share = np.clip(0.5 - self.field.voxels / spacing, 0.0, 1.0)
        return float(share.sum(dtype=np.float64)) * spacing**3 / 1000.0


def split_defect(defect: Volume) -> tuple[list[Volume], list[float]]:
    """The connected parts of a defect, largest first, and the millilitres of each one too small for an implant."""
    box = bone_box(defect)
    if box is None:
        return [], []
    window = tuple(slice(first, end) for first, end in zip(*box, strict=True))
    labels, count = ndimage.label(defect.voxels[window] > 0, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:] * defect.grid.voxel_volume / 1000.0
    order = np.argsort(-sizes, kind="stable")
    parts = []
    for n in order[sizes[order] >= SMALLEST_PART]:
        part = np.zeros(defect.voxels.shape, dtype=bool)
        part[window] = labels == 1 + n
        parts.append(defect.with_voxels(part))
    return parts, [float(sizes[n]) for n in order if sizes[n] < SMALLEST_PART]


def implant_solids(
    skull: Volume,
    defect: Volume,
    design: Design,
    confidence: Volume | None = None,
    report: Callable[[str], None] = lambda stage: None,
) -> list[Solid]:
    """One solid for each connected part of the defect, of masks that ``check_input`` has passed.

    Args:
        skull: mask of the bone that is there.
        defect: mask of the bone that is missing, on the same grid.
        confidence: 0 to 1 on the same grid, from which the surface is cut below the voxel size.
        report: called with what is under way.

    Raises:
        UserError: the defect is too small, or no implant of this design can be built or inserted.
    """
    parts, _ = split_defect(defect)
    if not parts:
        raise UserError(
            f"no part of the defect reaches {SMALLEST_PART:g} ml",
            where=defect.name,
            remedy="Check that the mask marks the missing bone.",
        )
    solids = []
    for number, part in enumerate(parts, 1):
        of = f" of implant {number} of {len(parts)}" if len(parts) > 1 else ""
        solids.append(_solid(skull, part, design, confidence, report, of))
    return solids


@dataclass(frozen=True, eq=False)
class Bench:
    """What the body is cut from: columns in which it may lie, and distances there."""

    outer: OuterSurface
    bone: Field
    surface: Surface
    above: Field  # millimetres above the outer surface, along its normal
    inner: Field  # millimetres beyond the inner surface
    edge: Field  # (J, I) millimetres beyond where the body may reach

    @property
    def spacing(self) -> float:
        return self.outer.spacing


def _solid(
    skull: Volume,
    part: Volume,
    design: Design,
    confidence: Volume | None,
    report: Callable[[str], None],
    of: str,
) -> Solid:
    report("insertion axis" + of)
    insertion = insertion_of(skull, part, design.axis)
    check_flange(design)
    margin = max(MARGIN, design.flange.width + FLANGE_MARGIN if design.flange else 0.0)
    grid = bench_grid(part, insertion.axis, margin, thinnest_sheet(design))
    report("outer surface" + of)
    with ThreadPoolExecutor(2) as pool:
        shares = pool.map(lambda volume: share_on(grid, volume), (skull, with_missing(skull, part, confidence, grid)))
        bone_share, whole_share = shares
    tables = read_tables(bone_share, whole_share, grid.spacing[0])
    outer = faired_outer(tables, grid, max(BONE_RING, design.flange.width + 2.0 if design.flange else 0.0))
    outer = replace(outer, thickness=thickness_of(outer, design))
    report("distances" + of)
    bench = bench_of(outer, bone_share, design)
    report("body" + of)
    body, barrier, undercut, undercut_at = body_of(bench, whole_share - bone_share > 0.5, design)
    bone = Volume(bench.bone, grid.ijk_to_ras, "bone")
    gap = _gap_statistics(body, barrier, bench, design)
    body = _with_flange(body, bench, tables, design)
    met = (body < 0.0) & (least_above(bench.bone) < 0.0)
    return Solid(
        field=Volume(body, grid.ijk_to_ras, "implant"),
        bone=bone,
        axis=_vector(insertion.axis),
        insertion=insertion,
        outer=outer,
        rim=rim_of(outer, tables),
        gap=gap,
        undercut=undercut,
        undercut_at=undercut_at,
        collision=float(met.sum()) * grid.voxel_volume / 1000.0,
        missing=float(np.count_nonzero(part.voxels)) * part.grid.voxel_volume / 1000.0,
    )


def with_missing(skull: Volume, part: Volume, confidence: Volume | None, grid: Grid) -> Volume:
    """Bone and missing bone around the bench, 0 to 1."""
    bone, missing = crop_around(skull, grid), crop_around(part, grid).voxels > 0
    added = missing.astype(np.float32)
    if confidence is not None:
        around = ndimage.binary_dilation(missing, iterations=2)
        added = np.where(around, crop_around(confidence, grid).voxels, 0.0).astype(np.float32)
    return bone.with_voxels(np.maximum(bone.voxels > 0, added))


def thickness_of(outer: OuterSurface, design: Design) -> npt.NDArray[np.float64]:
    """Thickness of the implant (J, I), millimetres along the normal."""
    bone, wall = outer.bone_thickness, design.wall
    anatomical = np.maximum(bone, wall + SPARE)
    wanted = anatomical if design.constant_thickness is None else np.full_like(bone, design.constant_thickness)
    if design.inner_clearance > 0.0:
        room = bone - design.inner_clearance
        within = outer.opening < 0.0
        if (room[within] < wall).mean() > THIN_SHARE:
            raise UserError(
                f"{design.inner_clearance:g} mm of inner clearance leave less than the minimum wall of {wall:g} mm "
                f"where the bone is {float(np.percentile(bone[within], 5)):.1f} mm thick",
                where="design",
                remedy="Lower inner_clearance, or the minimum wall.",
            )
        wanted = np.minimum(wanted, room)
    return np.maximum(wanted, wall)


def thinnest_sheet(design: Design) -> float:
    """Millimetres of the thinnest sheet that the design asks for."""
    sheet = design.constant_thickness or design.wall + (0.0 if design.inner_clearance else SPARE)
    return min(sheet, _flange_height(design)) if design.flange else sheet


def _flange_height(design: Design) -> float:
    """Millimetres of the onlay rim's thickness, as it is built."""
    return max(design.flange_thickness, design.wall + SPARE)


def _least_wall(design: Design) -> float:
    """Millimetres under which no wall of the body may be."""
    return min(design.wall + SPARE, thinnest_sheet(design))


def bench_of(outer: OuterSurface, bone_share: Field, design: Design) -> Bench:
    """The bench of an outer surface over the bone's share (K, J, I)."""
    spacing = outer.spacing
    overlap = design.flange.width if design.flange else 0.0
    level = np.arange(len(bone_share), dtype=np.float32)[:, None, None] * np.float32(spacing)
    steep = np.sqrt(1.0 + (outer.slope**2).sum(0))
    # Beyond the walls a flange lies on the outer table, and nothing deeper is asked for.
    depth = np.where(outer.opening < FREE_EDGE + BAND, outer.thickness + BAND, 2.0 * spacing) * steep
    rise = (BAND + (_flange_height(design) if design.flange else 0.0)) * steep
    near = (outer.opening < FREE_EDGE + BAND + overlap) & (level > (outer.height - depth).astype(np.float32))
    near &= level < (outer.height + rise).astype(np.float32)
    # A bevel moves the walls away from the bone by more the deeper they lie.
    moved = float(np.max(outer.thickness)) * float(np.tan(np.radians(design.bevel)))
    k, j, i = np.nonzero(near)
    with ThreadPoolExecutor(1) as pool:
        placed = pool.submit(outer.above, np.stack((i, j, k), axis=1) * spacing)
        bone, surface = distance_field(bone_share, spacing, near, design.gap + moved + BAND / 2.0, design.gap)
        height, foot = placed.result()
    above = np.where(level > outer.height.astype(np.float32), np.float32(BAND), np.float32(-BAND))
    inner = -above
    above[k, j, i] = height
    inner[k, j, i] = -height - outer.at(outer.thickness, foot * spacing)
    return Bench(outer, bone, surface, above, inner, (outer.opening - FREE_EDGE).astype(np.float32))


def body_of(bench: Bench, missing: npt.NDArray[np.bool_], design: Design) -> tuple[Field, Field, float, Vector | None]:
    """The body, the barrier of bone that it keeps off, and the millilitres and place that the way in takes.

    Args:
        missing: (K, J, I) where bone is missing.

    Raises:
        UserError: the gap, or the way in, leaves too little of it.
    """
    voxel = bench.spacing**3 / 1000.0
    between = np.maximum(bench.above, bench.inner)
    wall = np.float32(design.gap) - bench.bone
    barrier = np.float32(design.gap) - least_above(bench.bone)
    if design.bevel > 0.0:
        barrier = np.maximum(barrier, drafted(wall, bench.above < 0.0, bench.spacing, design.bevel))
    barrier = upright(np.maximum(barrier, bench.edge), bench.above, bench.inner, bench.outer, design.wall)
    body = np.maximum(between, barrier)
    # Bone may be missing under bone too, where the outer table above it is whole.
    filling = (between < 0.0) & ((bench.edge < 0.0) | missing) & (bench.bone > 0.0)
    fitting = filling & (wall < 0.0)
    entering = body < 0.0
    if fitting.sum() < LEFT_BY_GAP * max(filling.sum(), 1):
        raise UserError(
            f"a gap of {design.gap:g} mm leaves {fitting.sum() * voxel:.2f} ml of an implant of "
            f"{filling.sum() * voxel:.2f} ml",
            where="design",
            remedy="Choose a smaller gap.",
        )
    if entering.sum() < LEFT_BY_AXIS * fitting.sum():
        raise UserError(
            f"along this axis, with a bevel of {design.bevel:g} degrees, only {entering.sum() * voxel:.2f} ml of "
            f"{fitting.sum() * voxel:.2f} ml can go in",
            where="design",
            remedy="Choose another axis or none, and a smaller bevel.",
        )
    body = in_one_piece(without_thin_walls(body, bench.spacing, _least_wall(design)), bench.spacing)
    taken = fitting & (body >= 0.0)
    middle = None
    if taken.any():
        places = np.argwhere(taken)[:, ::-1].mean(0)
        middle = _vector(bench.outer.grid.ras_of(places)[0])
    body = rounded(np.clip(body, -BAND, BAND), bench.outer, thinnest_sheet(design))
    return body, barrier, float(taken.sum()) * voxel, middle


def in_one_piece(body: Field, spacing: float) -> Field:
    """The largest connected part of the body alone."""
    labels, count = ndimage.label(body < 0.0)
    if count < 2:
        return body
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.where((labels > 0) & (labels != largest), np.float32(0.5 * spacing), body)


def _with_flange(body: Field, bench: Bench, tables: Tables, design: Design) -> Field:
    """The body with its flange, if it is to have one."""
    if not design.flange:
        return body
    footprint = np.asarray((body < 0.0).any(0))
    clear = least_above(bench.bone)
    sheet = onlay(design.flange.width, _flange_height(design), bench.outer, tables, bench.above, clear, footprint)
    # Parts of the onlay that hang together with nothing, over a groove or a neighbouring bone, are left out.
    joined = without_thin_walls(np.minimum(body, sheet), bench.spacing, design.wall)
    body = in_one_piece(joined, bench.spacing)
    return rounded(np.clip(body, -BAND, BAND), bench.outer, thinnest_sheet(design))


def _gap_statistics(body: Field, barrier: Field, bench: Bench, design: Design) -> GapStatistics:
    """The gap, measured from the body's own surface to the bone's."""
    spacing = bench.spacing
    points = half_surface(-body, spacing, 0.0).points

    def at(field: Field) -> npt.NDArray[np.float64]:
        return ndimage.map_coordinates(field, points[:, ::-1].T / spacing, order=1, mode="nearest")

    clear = min(0.8 * spacing, 0.25 * thinnest_sheet(design))
    on_wall = (at(bench.above) < -clear) & (at(bench.inner) < -clear) & (bench.outer.at(bench.edge, points) < -0.1)
    if not on_wall.any():
        raise UserError(
            "no wall of the implant faces bone",
            where="defect",
            remedy="Check that the defect lies in this skull, and that it is not larger than the bone around it.",
        )
    distance = bench.surface.distance(points[on_wall])
    held = at(barrier)
    # Behind the barrier's own surface, the rounding of an edge or of a feather places the wall.
    moved = ((held - (design.gap - at(bench.bone)) > PLACED) | (held < -PLACED))[on_wall]
    places = bench.outer.grid.ras_of(points[on_wall] / spacing)
    return gap_statistics(distance, moved, places, design.gap)


def _vector(values: npt.NDArray[np.floating]) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
