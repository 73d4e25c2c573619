"""Implant bodies in a spherical shell, where gap, thickness, wall angle and volume are known in closed form."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from skimage.measure import marching_cubes
from spherical_skull import SphericalSkull, grid_around

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.implant.bone_field import half_surface
from CranialReconstructionLib.implant.design import Design, Flange
from CranialReconstructionLib.implant.edges import ROUNDING
from CranialReconstructionLib.implant.fairing import fit_dome, thin_plate
from CranialReconstructionLib.implant.solid import Solid, implant_solids, split_defect

UP = (0.0, 0.0, 1.0)
HOLE = SphericalSkull(hole_radius=12.0)
# Spacing (I, J, K), millimetres, and degrees by which the grid is turned.
SCANS = [((0.4, 0.4, 0.4), 0.0), ((0.7, 0.7, 0.7), 25.0), ((1.0, 1.0, 1.0), 0.0), ((0.5, 0.5, 1.0), 40.0)]
SCAN = SCANS[1]


def scan_grid(scan: tuple[tuple[float, float, float], float], reach: float = 24.0) -> Grid:
    return grid_around(UP, 80.0, scan[0], reach, scan[1])


@cache
def solid_in(
    skull: SphericalSkull, scan: tuple[tuple[float, float, float], float], design: Design, reach: float = 24.0
) -> Solid:
    (solid,) = implant_solids(*skull.masks(scan_grid(scan, reach)), design)
    return solid


def surface_points(solid: Solid) -> np.ndarray:
    """Points of the body's surface, RAS, by another marching cubes than the body was measured with."""
    kji = marching_cubes(solid.field.voxels, 0.0)[0]
    return solid.field.grid.ras_of(kji[:, ::-1])


def radii(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points, axis=1)


@pytest.mark.parametrize("scan", SCANS)
def test_the_gap_is_that_of_the_design(scan: tuple[tuple[float, float, float], float]) -> None:
    solid = solid_in(HOLE, scan, Design(gap=0.5))
    assert solid.gap.within > 0.995
    assert solid.gap.mean == pytest.approx(0.5, abs=0.03)
    assert solid.collision == 0.0
    points = surface_points(solid)
    beside, radius = HOLE.beside_wall(points, UP), radii(points)
    wall = (beside > -1.1) & (radius > 76.7) & (radius < 79.3)
    # Against the ideal wall the scan's own steps count too.
    assert -beside[wall].mean() == pytest.approx(0.5, abs=0.12 * max(scan[0]))
    assert beside[wall].std() < 0.15 * max(scan[0])


@pytest.mark.parametrize("gap", [0.0, 1.0, 2.0])
def test_other_gaps(gap: float) -> None:
    solid = solid_in(HOLE, SCAN, Design(gap=gap))
    assert solid.gap.mean == pytest.approx(gap, abs=0.05)
    assert solid.gap.within > 0.99


@pytest.mark.parametrize("scan", SCANS)
def test_outer_surface_and_thickness(scan: tuple[tuple[float, float, float], float]) -> None:
    points = surface_points(solid_in(HOLE, scan, Design(gap=0.5)))
    inside = HOLE.beside_wall(points, UP) < -2.0
    outer, inner = points[inside & (radii(points) > 78.0)], points[inside & (radii(points) < 78.0)]
    # Steps as long as the hole is wide leave the place open to a part of a voxel.
    assert radii(outer).mean() == pytest.approx(80.0, abs=0.3 * max(scan[0]))
    assert radii(outer).std() < 0.06
    assert radii(outer).mean() - radii(inner).mean() == pytest.approx(4.0, abs=0.03)


@pytest.mark.parametrize("thickness", [0.6, 0.8, 1.5, 8.0])
def test_constant_thickness_of_thin_and_thick_sheets(thickness: float) -> None:
    solid = solid_in(HOLE, SCAN, Design(material="titanium", thickness=thickness))
    points = surface_points(solid)
    inside, outside = HOLE.beside_wall(points, UP) < -2.0, radii(points) > 80.0 - thickness / 2.0
    measured = radii(points[inside & outside]).mean() - radii(points[inside & ~outside]).mean()
    assert measured == pytest.approx(thickness, abs=0.03)
    assert solid.gap.within > 0.98


def test_anatomical_thickness() -> None:
    solid = solid_in(HOLE, SCAN, Design(thickness="anatomical"))
    points = surface_points(solid)
    inner = points[(HOLE.beside_wall(points, UP) < -2.0) & (radii(points) < 77.0)]
    assert radii(inner).mean() == pytest.approx(74.0, abs=0.1)


def test_inner_clearance_thins_from_within() -> None:
    solid = solid_in(HOLE, SCAN, Design(thickness="anatomical", inner_clearance=1.5))
    points = surface_points(solid)
    inner = points[(HOLE.beside_wall(points, UP) < -2.0) & (radii(points) < 77.0)]
    assert radii(inner).mean() == pytest.approx(75.5, abs=0.1)


@pytest.mark.parametrize("scan", SCANS)
def test_volume_in_closed_form(scan: tuple[tuple[float, float, float], float]) -> None:
    solid = solid_in(HOLE, scan, Design(gap=0.5))
    aside = HOLE.hole_radius - 0.5

    def under(radius: float) -> float:  # of a sphere, upper half, within a cylinder about its axis
        return 2.0 / 3.0 * np.pi * (radius**3 - (radius**2 - aside**2) ** 1.5)

    assert solid.volume == pytest.approx((under(80.0) - under(76.0)) / 1000.0, rel=0.025)


def wall_angle(solid: Solid) -> float:
    """Degrees by which the walls open outwards, from a line through their radius over their height."""
    points = surface_points(solid)
    radius = radii(points)
    aside = np.hypot(points[:, 0], points[:, 1])
    wall = (radius > 76.8) & (radius < 79.2) & (aside > 5.0)
    return float(np.degrees(np.arctan(np.polyfit(points[wall, 2], aside[wall], 1)[0])))


def test_a_bevel_opens_outwards_and_keeps_the_gap_at_the_outer_rim() -> None:
    solid = solid_in(HOLE, SCAN, Design(bevel=20.0, axis=(0.0, 0.0, -1.0)))
    assert wall_angle(solid) == pytest.approx(20.0, abs=2.5)
    assert wall_angle(solid_in(HOLE, SCAN, Design(axis=(0.0, 0.0, -1.0)))) == pytest.approx(0.0, abs=2.5)
    points = surface_points(solid)
    rim = points[(radii(points) > 78.8) & (radii(points) < 79.3)]
    assert -np.percentile(HOLE.beside_wall(rim, UP), 98) == pytest.approx(0.5, abs=0.25)
    assert solid.gap.relieved > 0.5


def test_a_hole_that_opens_outwards_needs_no_relief() -> None:
    hole = replace(HOLE, draft=20.0)
    solid = solid_in(hole, SCAN, Design())
    assert solid.undercut == pytest.approx(0.0, abs=0.005)
    # The rounding of the edges alone takes something off the walls.
    assert solid.gap.relieved < 0.04
    assert solid.gap.widest < 0.5 + ROUNDING
    assert wall_angle(solid) == pytest.approx(20.0, abs=2.5)


def test_an_undercut_hole_is_relieved_until_the_implant_goes_in() -> None:
    hole = replace(HOLE, draft=-20.0)
    solid = solid_in(hole, SCAN, Design(gap=0.3, thickness="anatomical"))
    assert solid.undercut > 0.1
    assert solid.undercut_at is not None
    assert solid.gap.relieved > 0.3
    inside = np.argwhere(solid.field.voxels < 0.0)[::3, ::-1]
    places = solid.field.grid.ras_of(inside)
    for way in np.arange(0.0, 12.0, 0.5):
        moved = places - way * np.array(solid.axis)
        # The scan holds the ideal bone, and above all its sharp edge, to half a voxel.
        in_bone = (radii(moved) < 79.6) & (radii(moved) > 74.4) & (hole.beside_wall(moved, UP) > 0.35)
        assert not in_bone.any()


@pytest.mark.parametrize("lean", [15.0, 30.0])
def test_the_axis_is_found_along_a_leaning_hole(lean: float) -> None:
    # A cylinder that leans goes in along its own axis only.
    grid = scan_grid(SCAN, 28.0)
    whole, missing = replace(HOLE, hole_radius=0.1).masks(grid)
    shell = (whole.voxels + missing.voxels) > 0
    k, j, i = np.indices(grid.shape).reshape(3, -1)
    way = np.array([np.sin(np.radians(lean)), 0.0, np.cos(np.radians(lean))])
    from_middle = grid.ras_of(np.stack((i, j, k), axis=1)) - (0.0, 0.0, 77.0)
    aside = np.linalg.norm(np.cross(from_middle, way), axis=1).reshape(grid.shape)
    skull, defect = whole.with_voxels(shell & (aside >= 12.0)), whole.with_voxels(shell & (aside < 12.0))
    (solid,) = implant_solids(skull, defect, Design(thickness="anatomical"))
    off = np.degrees(np.arccos(np.clip(-np.array(solid.axis) @ way, -1.0, 1.0)))
    assert off < 12.0
    assert solid.undercut < 0.05 * solid.missing


def test_two_holes_give_two_solids_and_a_speck_is_left_out() -> None:
    skull = SphericalSkull(hole_radius=8.0, axes=((0.0, 0.3, 1.0), (0.0, -0.3, 1.0)))
    bone, defect = skull.masks(grid_around(UP, 78.0, (0.8, 0.8, 0.8), 40.0))
    defect.voxels[2:4, 2:4, 2:4] = 1
    parts, small = split_defect(defect)
    assert len(parts) == 2
    assert small == [pytest.approx(8 * 0.8**3 / 1000.0)]
    stages: list[str] = []
    solids = implant_solids(bone, defect, Design(), report=stages.append)
    sides = sorted(
        solid.field.grid.ras_of(np.argwhere(solid.field.voxels < 0.0)[:, ::-1])[:, 1].mean() for solid in solids
    )
    assert sides == pytest.approx([-22.4, 22.4], abs=1.0)
    assert any("implant 2 of 2" in stage for stage in stages)


def test_a_flange_rests_on_the_outer_table() -> None:
    solid = solid_in(HOLE, SCAN, Design(flange=Flange(6.0, 1.2), minimum_wall=1.0), 30.0)
    points = surface_points(solid)
    beside, radius = HOLE.beside_wall(points, UP), radii(points)
    assert np.percentile(beside, 99.5) == pytest.approx(6.0, abs=0.7)
    over_bone = (beside > 1.0) & (beside < 5.0)
    seat, top = radius[over_bone & (radius < 80.5)], radius[over_bone & (radius > 80.5)]
    assert seat.mean() == pytest.approx(80.05, abs=0.15)
    assert top.mean() - seat.mean() == pytest.approx(1.2, abs=0.1)
    assert solid.collision == 0.0
    assert solid.volume > solid_in(HOLE, SCAN, Design()).volume + 0.3


def test_a_reconstruction_that_stands_out_is_led_to_the_bone() -> None:
    hole = replace(HOLE, hole_radius=20.0)
    grid = scan_grid(SCAN, 32.0)
    bone, defect = hole.masks(grid)
    _, raised = replace(hole, radius=81.5, thickness=7.5).masks(grid)
    (solid,) = implant_solids(bone, defect.with_voxels(raised.voxels), Design())
    points = surface_points(solid)
    outer = points[(radii(points) > 79.0)]
    middle = hole.beside_wall(outer, UP) < -14.0
    assert radii(outer[middle]).mean() == pytest.approx(81.5, abs=0.25)
    assert abs(float(np.median(solid.rim.step))) < 0.35
    assert len(solid.rim.places) == len(solid.rim.angle) > 100


def test_step_and_angle_are_small_where_the_sphere_goes_on() -> None:
    rim = solid_in(HOLE, SCANS[0], Design()).rim
    assert np.abs(rim.step).max() < 0.15
    assert abs(rim.angle.mean()) < 1.0
    assert np.hypot(rim.places[:, 0], rim.places[:, 1]) == pytest.approx(12.0, abs=1.2)


def test_a_confidence_cuts_below_the_voxel_size() -> None:
    hole = replace(HOLE, hole_radius=20.0)
    grid = scan_grid(SCANS[2], 32.0)
    bone, defect = hole.masks(grid)
    k, j, i = np.indices(grid.shape).reshape(3, -1)
    radius = radii(grid.ras_of(np.stack((i, j, k), axis=1))).reshape(grid.shape)
    soft = np.clip(80.5 - radius, 0.0, 1.0) * np.clip(radius - 73.5, 0.0, 1.0) * (bone.voxels == 0)
    confidence = Volume(soft.astype(np.float32), grid.ijk_to_ras)
    off = {}
    for name, given in (("binary", None), ("confidence", confidence)):
        (solid,) = implant_solids(bone, defect, Design(), given)
        points = surface_points(solid)
        middle = points[(hole.beside_wall(points, UP) < -6.0) & (radii(points) > 78.0)]
        off[name] = float(np.sqrt(np.mean((radii(middle) - 80.0) ** 2)))
    assert off["confidence"] < 0.08
    assert off["confidence"] < 0.6 * off["binary"]


@pytest.mark.parametrize(
    ("skull", "design", "reason"),
    [
        (replace(HOLE, hole_radius=4.2), Design(gap=2.0), "gap of 2 mm leaves"),
        (HOLE, Design(axis=(1.0, 0.0, 0.0)), "axis lies"),
        (HOLE, Design(axis=(0.0, 0.0, 1.0)), "axis lies"),
        (HOLE, Design(inner_clearance=5.5, minimum_wall=1.0), "inner clearance"),
        (replace(HOLE, thickness=16.0, hole_radius=9.0), Design(thickness="anatomical", bevel=30.0), "can go in"),
    ],
)
def test_designs_that_cannot_be_are_refused(skull: SphericalSkull, design: Design, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        implant_solids(*skull.masks(scan_grid(SCAN)), design)


def test_a_speck_gets_no_implant() -> None:
    bone, defect = HOLE.masks(scan_grid(SCAN, 20.0))
    speck = np.zeros_like(defect.voxels)
    speck[tuple(np.argwhere(defect.voxels)[0])] = 1
    with pytest.raises(UserError, match="no part of the defect"):
        implant_solids(bone, defect.with_voxels(speck), Design())


def test_distance_to_a_sphere() -> None:
    index = np.indices((48, 48, 48)).transpose(1, 2, 3, 0) * 0.5 - 11.75
    share = np.clip(0.5 + 8.0 - np.linalg.norm(index, axis=-1), 0.0, 1.0).astype(np.float32)
    surface = half_surface(share, 0.5)
    generator = np.random.default_rng(3)
    direction = generator.normal(size=(400, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    away = generator.uniform(-2.0, 2.5, size=400)
    places = direction * (8.0 + away)[:, None] + 11.75
    assert surface.signed_distance(places) == pytest.approx(away, abs=0.05)
    assert surface.distance(places) == pytest.approx(np.abs(away), abs=0.05)


def test_a_thin_plate_carries_a_plane_over_a_hole() -> None:
    row, column = np.indices((60, 50)) * 0.5
    plane = 0.3 * row - 0.2 * column + 4.0
    softness = np.where(np.hypot(row - 15.0, column - 12.0) < 8.0, np.inf, 1.5)
    assert thin_plate(np.where(np.isfinite(softness), plane, 99.0), softness, 0.5) == pytest.approx(plane, abs=1e-3)


def test_a_dome_through_a_sphere_is_the_sphere() -> None:
    row, column = np.indices((40, 40)) - 20.0
    points = np.stack((column, row, np.sqrt(80.0**2 - row**2 - column**2)), axis=-1).reshape(-1, 3)
    points[::50, 2] += 5.0  # what does not belong
    dome = fit_dome(points)
    assert dome.height(np.array([0.0, 30.0]), np.array([0.0, 0.0])) == pytest.approx([80.0, np.sqrt(5500.0)], abs=0.1)
