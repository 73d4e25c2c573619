"""The edges of a body: blunt, wide enough for the minimum wall, and rounded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.bone_field import half_surface
from CranialReconstructionLib.implant.outer_surface import OuterSurface

Field = npt.NDArray[np.float32]

# Degrees that a wall may lean from the surface's normal: an edge keeps at least the rest of a right angle.
LEAN = 35.0
# Depth, in minimum walls, at which a body counts as thick, and how far from there it may reach, in that depth.
FEATHER_DEPTH, FEATHER_REACH = 0.45, 1.55
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


def without_feathers(body: Field, outer: OuterSurface, wall: float, thinnest: float) -> Field:
    """The body without what runs out thinner than the wall: what lies too far from where it is thick goes.

    Right-angled edges stay, to a part of a millimetre, and so does a sheet of the minimum wall.

    Args:
        body: (K, J, I) signed millimetres, negative inside.
        wall, thinnest: millimetres of the minimum wall and of the thinnest sheet in the body.

    Raises:
        UserError: it is nowhere as thick as the wall.
    """
    # Half way between two voxels, the middle of a sheet is not as deep as it is.
    depth = min(FEATHER_DEPTH * wall, 0.5 * (thinnest - outer.spacing))
    if not (body < -depth).any():
        raise UserError(
            f"the implant is nowhere as thick as the minimum wall of {wall:g} mm",
            where="design",
            remedy="Choose a smaller gap, or a smaller minimum wall.",
        )
    # A core of few voxels loses its corners between them.
    lost = max(0.0, 1.5 * outer.spacing - depth)
    return _regrown(body, outer, depth, FEATHER_REACH * depth + lost)


def rounded(body: Field, outer: OuterSurface, thinnest: float) -> Field:
    """The body opened with a small ball along the rim: convex edges are rounded, teeth thinner than the ball go.

    Args:
        body: (K, J, I) signed millimetres, negative inside.
        thinnest: millimetres of the thinnest sheet in it, which stays.
    """
    radius = min(ROUNDING, ROUNDING_SHARE * thinnest)
    return _regrown(body, outer, radius, radius)


def _regrown(body: Field, outer: OuterSurface, depth: float, reach: float) -> Field:
    """What lies ``reach`` millimetres or less from where the body is ``depth`` deep, along the rim."""
    core = half_surface(-body, outer.spacing, depth)
    near = np.nonzero((np.abs(body) < 2.0 * outer.spacing) & (outer.opening > -RIM_ZONE))
    distance = core.signed_distance(np.stack(near[::-1], axis=1) * outer.spacing)
    result = body.copy()
    result[near] = np.maximum(body[near], distance - reach)
    return result
