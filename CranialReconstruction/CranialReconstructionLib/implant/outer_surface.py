"""The outer surface of an implant: the missing outer table, made to continue the bone around it.

All of it is a height over the plane across the insertion axis, on the bench: I and J across, K out of the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Grid
from CranialReconstructionLib.implant.fairing import FINEST, Dome, fit_dome, thin_plate

Floats = npt.NDArray[np.floating]

# Millimetres over which the plate leaves the bone's steps, and the reconstruction's, behind.
BONE_SOFTNESS, DEFECT_SOFTNESS, THICKNESS_SOFTNESS = 2.0, 4.0, 3.0
# Millimetres of reconstruction at the rim that are not held to, and of bone beyond it that are.
FREE_RIM, BONE_RING = 2.5, 8.0
# The outer table is looked for this far, mm, about the dome at the rim, and this much further a millimetre outside.
WINDOW, WIDENING = 4.0, 0.3
# Nothing is missing under this, millimetres: depth at which a surface is asked whose it is.
PROBE = 0.7
# Millimetres on each side of the rim over which step and angle are read.
READ_FROM, READ_TO = 1.0, 5.0


@dataclass(frozen=True, eq=False)
class Rim:
    """How the implant's outer surface meets the bone's, along the rim.

    Attributes:
        places: (N, 3) RAS millimetres.
        step: (N,) millimetres, positive where the implant stands out.
        angle: (N,) degrees between both surfaces, across the rim.
    """

    places: Floats
    step: Floats
    angle: Floats


@dataclass(frozen=True, eq=False)
class OuterSurface:
    """The faired outer table over the bench's columns.

    Attributes:
        grid: the bench.
        dome: the vault without its detail, over the same columns.
        height: (J, I) millimetres from the bench's lowest voxels.
        slope: (2, J, I) its derivatives along I and J.
        opening: (J, I) millimetres across the axis to the missing outer table, negative within.
        thickness: (J, I) of the implant, millimetres along the normal, inwards.
        bone_thickness: (J, I) of the missing bone in the same way.
    """

    grid: Grid
    dome: Dome
    height: Floats
    slope: Floats
    opening: Floats
    thickness: Floats
    bone_thickness: Floats

    @property
    def spacing(self) -> float:
        """Edge of the bench's voxels, millimetres."""
        return self.grid.spacing[0]

    def above(self, places: Floats) -> tuple[Floats, Floats]:
        """Millimetres above the surface along its normal (M,), and the columns (M, 2: i, j) of the feet.

        Args:
            places: (M, 3) millimetres along I, J, K from the bench's first voxel.
        """
        x, y, z = np.ascontiguousarray(places.T, dtype=np.float64)
        foot_x, foot_y, height = x, y, np.zeros(len(places))
        for _ in range(3):
            column = foot_x / self.spacing, foot_y / self.spacing
            ground, slope_x, slope_y = _read_all((self.height, *self.slope), *column)
            steep = np.sqrt(1.0 + slope_x**2 + slope_y**2)
            height = (z - ground - (x - foot_x) * slope_x - (y - foot_y) * slope_y) / steep
            foot_x, foot_y = x + height * slope_x / steep, y + height * slope_y / steep
        return height, np.stack((foot_x, foot_y), axis=1) / self.spacing

    def at(self, image: Floats, places: Floats) -> Floats:
        """Values (M,) of a map (J, I) at places (M, 2+) in millimetres along I, J."""
        column = places[:, 1::-1].T / self.spacing
        return np.asarray(ndimage.map_coordinates(image, column, order=1, mode="nearest"))

    def distance_of(self, ras: Floats) -> Floats:
        """Millimetres (M,) above the surface of RAS places (M, 3); negative inwards."""
        return self.above(self.grid.ijk_of(ras) * self.spacing)[0]

    def normals_at(self, ras: Floats) -> Floats:
        """Outward unit normals (M, 3), RAS, of the surface over the columns of RAS places (M, 3)."""
        local = self.grid.ijk_of(ras) * self.spacing
        slope = [self.at(image, local) for image in self.slope]
        normal = np.stack((-slope[0], -slope[1], np.ones(len(local))), axis=1)
        turned = normal @ (self.grid.ijk_to_ras[:3, :3] / self.spacing).T
        return turned / np.linalg.norm(turned, axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Tables:
    """What the bench's columns show of the tables, heights in millimetres (J, I).

    Attributes:
        outer: of the outer table, present or missing.
        missing: columns where the outer table is missing.
        bone: columns where it is there.
        inner: of the inner table, under missing bone.
        inner_missing: columns where the inner table is missing and seen.
    """

    outer: Floats
    missing: npt.NDArray[np.bool_]
    bone: npt.NDArray[np.bool_]
    inner: Floats
    inner_missing: npt.NDArray[np.bool_]


def read_tables(bone: npt.NDArray[np.float32], whole: npt.NDArray[np.float32], spacing: float) -> Tables:
    """The tables of ``whole`` (bone and missing bone) from shares (K, J, I) on the bench.

    Raises:
        UserError: no missing bone is left at the bench's sampling.
    """
    levels, rows, columns = whole.shape
    missing_share = whole - bone
    missing = missing_share > 0.5
    covered = missing.any(0)
    if covered.sum() < 50:
        raise UserError(
            "there is too little missing bone to build an implant from",
            where="defect",
            remedy="Check that the defect mask belongs to this skull.",
        )
    top = levels - 1 - np.argmax(missing[::-1], axis=0)
    j, i = np.nonzero(covered)
    dome = fit_dome(np.stack((i, j, top[covered]), axis=1).astype(np.float64) * spacing)
    row, column = np.indices((rows, columns)) * spacing
    expected = dome.height(column, row)
    beyond = ndimage.distance_transform_edt(~covered, sampling=spacing)
    half = WINDOW + WIDENING * beyond
    level = np.arange(levels, dtype=np.float32)[:, None, None] * np.float32(spacing)
    solid = whole > 0.5
    within = np.abs(level - expected.astype(np.float32)) < half.astype(np.float32)
    outer, found = crossing(whole, solid & within, spacing, from_top=True)
    outermost = found & (sampled(whole, outer + PROBE, spacing) < 0.5)
    belongs = sampled(missing_share, outer - PROBE, spacing) - sampled(bone, outer - PROBE, spacing)
    inner, seen = crossing(whole, missing, spacing, from_top=False)
    open_below = sampled(bone, inner - PROBE, spacing) < 0.25
    return Tables(outer, outermost & (belongs > 0.0), outermost & (belongs <= 0.0), inner, seen & open_below)


def signed_area(area: npt.NDArray[np.bool_], spacing: float) -> Floats:
    """Millimetres (J, I) beyond the border of an area of columns, negative within, without the columns' steps."""
    if not area.any():
        return np.full(area.shape, np.inf)
    inside, outside = (ndimage.distance_transform_edt(part, sampling=spacing) for part in (area, ~area))
    half = 0.5 * spacing
    return np.asarray(ndimage.gaussian_filter(np.where(area, half - inside, outside - half), 1.0, mode="nearest"))


def faired_outer(tables: Tables, grid: Grid, ring_width: float = BONE_RING, finest: float = FINEST) -> OuterSurface:
    """The outer surface through ``tables``: the bone's around the rim, the missing bone's within.

    Args:
        ring_width: millimetres of bone beyond the rim that are held to.
        finest: millimetres between the nodes that it is drawn through, at least.
    """
    spacing = grid.spacing[0]
    # Specks of the other kind within an area are the staircase's.
    missing = ndimage.median_filter(tables.missing.view(np.uint8), 5).astype(bool)
    opening = signed_area(missing, spacing)
    row, column = np.indices(tables.outer.shape) * spacing
    known = (tables.missing & missing) | (tables.bone & (opening < ring_width))
    dome = fit_dome(np.stack((column[known], row[known], tables.outer[known]), axis=1), outlier=4.0)
    base = dome.height(column, row)
    inward = -opening
    softness = np.full(opening.shape, np.inf)
    held = tables.missing & missing & (inward > FREE_RIM)
    softness[held] = DEFECT_SOFTNESS * np.maximum(1.0, 2.0 - (inward[held] - FREE_RIM) / 10.0)
    ring = tables.bone & (opening > 0.5 * spacing) & (opening < ring_width)
    softness[ring] = BONE_SOFTNESS
    height = base + thin_plate(tables.outer - base, softness, spacing, finest=finest)
    slope = _slope(height, spacing)
    surface = OuterSurface(grid, dome, height, slope, opening, np.zeros_like(height), np.zeros_like(height))
    thickness = _bone_thickness(surface, tables, finest)
    return replace(surface, thickness=thickness, bone_thickness=thickness)


def rim_of(surface: OuterSurface, tables: Tables) -> Rim:
    """Step and angle between the surface and the bone's own outer table where they meet."""
    spacing = surface.spacing
    edge = (surface.opening > 0.0) & (surface.opening <= spacing)
    outward = _slope(ndimage.gaussian_filter(surface.opening, 2.0), spacing)
    outward /= np.maximum(np.linalg.norm(outward, axis=0), 1e-6)
    places = np.argwhere(edge)[:, ::-1] * spacing
    direction = outward[:, edge].T
    # Both lines are read off the dome, or its curve would pass for an angle.
    row, column = np.indices(surface.height.shape) * spacing
    dome = surface.dome.height(column, row)
    reach = np.arange(READ_FROM, READ_TO, 0.5)
    lines = []
    for sign, image in ((1.0, np.where(tables.bone, tables.outer, np.nan)), (-1.0, surface.height)):
        along = sign * reach
        points = places[:, None, :] + along[None, :, None] * direction[:, None, :]
        heights = surface.at(image - dome, points.reshape(-1, 2)).reshape(len(places), len(reach))
        lines.append(_line(along, heights))
    (bone_height, bone_slope), (height, slope) = lines
    general = _slope(dome, spacing)[:, edge].T
    level = np.sqrt(1.0 + (general**2).sum(1))
    across = np.einsum("ij,ij->i", general, direction)
    angle = np.degrees(np.arctan(across + bone_slope) - np.arctan(across + slope))
    local = np.column_stack((places, height + dome[edge])) / spacing
    good = np.isfinite(bone_height) & np.isfinite(bone_slope)
    step = (height - bone_height) / level
    return Rim(surface.grid.ras_of(local[good]), step[good], angle[good])


def _bone_thickness(surface: OuterSurface, tables: Tables, finest: float) -> Floats:
    """Thickness of the missing bone along the normal, drawn over all columns (J, I)."""
    spacing = surface.spacing
    known = tables.inner_missing & (surface.opening < 0.0)
    places = np.column_stack((np.argwhere(known)[:, ::-1] * spacing, tables.inner[known]))
    depth, foot = surface.above(places)
    foot = np.clip(np.rint(foot).astype(int), 0, np.array(known.shape[::-1]) - 1)
    total, count = np.zeros(known.shape), np.zeros(known.shape)
    np.add.at(total, (foot[:, 1], foot[:, 0]), -depth)
    np.add.at(count, (foot[:, 1], foot[:, 0]), 1.0)
    thickness = total / np.maximum(count, 1.0)
    if not count.any():
        return np.zeros(known.shape)
    middle = float(np.median(-depth))
    softness = np.where((count > 0) & (thickness > 0.0), THICKNESS_SOFTNESS, np.inf)
    drawn = middle + thin_plate(thickness - middle, softness, spacing, repeats=1, finest=finest)
    # Where nothing is known, beyond the rim, the plate has no say over the range that was seen.
    seen = thickness[np.isfinite(softness)]
    return np.clip(drawn, *np.percentile(seen, (0.5, 99.5)))


def crossing(
    share: npt.NDArray[np.float32], solid: npt.NDArray[np.bool_], spacing: float, from_top: bool
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Height (J, I) where ``share`` leaves one half beyond the first solid voxel, and where there is one."""
    levels = len(share)
    first = levels - 1 - np.argmax(solid[::-1], axis=0) if from_top else np.argmax(solid, axis=0)
    other = np.clip(first + (1 if from_top else -1), 0, levels - 1)
    inside = np.take_along_axis(share, first[None], axis=0)[0].astype(np.float64)
    outside = np.take_along_axis(share, other[None], axis=0)[0].astype(np.float64)
    part = np.clip((inside - 0.5) / np.maximum(inside - outside, 1e-6), 0.0, 1.0)
    return (first + (part if from_top else -part)) * spacing, np.asarray(solid.any(0))


def sampled(share: npt.NDArray[np.float32], height: Floats, spacing: float) -> Floats:
    """``share`` (K, J, I) at heights (J, I), to the nearest voxel."""
    level = np.clip(np.rint(height / spacing).astype(int), 0, len(share) - 1)
    return np.take_along_axis(share, level[None], axis=0)[0]


def _read_all(maps: Sequence[Floats], i: Floats, j: Floats) -> list[Floats]:
    """Values (M,) of each map (J, I) in columns i, j (M,), linear between columns and constant beyond the border.

    As ``map_coordinates``, whose weights this reckons once for all the maps.
    """
    rows, columns = maps[0].shape
    i, j = np.clip(i, 0.0, columns - 1.0), np.clip(j, 0.0, rows - 1.0)
    first_i = np.minimum(i.astype(np.int64), columns - 2)
    first_j = np.minimum(j.astype(np.int64), rows - 2)
    i, j = i - first_i, j - first_j
    both = i * j
    corners = (0, 1.0 - i - j + both), (1, i - both), (columns, j - both), (columns + 1, both)
    start = first_j * columns + first_i
    return [sum(image.ravel()[start + step] * weight for step, weight in corners) for image in maps]


def _slope(height: Floats, spacing: float) -> Floats:
    """Derivatives (2, J, I) along I and J of heights (J, I)."""
    along_j, along_i = np.gradient(height, spacing)
    return np.stack((along_i, along_j))


def _line(along: Floats, heights: Floats) -> tuple[Floats, Floats]:
    """Value at 0 and slope of the lines (N,) through heights (N, M) at places ``along`` (M,)."""
    middle = along.mean()
    offset = along - middle
    slope = heights @ offset / (offset @ offset)
    return heights.mean(1) - slope * middle, slope
