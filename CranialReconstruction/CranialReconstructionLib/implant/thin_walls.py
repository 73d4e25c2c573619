"""Walls thinner than the least, taken out of a body: between two sides that face each other, nothing thinner stays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.bone_field import half_surface

Field = npt.NDArray[np.float32]
Places = npt.NDArray[np.float64]

# Two sides are a wall's when they face each other this closely: where they merely meet, there is an edge.
FACING = float(np.cos(np.radians(45.0)))
# Millimetres by which a ball may reach over a side that it touches: what the surface errs by between voxels.
TOUCH = 0.04
# Walls about a thin place within which edges are rounded with it, and beyond which they stay as they are.
ROUNDED, SHARP = 1.0, 1.5
# What is cut away leaves other sides: how often thin places are looked for.
ROUNDS = 3


def without_thin_walls(body: Field, spacing: float, wall: float) -> Field:
    """The body opened with a ball of the wall's width where it is thinner than that, and nowhere else.

    A ball that touches the surface from within, and fits, proves a wall of its width there. It is placed on
    every point of the surface, so that the voxels' size does not matter.

    Args:
        body: (K, J, I) signed millimetres, negative inside, isotropic.
        spacing: millimetres between voxels.
        wall: millimetres of the minimum wall, and no more than the thinnest sheet that is wanted.

    Raises:
        UserError: the body is nowhere as thick as the wall.
    """
    for _ in range(ROUNDS):
        surface = half_surface(-body, spacing, 0.0)
        balls = surface.points - 0.5 * wall * surface.normals
        touched = cKDTree(surface.points, balanced_tree=False).query(balls, workers=-1)[1]
        fits = np.linalg.norm(balls - surface.points[touched], axis=1) > 0.5 * wall - TOUCH
        if not fits.any():
            raise UserError(
                "the implant is nowhere as thick as its minimum wall",
                where="design",
                remedy="Choose a smaller gap, or a smaller minimum wall.",
            )
        turn = np.einsum("ij,ij->i", surface.normals, surface.normals[touched])
        thin = surface.points[~fits & (turn < -FACING)]
        if not len(thin):
            break
        body = _opened_about(thin, balls[fits], body, spacing, wall)
    return body


def _opened_about(thin: Places, balls: Places, body: Field, spacing: float, wall: float) -> Field:
    """The body without what balls of the wall's width, here by their middles (N, 3), leave out near thin places."""
    # What lies deeper than half a wall is a ball's middle itself.
    shell = np.nonzero((body > -0.5 * wall) & (body < 2.0 * spacing))
    places = np.stack(shell[::-1], axis=1) * spacing
    away = cKDTree(thin, balanced_tree=False).query(places, distance_upper_bound=SHARP * wall, workers=-1)[0]
    near = np.isfinite(away)
    left_out = cKDTree(balls, balanced_tree=False).query(places[near], workers=-1)[0] - 0.5 * wall
    left_out -= np.maximum(away[near] - ROUNDED * wall, 0.0)
    result = body.copy()
    voxels = tuple(index[near] for index in shell)
    result[voxels] = np.maximum(body[voxels], left_out)
    return result
