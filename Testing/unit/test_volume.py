"""The geometry of volumes, held against SimpleITK."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial.transform import Rotation

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.resampling import ANTIALIAS_SIGMA, occupancy, resample
from CranialReconstructionLib.imaging.volume import Grid, Volume


def oblique(shape=(6, 7, 8), spacing=(0.5, 0.7, 1.3)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [10, -25, 40], degrees=True).as_matrix() * spacing
    matrix[:3, 3] = [12.0, -30.0, 7.0]
    return matrix


def test_places_agree_with_itk() -> None:
    volume = Volume(np.zeros((6, 7, 8), np.uint8), oblique())
    image = volume.to_itk()
    lps = np.array(image.TransformContinuousIndexToPhysicalPoint((3.0, 5.5, 2.0)))
    assert volume.grid.ras_of([3.0, 5.5, 2.0])[0] == pytest.approx(lps * [-1, -1, 1])
    assert image.GetSpacing() == pytest.approx((0.5, 0.7, 1.3))


def test_itk_round_trip_keeps_everything() -> None:
    voxels = np.random.default_rng(0).integers(-5, 1000, (6, 7, 8)).astype(np.int16)
    volume = Volume(voxels, oblique())
    again = Volume.from_itk(volume.to_itk())
    assert again.grid.same_as(volume.grid, tolerance=1e-6)
    np.testing.assert_array_equal(again.voxels, voxels)
    assert again.voxels.dtype == np.int16


def test_index_and_place_are_inverse() -> None:
    grid = Grid((6, 7, 8), oblique())
    ijk = np.random.default_rng(1).uniform(0, 6, (20, 3))
    np.testing.assert_allclose(grid.ijk_of(grid.ras_of(ijk)), ijk, atol=1e-9)


def test_a_crop_stays_where_it_was() -> None:
    volume = Volume(np.arange(6 * 7 * 8).reshape(6, 7, 8), oblique())
    part = volume.cropped((1, 2, 3), (5, 6, 8))
    assert part.voxels[0, 0, 0] == volume.voxels[1, 2, 3]
    assert part.grid.ras_of([0, 0, 0]) == pytest.approx(volume.grid.ras_of([3, 2, 1]))


def test_flat_and_degenerate_images_are_refused() -> None:
    with pytest.raises(UserError, match="2 dimensions"):
        Volume(np.zeros((4, 4)), np.eye(4))
    with pytest.raises(UserError, match="spacing"):
        Volume(np.zeros((4, 4, 4)), np.diag([1.0, 0.0, 1.0, 1.0]))


def test_a_sheared_grid_cannot_enter_itk() -> None:
    sheared = np.eye(4)
    sheared[1, 2] = 0.3
    with pytest.raises(UserError, match="perpendicular"):
        Volume(np.zeros((4, 4, 4), np.uint8), sheared).to_itk()


def test_resampling_agrees_with_scipy_on_a_straight_grid() -> None:
    voxels = np.random.default_rng(2).random((9, 10, 11)).astype(np.float32)
    volume = Volume(voxels, np.eye(4))
    matrix = np.diag([0.5, 0.5, 0.5, 1.0])
    matrix[:3, 3] = 2.25
    fine = resample(volume, Grid((8, 8, 8), matrix))
    at = 2.25 + 0.5 * np.indices((8, 8, 8))
    np.testing.assert_allclose(fine.voxels, ndimage.map_coordinates(voxels, at, order=1), atol=1e-5)


@pytest.mark.parametrize("spacing", [(0.45, 0.45, 0.65), (0.9, 0.9, 1.2), (0.4, 0.4, 1.5)])
def test_occupancy_keeps_volume_and_surface_below_a_voxel(spacing: tuple[float, float, float]) -> None:
    """A sphere's volume and its half-level radius survive a grid several times coarser."""
    radius, edge = 20.0, 3.0
    count = [int(60 / s) for s in spacing[::-1]]
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = -30.0
    grid = Grid((count[0], count[1], count[2]), matrix)
    k, j, i = np.indices(grid.shape).reshape(3, -1)
    inside = np.linalg.norm(grid.ras_of(np.stack((i, j, k), 1)), axis=1) <= radius
    mask = Volume(inside.reshape(grid.shape).astype(np.uint8), matrix)
    coarse_matrix = np.diag([edge, edge, edge, 1.0])
    coarse_matrix[:3, 3] = -28.5
    share = occupancy(mask, Grid((20, 20, 20), coarse_matrix)).voxels
    assert share.sum() * edge**3 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    rays = np.random.default_rng(0).normal(size=(300, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    steps = np.arange(15.0, 25.0, 0.05)
    at = (rays[:, None] * steps[:, None] - coarse_matrix[:3, 3]) / edge
    profiles = ndimage.map_coordinates(share, at.reshape(-1, 3)[:, ::-1].T, order=1).reshape(300, -1)
    crossings = steps[(profiles < 0.5).argmax(1)]
    # Smoothing and linear interpolation draw a convex surface in by this much, whatever the source.
    drawn_in = ((ANTIALIAS_SIGMA * edge) ** 2 + edge**2 / 8.0) / radius
    assert crossings.mean() == pytest.approx(radius - drawn_in, abs=0.05)
    assert np.abs(crossings - radius).mean() < 0.2


def test_occupancy_ignores_the_orientation_of_the_source() -> None:
    matrix = np.diag([0.5, 0.6, 0.9, 1.0])
    mask = np.zeros((40, 50, 60), np.uint8)
    mask[10:30, 12:40, 20:45] = 1
    straight = Volume(mask, matrix)
    flipped_matrix = matrix.copy()
    flipped_matrix[:3, 0] *= -1
    flipped_matrix[:3, 3] = straight.grid.ras_of([59, 0, 0])[0]
    flipped = Volume(mask[:, :, ::-1], flipped_matrix)
    target = Grid((16, 14, 14), np.array([[2.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 2.0, 1.0], [0, 0, 0, 1.0]]))
    np.testing.assert_allclose(occupancy(flipped, target).voxels, occupancy(straight, target).voxels, atol=2e-2)


def test_itk_is_asked_for_lps_once_only() -> None:
    image = sitk.Image([2, 2, 2], sitk.sitkUInt8)
    image.SetOrigin((10.0, 20.0, 30.0))
    assert Volume.from_itk(image).grid.ras_of([0, 0, 0])[0] == pytest.approx([-10.0, -20.0, 30.0])
