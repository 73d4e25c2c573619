"""The edges of a body: blunt and rounded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.implant.bone_field import half_surface
from CranialReconstructionLib.implant.outer_surface import OuterSurface

Field = npt.NDArray[np.float32]

# Degrees that a wall may lean from the surface's normal: an edge keeps at least the rest of a right angle.
LEAN = 35.0
# Millimetres to which edges are rounded, and the share of the thinnest sheet that this may take.
ROUNDING, ROUNDING_SHARE = 0.3, 0.15
# Millimetres within the missing outer table up to which edges are looked for.
RIM_ZONE = 12.0


def upright(barrier: Field, above: Field, inner: Field, outer: OuterSurface, reach: float) -> Field:
    """``barrier`` raised where a wall leans so far that it would leave a feather at the body's outer or inner edge.

    Nothing near a surface may stand out further than what lies deeper allows at ``LEAN`` degrees; a ledge of the
    bone deeper than ``reach`` has no say.

    Args:
        barrier: (K, J, I) millimetres beyond the walls, negative within.
        above, inner: (K, J, I) millimetres above the outer surface and beyond the inner one.
        reach: millimetres from either surface, and no further than the middle of the sheet.
    """
    spacing = outer.spacing
    margin = 1.5 * spacing
    k, j, i = np.nonzero((above < margin) & (inner < margin) & (np.abs(barrier) < reach + 2.0 * margin))
    normal = np.stack((-outer.slope[0, j, i], -outer.slope[1, j, i], np.ones(len(k))), axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    places = np.stack((i, j, k), axis=1) * spacing
    depths = -above[k, j, i], -inner[k, j, i]
    zone = np.minimum(reach, 0.5 * (depths[0] + depths[1]))
    raised = barrier[k, j, i].astype(np.float64)
    for depth, way in zip(depths, (-normal, normal), strict=True):
        near = np.flatnonzero(depth < zone)
        for step in np.arange(spacing, reach + margin + spacing, spacing):
            far = np.minimum(step, zone[near] - depth[near])
            deeper = (places[near] + far[:, None] * way[near])[:, ::-1].T / spacing
            there = ndimage.map_coordinates(barrier, deeper, order=1, mode="nearest")
            # The distance grows by the cosine of the wall's lean sideways, and by its sine on the way up.
            sine = np.clip((there - barrier[k, j, i][near]) / np.maximum(far, 1e-6), -1.0, 1.0)
            raised[near] = np.maximum(raised[near], there - far * np.sqrt(1.0 - sine**2) * np.tan(np.radians(LEAN)))
    result = barrier.copy()
    result[k, j, i] = raised
    return result


def rounded(body: Field, outer: OuterSurface, thinnest: float) -> Field:
    """The body opened with a small ball along the rim: convex edges are rounded, teeth thinner than the ball go.

    Args:
        body: (K, J, I) signed millimetres, negative inside.
        thinnest: millimetres of the thinnest sheet in it, which stays.
    """
    radius = min(ROUNDING, ROUNDING_SHARE * thinnest)
    core = half_surface(-body, outer.spacing, radius)
    near = np.nonzero((np.abs(body) < 2.0 * outer.spacing) & (outer.opening > -RIM_ZONE))
    distance = core.signed_distance(np.stack(near[::-1], axis=1) * outer.spacing)
    result = body.copy()
    result[near] = np.maximum(body[near], distance - radius)
    return result
