"""Quick ways through a design give what the plain ones do."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from CranialReconstructionLib.imaging.pooling import bone_box
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.implant import insertion
from CranialReconstructionLib.implant.bone_field import half_surface
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_quality import welded
from CranialReconstructionLib.implant.outer_surface import OuterSurface
from CranialReconstructionLib.implant.self_intersection import self_intersections

TURNED = np.array([[0.6, -0.8, 0.0, 3.0], [0.8, 0.6, 0.0, -7.0], [0.0, 0.0, 1.5, 2.0], [0.0, 0.0, 0.0, 1.0]])


def shell_with_a_hole(tilt: float) -> tuple[Volume, Volume]:
    """A half shell of 40 to 45 mm, and the missing part of it about an axis that leans off its normal."""
    k, j, i = np.indices((50, 100, 100))
    x, y, z = i - 49.5, j - 49.5, k.astype(float)
    radius = np.sqrt(x**2 + y**2 + z**2)
    shell = (radius > 40.0) & (radius < 45.0)
    hole = shell & (np.hypot(x + np.tan(np.radians(tilt)) * (z - 40.0), y) < 14.0)
    matrix = np.eye(4)
    return Volume((shell & ~hole).astype(np.uint8), matrix), Volume(hole.astype(np.uint8), matrix)


@pytest.mark.parametrize("tilt", [0.0, 20.0])
def test_the_search_for_the_axis_leaves_out_nothing_that_could_be_better(tilt: float) -> None:
    skull, defect = shell_with_a_hole(tilt)
    bone, missing, normal, cell = insertion._samples(skull, defect)

    def cost(up: insertion.Floats) -> float:
        lean = float(np.degrees(np.arccos(np.clip(up @ normal, -1.0, 1.0))))
        return insertion._blocked(bone, missing, up) / len(missing) + insertion.TILT_COST * (lean / 10.0) ** 2

    best = min((up for lean in insertion.CONE for up in insertion._cone(normal, lean)), key=cost)
    for lean in insertion.REFINEMENTS:
        best = min((best, *insertion._cone(best, lean)), key=cost)
    found = insertion.insertion_of(skull, defect, None)
    np.testing.assert_allclose(found.axis, -best, atol=1e-12)
    assert found.undercut == pytest.approx(insertion._blocked(bone, missing, best) * cell / 1000.0)


def test_a_bench_holds_every_voxel_of_the_defect_and_its_margin_and_no_more() -> None:
    defect = Volume((np.random.default_rng(3).random((12, 15, 18)) > 0.995).astype(np.uint8), TURNED)
    grid = insertion.bench_grid(defect, np.array([0.48, 0.6, -0.64]), 4.0, 2.0)
    ijk = grid.ijk_of(defect.grid.ras_of(np.argwhere(defect.voxels)[:, ::-1]))
    margin = 4.0 / grid.spacing[0]
    np.testing.assert_allclose(ijk.min(0), margin, atol=1e-6)
    left = np.array(grid.shape[::-1]) - 1 - ijk.max(0)
    assert (left >= margin - 1e-6).all()
    assert (left < margin + 1.0).all()


@pytest.mark.parametrize("kind", [np.uint8, np.bool_, np.float32])
def test_the_box_of_a_mask_is_that_of_its_voxels(kind: type) -> None:
    voxels = (np.random.default_rng(5).random((9, 11, 13)) > 0.99).astype(kind)
    box = bone_box(Volume(voxels, np.eye(4)))
    places = np.argwhere(voxels)
    assert box == (tuple(places.min(0)), tuple(places.max(0) + 1))
    assert bone_box(Volume(np.zeros_like(voxels), np.eye(4))) is None


def test_places_above_a_plane_are_as_high_as_the_plane_says() -> None:
    j, i = np.indices((30, 40)) * 0.5
    slope = np.stack((np.full_like(i, 0.3), np.full_like(i, -0.2)))
    flat = np.zeros_like(i)
    surface = OuterSurface(
        Grid((20, 30, 40), np.diag([0.5, 0.5, 0.5, 1.0])), None, 4.0 + 0.3 * i - 0.2 * j, slope, flat, flat, flat
    )  # fmt: skip
    normal = np.array([-0.3, 0.2, 1.0]) / np.sqrt(1.13)
    feet = np.random.default_rng(1).uniform(4.0, 10.0, (50, 3))
    feet[:, 2] = 4.0 + 0.3 * feet[:, 0] - 0.2 * feet[:, 1]
    away = np.linspace(-3.0, 3.0, 50)
    height, column = surface.above(feet + away[:, None] * normal)
    np.testing.assert_allclose(height, away, atol=1e-12)
    np.testing.assert_allclose(column, feet[:, :2] / 0.5, atol=1e-9)


def test_beyond_the_border_of_a_map_its_edge_goes_on() -> None:
    rng = np.random.default_rng(2)
    height = ndimage.gaussian_filter(rng.normal(0.0, 1.0, (12, 17)), 2.0)
    flat = np.zeros_like(height)
    surface = OuterSurface(Grid((9, 12, 17), np.eye(4)), None, height, np.stack((flat, flat)), flat, flat, flat)
    places = rng.uniform(-3.0, 20.0, (200, 3))
    expected = places[:, 2] - surface.at(height, places)
    np.testing.assert_allclose(surface.above(places)[0], expected, atol=1e-12)


def test_normals_of_a_surface_point_out_of_what_it_holds() -> None:
    k, j, i = np.indices((41, 41, 41)) - 20.0
    share = 1.0 / (1.0 + np.exp((np.sqrt(i**2 + j**2 + k**2) - 12.0) / 2.0))
    surface = half_surface(share.astype(np.float32), 0.4)
    outwards = surface.points - 20.0 * 0.4
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", surface.normals, outwards).min() > np.cos(np.radians(1.0))
    np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=1), 1.0, atol=1e-6)


def test_welding_joins_what_a_file_would_and_leaves_the_rest_as_it_is() -> None:
    corners = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0 + 1e-9, 0.0, 0.0], [5.0, 5.0, 5.0]])
    mesh = welded(Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]])))
    assert len(mesh.vertices) == 3
    assert mesh.triangles[0, 1] == mesh.triangles[1, 2]
    np.testing.assert_array_equal(mesh.vertices[mesh.triangles[0]], corners[:3])
    assert welded(mesh) is mesh


def test_meshes_that_look_alike_are_each_searched_for_themselves() -> None:
    corners = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, -1], [1, 1, 1], [2, 1, 1]])
    triangles = np.array([[0, 1, 2], [3, 4, 5]])
    crossing = Mesh(corners, triangles)
    apart = Mesh(corners + np.array([[0.0, 0, 0]] * 3 + [[0, 0, 9]] * 3), triangles)
    assert [len(self_intersections(mesh)) for mesh in (crossing, apart, crossing)] == [1, 0, 1]


def test_reading_nrrd_loads_neither_pydicom_nor_nibabel() -> None:
    words = "import CranialReconstructionLib.imaging.scan, sys; print({'pydicom', 'nibabel'} & set(sys.modules))"
    path = {"PYTHONPATH": ":".join(sys.path)}
    told = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True, env=path)
    assert told.stdout.strip() == "set()"
