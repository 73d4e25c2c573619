"""The holes of a preview: where there is room, by the map of its thickness, and cut in one go."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold, OpType
from scipy import ndimage

from CranialReconstructionLib.implant.booleans import solid_of
from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.holes import BEYOND, across, hexagonal
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.outer_surface import OuterSurface

Floats = npt.NDArray[np.float64]

SEGMENTS = 12  # of a hole's circle


def drilled(
    mesh: Mesh, outer: OuterSurface, thickness: Floats, design: Design, axis: npt.ArrayLike
) -> tuple[Mesh, int]:
    """The mesh with its holes, and how many had no room.

    Args:
        outer: its outer surface.
        thickness: (J, I) millimetres in each column, zero outside of it.
        axis: from outside to inside, RAS.
    """
    border = ndimage.distance_transform_edt(thickness > 0.0, sampling=outer.spacing) - 0.5 * outer.spacing
    wanted = [(place, hole.diameter, 0.0) for place, hole in zip(_under(outer, design), design.holes, strict=True)]
    if design.perfusion:
        pattern = design.perfusion
        columns = _pattern(outer, thickness, pattern.pitch, axis)
        wanted += [(place, pattern.diameter, pattern.margin) for place in columns]
    places: list[Floats] = []
    radii: list[float] = []
    for place, diameter, margin in wanted:
        rim = float(outer.at(border, place[None])[0]) - 0.5 * diameter
        apart = [
            float(np.linalg.norm(place - other)) - 0.5 * diameter - radius
            for other, radius in zip(places, radii, strict=True)
        ]
        if rim >= max(margin, design.wall) and min(apart, default=np.inf) >= design.wall:
            places.append(place)
            radii.append(0.5 * diameter)
    if not places:
        return mesh, len(wanted)
    at = np.array(places)
    ras = outer.grid.ras_of(np.column_stack((at, outer.at(outer.height, at))) / outer.spacing)
    depth = outer.at(thickness, at) + BEYOND
    drills = [_drill(*entry) for entry in zip(ras, -outer.normals_at(ras), depth.tolist(), radii, strict=True)]
    surface = Manifold.batch_boolean([solid_of(mesh), *drills], OpType.Subtract).to_mesh64()
    vertices = np.asarray(surface.vert_properties[:, :3], dtype=np.float64)
    return Mesh(vertices, np.asarray(surface.tri_verts, dtype=np.int64)), len(wanted) - len(places)


def _under(outer: OuterSurface, design: Design) -> list[Floats]:
    """The columns (2: millimetres along I, J) of the single holes' feet on the outer surface."""
    if not design.holes:
        return []
    local = outer.grid.ijk_of([hole.at for hole in design.holes]) * outer.spacing
    return list(outer.above(local)[1] * outer.spacing)


def _pattern(outer: OuterSurface, thickness: Floats, pitch: float, axis: npt.ArrayLike) -> list[Floats]:
    """The same for the pattern, which lies in the plane across the axis as it does on the finished implant."""
    j, i = np.nonzero(thickness > 0.0)
    frame = np.stack(across(np.asarray(axis, dtype=np.float64)), axis=1)
    surface = outer.grid.ras_of(np.column_stack((i, j, outer.height[j, i] / outer.spacing)))
    # The bench's columns lie in the same plane: two of its axes make the places' coordinates there.
    plane = outer.grid.ijk_to_ras[:3, :2].T @ frame
    origin = outer.grid.ijk_to_ras[:3, 3] @ frame
    flat = hexagonal(surface @ frame, pitch).T
    columns = np.linalg.solve(plane.T, (flat - origin).T).T
    nearest = np.rint(columns).astype(int)
    within = ((nearest >= 0) & (nearest < np.array(thickness.shape[::-1]))).all(axis=1)
    columns, nearest = columns[within], nearest[within]
    return list(columns[thickness[nearest[:, 1], nearest[:, 0]] > 0.0] * outer.spacing)


def _drill(place: Floats, inward: Floats, depth: float, radius: float) -> Manifold:
    right, up = across(inward)
    frame = np.stack([right, up, inward, place - BEYOND * inward], axis=1)
    return Manifold.cylinder(depth + BEYOND, radius, -1.0, SEGMENTS).transform(frame)
