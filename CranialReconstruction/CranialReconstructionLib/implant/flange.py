"""An onlay rim: a sheet on the outer table around an implant, in one piece with it, for plates or screws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.outer_surface import OuterSurface, Tables, signed_area

Field = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

# Millimetres between a flange and the bone under it, and the depth to which it fills what lies beneath.
SEAT, SEAT_DEPTH = 0.05, 0.3
# Bone this far, mm, from the surface that goes on over the rim does not carry a flange: an orbit, another bone.
CARRIES = 1.2
# Gaps of the bone up to twice the first are spanned, parts of the flange up to twice the second left out, mm.
SPANNED, STRAND = 1.0, 2.0
# Millimetres of the implant's own border that the flange takes hold of, and twice its thickness more.
HOLD = 1.5
# Millimetres over which the flange follows the bone's bumps.
FOLLOWS = 1.5
# Share of its thickness for which there must be room over the bone.
ROOM = 0.9
# Share of the rim's surroundings that must carry it.
CARRIED = 0.25


def check_flange(design: Design) -> None:
    """Refuse a flange that cannot hold.

    Raises:
        UserError: it is thinner than the design's minimum wall.
    """
    if design.flange and design.flange_thickness < design.wall:
        raise UserError(
            f"a flange of {design.flange_thickness:g} mm is thinner than the minimum wall of {design.wall:g} mm of "
            f"{design.material}",
            where="design",
            remedy=f"Make it {design.wall:g} mm thick, lower minimum_wall, or take another material.",
        )


def onlay(
    width: float, thickness: float, outer: OuterSurface, tables: Tables, above: Field, clear: Field, footprint: Mask
) -> Field:
    """The flange as a field (K, J, I) in signed millimetres, negative inside; far from it, merely positive.

    It lies on the bone, ends ``width`` from the rim along the surface, or with the bone that carries it,
    in a rounded outline, and takes hold of the implant's outer surface.

    Args:
        width, thickness: millimetres.
        above: (K, J, I) millimetres above the outer surface.
        clear: (K, J, I) least distance to bone at or above each place, millimetres.
        footprint: (J, I) columns of the implant that it takes hold of.

    Raises:
        UserError: hardly any bone around the rim carries it.
    """
    spacing = outer.spacing
    around, bone, lift = _seat(outer, tables, width)
    normal = np.stack((-outer.slope[0], -outer.slope[1], np.ones_like(lift))) / np.sqrt(1.0 + (outer.slope**2).sum(0))
    # What another bone above or beside it leaves no room for, the flange does not cover either.
    row, column = np.indices(lift.shape)
    surface = np.stack((column, row, outer.height / spacing))
    top = SEAT + thickness
    i, j, k = surface + (lift + top) * normal / spacing
    room = ndimage.map_coordinates(clear, (k, j, i), order=1, mode="nearest") - SEAT
    hold = HOLD + 2.0 * thickness
    carried = _carried(outer, around, bone, room > ROOM * thickness, hold)
    within = signed_area(footprint, spacing)
    ring = np.maximum(signed_area(carried, spacing), -within - hold)
    rise = top + CARRIES
    k, j, i = np.nonzero((above > -CARRIES) & (above < rise + 2.0 * spacing) & (ring < rise + 2.0 * spacing))
    height = above[k, j, i]
    foot = np.stack((i, j), axis=1) * spacing - height[:, None] * normal[:2, j, i].T
    seat = outer.at(lift, foot)
    # Over bone it rests on the bone, over the gap it starts at the outer surface, and it reaches into the implant.
    bite = min(1.0, 0.5 * float(outer.thickness.min())) * np.clip(-outer.at(within, foot) / spacing, 0.0, 1.0)
    floor = seat - SEAT_DEPTH * np.clip(outer.at(outer.opening, foot), 0.0, 1.0) - bite
    sheet = np.maximum(np.maximum(height - seat - top, floor - height), outer.at(ring, foot))
    result = np.full_like(above, np.float32(rise))
    result[k, j, i] = np.maximum(sheet, SEAT - clear[k, j, i])
    return result


def _seat(outer: OuterSurface, tables: Tables, width: float) -> tuple[Mask, Mask, Floats]:
    """Columns (J, I) around the rim, those of them with bone to lie on, and millimetres from surface to seat."""
    spacing = outer.spacing
    steep = np.sqrt(1.0 + (outer.slope**2).sum(0))
    offset = (tables.outer - outer.height) / steep
    missing = outer.opening <= 0.0
    around = (outer.opening > 0.0) & (outer.opening <= width)
    around[around] = _along_surface(outer, around) <= width
    bone = around & tables.bone & (np.abs(offset) < CARRIES)
    if bone.sum() < CARRIED * around.sum():
        raise UserError(
            f"only {100.0 * bone.sum() / max(around.sum(), 1):.0f} % of a flange would lie on bone",
            where="design",
            remedy="Make the flange narrower, or leave it out.",
        )
    offset = np.where(bone, offset, 0.0)
    weight = (bone | missing).astype(np.float64)
    sigma = FOLLOWS / spacing
    lift = ndimage.gaussian_filter(offset, sigma) / np.maximum(ndimage.gaussian_filter(weight, sigma), 1e-3)
    # Where a bump stands out of the smooth seat, the seat is lifted over it.
    bumps = ndimage.maximum_filter(np.where(bone, np.maximum(offset - lift, 0.0), 0.0), 2 * round(1.2 / spacing) + 1)
    return around, bone, lift + ndimage.gaussian_filter(bumps, 0.3 * sigma)


def _carried(outer: OuterSurface, around: Mask, bone: Mask, free: Mask, hold: float) -> Mask:
    """Columns (J, I) over which the flange lies, on bone and over the opening: no strands, no narrow slits."""
    spacing = outer.spacing
    missing = outer.opening <= 0.0
    closed = _closed(missing | (bone & free), SPANNED / spacing) & (missing | (around & free))
    on_bone = _opened(closed, STRAND / spacing) & ~missing
    labels, _ = ndimage.label(on_bone | missing)
    on_bone &= np.isin(labels, np.unique(labels[missing]))
    if not on_bone.any():
        return on_bone
    # Where no bone carries it, it does not run along the rim either.
    return on_bone | (missing & (ndimage.distance_transform_edt(~on_bone, sampling=spacing) <= 2.0 * hold))


def _along_surface(outer: OuterSurface, where: npt.NDArray[np.bool_]) -> Floats:
    """Millimetres (N,) from columns to the rim in space: within a flange's width as good as along the surface."""
    spacing = outer.spacing
    rim = (outer.opening <= 0.0) & (outer.opening > -1.5 * spacing)

    def places(columns: Mask) -> Floats:
        return np.column_stack((np.argwhere(columns)[:, ::-1] * spacing, outer.height[columns]))

    away, nearest = cKDTree(places(rim)).query(places(where))
    return np.asarray(away + outer.opening[rim][nearest])


def _closed(area: Mask, radius: float) -> Mask:
    """Closed with a disc of ``radius`` columns."""
    wide = ndimage.distance_transform_edt(~area) <= radius
    return np.asarray(ndimage.distance_transform_edt(wide) > radius)


def _opened(area: Mask, radius: float) -> Mask:
    """Opened with a disc of ``radius`` columns."""
    core = ndimage.distance_transform_edt(area) > radius
    return np.asarray(ndimage.distance_transform_edt(~core) <= radius)
