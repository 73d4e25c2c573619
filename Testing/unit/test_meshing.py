"""Signed fields to surfaces, smoothing and decimation, against closed forms and trimesh."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_quality import examine, is_sound
from CranialReconstructionLib.implant.meshing import shells, surface_of, without_scraps
from CranialReconstructionLib.implant.refinement import FINENESS, decimated, hausdorff, untangled

RADIUS = 12.0
BALL = 4.0 / 3.0 * np.pi * RADIUS**3


def _grid(spacing: tuple[float, float, float], turn: float, mirrored: bool) -> np.ndarray:
    """Voxels to RAS, turned about a slanted axis."""
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14.0)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) + np.sin(turn) * cross + (1.0 - np.cos(turn)) * cross @ cross
    matrix[:3, :3] = matrix[:3, :3] * np.array(spacing) * ([-1.0, 1.0, 1.0] if mirrored else [1.0, 1.0, 1.0])
    matrix[:3, 3] = [11.0, -23.0, 31.0]
    return matrix


def _ball(spacing: tuple[float, float, float], turn: float = 0.0, mirrored: bool = False) -> tuple[Volume, np.ndarray]:
    shape = tuple(int(2.0 * (RADIUS + 2.0) / edge) + 2 for edge in spacing[::-1])
    grid = Volume(np.zeros(shape, dtype=np.float32), _grid(spacing, turn, mirrored))
    k, j, i = np.indices(shape)
    places = grid.grid.ras_of(np.stack([i, j, k], axis=-1).reshape(-1, 3))
    middle = grid.grid.ras_of((np.array(shape[::-1]) - 1) / 2.0)[0]
    field = np.linalg.norm(places - middle, axis=1) - RADIUS
    return grid.with_voxels(field.reshape(shape).astype(np.float32)), middle


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("spacing", [(0.6, 0.6, 0.6), (0.5, 0.7, 1.0)])
def test_a_ball_on_any_grid_is_a_sound_ball_in_its_place(spacing: tuple[float, float, float], mirrored: bool) -> None:
    field, middle = _ball(spacing, turn=0.7, mirrored=mirrored)
    mesh = surface_of(field)
    assert np.abs(np.linalg.norm(mesh.vertices - middle, axis=1) - RADIUS).max() < 0.03
    assert mesh.volume == pytest.approx(BALL, rel=0.01)
    assert examine(mesh, walls=False).sound
    reader = trimesh.Trimesh(mesh.vertices, mesh.triangles, process=True)
    assert reader.is_volume
    assert reader.body_count == 1


def test_every_ambiguous_cell_of_noise_is_settled() -> None:
    noise = np.random.default_rng(4).standard_normal((20, 20, 20))
    noise[noise > 1.5] = 0.0  # a field that is exactly zero at many voxels
    mesh = surface_of(Volume(noise, np.eye(4)))
    quality = examine(mesh, walls=False)
    assert quality.two_manifold
    assert quality.turned_edges == 0
    assert quality.shells > 1


def test_a_solid_that_leaves_its_grid_is_closed_there() -> None:
    k, _, _ = np.indices((10, 10, 10))
    mesh = surface_of(Volume((k - 4.25).astype(np.float32), np.eye(4)))
    assert examine(mesh, walls=False).sound
    # Up to 4.25 in k and half a voxel beyond the middles of the outermost voxels elsewhere.
    assert np.allclose(np.ptp(mesh.vertices, axis=0)[:2], 10.0, atol=0.1)
    assert mesh.vertices[:, 2].max() == pytest.approx(4.25, abs=0.01)


def test_an_empty_field_is_refused() -> None:
    with pytest.raises(UserError, match="nothing inside"):
        surface_of(Volume(np.ones((4, 4, 4)), np.eye(4)))


def test_scraps_and_voids_are_left_out() -> None:
    k, j, i = np.indices((30, 30, 60)).astype(np.float32)
    large = np.sqrt((k - 15) ** 2 + (j - 15) ** 2 + (i - 15) ** 2) - 12.0
    hollow = np.maximum(large, -(large + 8.0))
    small = np.sqrt((k - 15) ** 2 + (j - 15) ** 2 + (i - 50) ** 2) - 2.0
    mesh = surface_of(Volume(np.minimum(hollow, small), np.eye(4)))
    assert [round(part.volume / 100.0) for part in shells(mesh)] == [72, 0, -3]
    kept, lost = without_scraps(mesh, smallest=100.0)
    assert len(kept) == 1
    assert lost == pytest.approx(4.0 / 3.0 * np.pi * 2.0**3, rel=0.2)


def test_decimation_stays_sound_within_the_budget_and_says_how_far_it_went() -> None:
    mesh = surface_of(_ball((0.6, 0.6, 0.6))[0])
    fewer, distance = decimated(mesh, budget=1_500)
    assert len(fewer.triangles) <= 1_500 < len(mesh.triangles)
    assert fewer.volume == pytest.approx(mesh.volume, rel=0.01)
    assert examine(fewer, walls=False).sound
    # trimesh measures the same distance.
    judge = trimesh.Trimesh(fewer.vertices, fewer.triangles)
    _, there, _ = trimesh.proximity.closest_point_naive(judge, mesh.vertices[::60])
    assert there.max() <= distance + 1e-9
    assert 0.0 < distance < 0.3


def test_flat_parts_get_the_larger_triangles() -> None:
    k, j, i = np.indices((34, 34, 34)).astype(np.float32) - 16.5
    dome = np.maximum(np.sqrt(k**2 + j**2 + i**2) - 14.0, -k)
    fewer, _ = decimated(surface_of(Volume(dome, np.eye(4))), budget=800)
    flat = np.abs(fewer.normals[:, 2] + 1.0) < 1e-2
    assert fewer.areas[flat].mean() > 2.0 * fewer.areas[~flat].mean()


def test_without_need_a_mesh_is_simplified_by_no_more_than_can_be_seen() -> None:
    mesh = surface_of(_ball((0.4, 0.4, 0.4))[0])
    fewer, distance = decimated(mesh)
    assert len(fewer.triangles) < 0.75 * len(mesh.triangles)
    assert distance < 3.0 * FINENESS
    assert fewer.volume == pytest.approx(mesh.volume, rel=1e-3)
    assert examine(fewer, walls=False).sound


def test_hausdorff_distance_of_two_balls() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=10.0)
    first = Mesh(np.array(ball.vertices), np.array(ball.faces, dtype=np.int64))
    bump = first.vertices.copy()
    bump[0] *= 1.2
    assert hausdorff(first, first) == pytest.approx(0.0, abs=1e-9)
    # A single spike counts in full, whichever mesh has it.
    assert hausdorff(first, Mesh(bump, first.triangles)) == pytest.approx(2.0, rel=0.05)
    assert hausdorff(Mesh(bump, first.triangles), first) == pytest.approx(2.0, rel=0.05)


def test_a_fold_is_smoothed_out_and_the_rest_left_alone() -> None:
    mesh = surface_of(_ball((1.0, 1.0, 1.0))[0])
    folded = mesh.vertices.copy()
    neighbours = mesh.triangles[(mesh.triangles == 0).any(axis=1)]
    opposite = np.setdiff1d(neighbours, [0])[0]
    folded[0] += 2.5 * (mesh.vertices[opposite] - mesh.vertices[0])
    tangled = Mesh(folded, mesh.triangles)
    assert examine(tangled, walls=False).intersections > 0
    mended = untangled(tangled)
    assert is_sound(mended)
    far = np.linalg.norm(mesh.vertices - mesh.vertices[0], axis=1) > 6.0
    assert np.array_equal(mended.vertices[far], mesh.vertices[far])


def test_a_smoothed_mask_gives_a_sound_surface() -> None:
    rng = np.random.default_rng(1)
    mask = ndimage.gaussian_filter(rng.standard_normal((24, 24, 24)), 3.0) > 0.0
    field = 0.5 - ndimage.gaussian_filter(mask.astype(np.float32), 0.7)
    assert examine(surface_of(Volume(field, np.diag([0.5, 0.4, 0.8, 1.0]))), walls=False).two_manifold
