"""A flange on a sphere with a slit and an edge in its bone: where it lies, how thick, and what it does not bridge."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage
from spherical_skull import SphericalSkull, grid_around

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.design import Design, Flange
from CranialReconstructionLib.implant.mesh_quality import examine
from CranialReconstructionLib.implant.meshing import surface_of
from CranialReconstructionLib.implant.solid import Solid, implant_solids
from CranialReconstructionLib.implant.wall_thickness import wall_thickness

SKULL = SphericalSkull(hole_radius=12.0)
UP = (0.0, 0.0, 1.0)
FLANGE = Flange(6.0, 1.0)
DESIGN = Design(material="titanium", flange=FLANGE)


@cache
def solid_beside(ends: bool) -> Solid:
    """The implant of a round hole; with ``ends``, the bone ends 3 mm beside it at one side, and sinks at another."""
    bone, missing = SKULL.masks(grid_around(UP, 80.0, (0.6, 0.6, 0.6), 26.0, 25.0))
    k, j, i = np.indices(bone.grid.shape).reshape(3, -1)
    x, y, z = bone.grid.ras_of(np.stack((i, j, k), axis=1)).reshape(*bone.grid.shape, 3).transpose(3, 0, 1, 2)
    if ends:
        sunken = (y < -12.0) & (np.sqrt(x**2 + y**2 + z**2) > 77.0)
        bone = bone.with_voxels(bone.voxels * ~(x > 15.0) * ~sunken)
    (solid,) = implant_solids(bone, missing, DESIGN)
    return solid


def inside(solid: Solid) -> np.ndarray:
    """RAS places of the body's voxels above the outer table."""
    places = solid.field.grid.ras_of(np.argwhere(solid.field.voxels < 0.0)[:, ::-1])
    return places[np.linalg.norm(places, axis=1) > 80.1]


def test_its_width_is_that_of_the_design_all_around() -> None:
    solid = solid_beside(False)
    places = inside(solid)
    around = np.degrees(np.arctan2(places[:, 1], places[:, 0])).astype(int) // 10
    beside = SKULL.beside_wall(places, UP)
    widths = np.array([beside[around == turn].max() for turn in np.unique(around)])
    assert len(widths) >= 36
    assert widths == pytest.approx(6.0, abs=0.6)
    assert np.ptp(widths) < 0.7


def test_it_is_as_thick_as_asked_for_and_in_one_piece() -> None:
    solid = solid_beside(False)
    mesh = surface_of(solid.field)
    thickness = wall_thickness(mesh)
    middles = mesh.corners.mean(axis=1)
    beside = SKULL.beside_wall(middles, UP)
    outer = (beside > 1.0) & (beside < 5.0) & (np.linalg.norm(middles, axis=1) > 80.7)
    assert np.nanpercentile(thickness[outer], [1, 50]) == pytest.approx([1.0, 1.0], abs=0.2)
    assert mesh.areas[np.isfinite(thickness) & (thickness < 0.9 * DESIGN.wall)].sum() < 1.0
    assert ndimage.label(solid.field.voxels < 0.0)[1] == 1
    assert solid.collision == 0.0


def test_it_ends_where_no_bone_carries_it_and_bridges_nothing() -> None:
    places = inside(solid_beside(True))
    assert places[:, 0].max() < 15.6
    assert places[:, 1].min() > -13.4
    assert places[:, 0].min() == pytest.approx(-18.0, abs=0.7)
    assert places[:, 1].max() == pytest.approx(18.0, abs=0.7)


def test_a_flange_below_the_minimum_wall_is_refused_with_the_way_out() -> None:
    bone, missing = SKULL.masks(grid_around(UP, 80.0, (1.0, 1.0, 1.0), 22.0))
    with pytest.raises(UserError, match=r"0\.8 mm is thinner than the minimum wall of 1\.5 mm of PEEK"):
        implant_solids(bone, missing, Design(flange=Flange(8.0, 0.8)))


@pytest.mark.parametrize(
    ("material", "thickness"), [("PEEK", 1.5), ("PMMA", 2.0), ("bone-like", 1.0), ("titanium", 0.8)]
)
def test_a_flange_without_a_thickness_is_as_thin_as_its_material_may_be(material: str, thickness: float) -> None:
    assert Design(material=material, flange=Flange(8.0)).flange_thickness == thickness


def test_a_flange_of_the_minimum_wall_keeps_it_over_the_whole_of_its_bone() -> None:
    bone, missing = SKULL.masks(grid_around(UP, 80.0, (0.6, 0.6, 0.6), 26.0, 25.0))
    design = Design(flange=Flange(6.0))
    (solid,) = implant_solids(bone, missing, design)
    wall = examine(surface_of(solid.field)).wall
    assert wall is not None
    assert wall.thinnest >= design.wall
    assert SKULL.beside_wall(inside(solid), UP).max() == pytest.approx(6.0, abs=0.6)


def test_a_rim_without_bone_around_it_carries_no_flange() -> None:
    bone, missing = SKULL.masks(grid_around(UP, 80.0, (0.8, 0.8, 0.8), 26.0))
    k, j, i = np.indices(bone.grid.shape).reshape(3, -1)
    places = bone.grid.ras_of(np.stack((i, j, k), axis=1))
    near = (SKULL.beside_wall(places, UP) < 1.2).reshape(bone.grid.shape)
    with pytest.raises(UserError, match="of a flange would lie on bone"):
        implant_solids(bone.with_voxels(bone.voxels * near), missing, DESIGN)
