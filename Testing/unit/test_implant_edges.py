"""The rim of an implant: edges of a known angle, teeth and lips that no printer could make."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from spherical_skull import SphericalSkull, grid_around

from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.edges import LEAN, ROUNDING, ROUNDING_SHARE, rounded, upright
from CranialReconstructionLib.implant.fairing import Dome
from CranialReconstructionLib.implant.meshing import surface_of
from CranialReconstructionLib.implant.outer_surface import OuterSurface
from CranialReconstructionLib.implant.solid import Solid, implant_solids
from CranialReconstructionLib.implant.wall_thickness import wall_thickness

SPACING = 0.4
SHAPE = (40, 6, 60)
TOP, SHEET, WALL = 12.0, 4.0, 1.5


def flat() -> OuterSurface:
    """A level outer surface 12 mm up, its rim along the middle of I."""
    level = np.zeros(SHAPE[1:])
    opening = np.broadcast_to(np.arange(SHAPE[2]) * SPACING - 12.0, SHAPE[1:]).copy()
    dome = Dome(np.zeros(3), 1e4, np.zeros(6))
    grid = Grid(SHAPE, np.diag([SPACING, SPACING, SPACING, 1.0]))
    sheet = np.full_like(level, SHEET)
    return OuterSurface(grid, dome, level + TOP, np.zeros((2, *SHAPE[1:])), opening, sheet, sheet)


def places() -> tuple[np.ndarray, np.ndarray]:
    """Millimetres along I from the rim, and above the outer surface."""
    k, _, i = np.indices(SHAPE)
    return (i * SPACING - 12.0).astype(np.float32), (k * SPACING - TOP).astype(np.float32)


def leaning(angle: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A wall that leans outwards by ``angle`` degrees about the middle of a sheet, the fields above and below it."""
    x, above = places()
    turn = np.radians(angle)
    wall = x * np.cos(turn) - (above + 0.5 * SHEET) * np.sin(turn)
    return wall.astype(np.float32), above, (-above - SHEET).astype(np.float32)


def lean_at_the_edge(barrier: np.ndarray, height: float) -> float:
    """Degrees by which the wall leans within a millimetre of ``height`` above the surface."""
    line = barrier[:, 3]
    levels = np.flatnonzero(np.abs(np.arange(SHAPE[0]) * SPACING - TOP - height) < 1.0)
    x = [float(np.interp(0.0, line[k], np.arange(SHAPE[2]) * SPACING)) for k in levels]
    return float(np.degrees(np.arctan(np.polyfit(levels * SPACING, x, 1)[0])))


@pytest.mark.parametrize("angle", [0.0, 15.0, 30.0, -30.0])
def test_a_wall_that_leans_little_stays(angle: float) -> None:
    wall, above, inner = leaning(angle)
    assert upright(wall, above, inner, flat(), WALL) == pytest.approx(wall, abs=1e-4)


@pytest.mark.parametrize("angle", [50.0, 65.0, -60.0])
def test_a_wall_that_leans_far_is_raised_to_the_limit_and_only_near_the_surface(angle: float) -> None:
    wall, above, inner = leaning(angle)
    raised = upright(wall, above, inner, flat(), WALL)
    assert (raised >= wall - 1e-5).all()
    edge = -0.7 if angle > 0.0 else 0.7 - SHEET
    assert abs(lean_at_the_edge(wall, edge)) == pytest.approx(abs(angle), abs=1.0)
    assert abs(lean_at_the_edge(raised, edge)) <= LEAN + 3.0
    middle = np.abs(above + 0.5 * SHEET) < 0.5 * SHEET - WALL - SPACING
    assert raised[middle] == pytest.approx(wall[middle], abs=1e-5)


def test_rounding_takes_an_edge_and_leaves_the_sides() -> None:
    x, above = places()
    body = np.maximum(np.maximum(above, -above - SHEET), x)
    radius = min(ROUNDING, ROUNDING_SHARE * SHEET)
    result = rounded(body, flat(), SHEET)
    assert (result >= body - 1e-6).all()
    side = (np.abs(above + 0.5 * SHEET) < 1.2) & (np.abs(body) < 0.5)
    assert result[side] == pytest.approx(body[side], abs=0.02)
    # On the bisector the corner has moved in by (sqrt 2 - 1) radii.
    corner = (np.abs(x) < 1e-3) & (np.abs(above) < 1e-3)
    assert result[corner] == pytest.approx((np.sqrt(2.0) - 1.0) * radius, abs=0.06)


def test_rounding_takes_a_thin_tooth() -> None:
    x, above = places()
    body = np.maximum(np.maximum(above, -above - SHEET), x)
    tooth = np.maximum(np.maximum(np.abs(above + 2.0) - 0.25, x - 1.2), -x - 1.0)
    assert (np.minimum(body, tooth)[x > 0.5] < 0.0).any()
    assert not (rounded(np.minimum(body, tooth), flat(), SHEET)[x > 0.5] < 0.0).any()


@cache
def beside_a_step(step: float, bevel: float, material: str) -> Solid:
    """An implant that stands ``step`` millimetres out of the bone around it, all the way to the rim."""
    skull = SphericalSkull(hole_radius=14.0)
    grid = grid_around((0.0, 0.0, 1.0), 80.0, (0.6, 0.6, 0.6), 25.0, 25.0)
    bone, _ = skull.masks(grid)
    _, missing = replace(skull, radius=80.0 + step, thickness=6.0 + step).masks(grid)
    free: Volume = missing.with_voxels(missing.voxels * (bone.voxels == 0))
    (solid,) = implant_solids(bone, free, Design(bevel=bevel, material=material))
    return solid


@pytest.mark.parametrize(
    ("step", "bevel", "material"),
    [(0.0, 10.0, "PEEK"), (1.5, 10.0, "PEEK"), (1.5, 20.0, "PMMA"), (0.0, 0.0, "titanium")],
)
def test_no_wall_is_thinner_than_the_least(step: float, bevel: float, material: str) -> None:
    design = Design(bevel=bevel, material=material)
    mesh = surface_of(beside_a_step(step, bevel, material).field)
    thickness = wall_thickness(mesh)
    assert mesh.areas[np.isfinite(thickness) & (thickness < 0.9 * design.wall)].sum() < 1.0
