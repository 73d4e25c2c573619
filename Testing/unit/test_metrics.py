"""Each metric against shapes whose figures are known, and against the packages that the field uses."""

from __future__ import annotations

import numpy as np
import pytest
import surface_distance as reference
import torch
from monai.metrics import compute_hausdorff_distance
from scipy import ndimage

from CranialReconstructionLib.evaluation.overlap import boundary_dice, dice
from CranialReconstructionLib.evaluation.surface_distance import SurfaceDistances, border, surface_dice

# The packages compared against use names that numpy and scipy are about to drop.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:surface_distance"),
    pytest.mark.filterwarnings("ignore::FutureWarning:monai"),
]

ISOTROPIC = (1.0, 1.0, 1.0)
ANISOTROPIC = (0.75, 0.4, 0.5)


def ball(shape, centre, radius, spacing=ISOTROPIC):
    places = np.indices(shape).T * np.array(spacing) - np.array(centre) * np.array(spacing)
    return (np.linalg.norm(places, axis=-1) <= radius).T


def cube(shape, start, size):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(a, a + size) for a in start)] = True
    return mask


def blob(seed, shape=(26, 30, 28)):
    """A smooth random shape with holes and several pieces, away from the faces of the array."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.5)
    inside = np.pad(np.ones([n - 4 for n in shape], dtype=bool), 2)
    return (noise > noise.std() * 0.6) & inside


def brute_force(prediction, truth, spacing):
    """Directed border distances by distance transforms of the whole array."""
    borders = [mask ^ ndimage.binary_erosion(mask) for mask in (prediction, truth)]
    maps = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in borders]
    return maps[1][borders[0]], maps[0][borders[1]]


def figures(prediction, truth, skull, spacing):
    distances = SurfaceDistances.between(prediction, truth, spacing)
    return np.array(
        [
            dice(prediction, truth),
            boundary_dice(prediction, truth, skull, spacing, distance=3.0),
            distances.hausdorff95_pooled(),
            distances.hausdorff95_directed(),
            distances.mean(),
            surface_dice(prediction, truth, spacing, 0.6),
        ]
    )


@pytest.mark.parametrize("shift", [0, 1, 4, 10, 12])
def test_dice_of_a_shifted_cube_is_its_remaining_overlap(shift):
    first, second = cube((30, 30, 30), (5, 5, 5), 10), cube((30, 30, 30), (5 + shift, 5, 5), 10)
    assert dice(first, second) == pytest.approx(max(10 - shift, 0) / 10)


def test_dice_of_empty_masks_is_defined():
    empty, full = np.zeros((4, 4, 4), dtype=bool), np.ones((4, 4, 4), dtype=bool)
    assert dice(empty, empty) == 1.0
    assert dice(empty, full) == dice(full, empty) == 0.0


def test_boundary_dice_counts_only_what_is_near_the_skull():
    # The skull is a plate; the implants are columns on it of 15 and 30 mm, of which 10 mm count.
    shape = (50, 8, 8)
    skull = np.zeros(shape, dtype=bool)
    skull[0] = True
    low, high = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    low[1:16, 2:5, 2:5] = True
    high[1:31, 2:5, 2:5] = True
    assert dice(low, high) == pytest.approx(2 * 15 / 45)
    assert boundary_dice(low, high, skull, ISOTROPIC) == 1.0
    # The voxel at exactly 10 mm counts, the one beyond does not.
    low[11:] = False
    assert boundary_dice(low, high, skull, ISOTROPIC) == 1.0
    low[10] = False
    assert boundary_dice(low, high, skull, ISOTROPIC) == pytest.approx(2 * 9 / 19)
    # At 2.5 mm a voxel, four of them are near.
    assert boundary_dice(high[::3], high[::3], skull[::3], (2.5, 1, 1)) == 1.0


@pytest.mark.parametrize("spacing", [ISOTROPIC, ANISOTROPIC])
def test_boundary_dice_is_that_of_the_challenge(spacing):
    prediction, truth, skull = blob(1), blob(2), blob(3)
    near = ndimage.distance_transform_edt(~skull, sampling=spacing) <= 1.25
    expected = dice(prediction & near, truth & near)
    assert boundary_dice(prediction, truth, skull, spacing, 1.25) == pytest.approx(expected, abs=1e-12)
    assert expected != dice(prediction, truth)


def test_boundary_dice_without_bone_near_the_skull_has_no_value():
    near, far = cube((40, 8, 8), (0, 0, 0), 4), cube((40, 8, 8), (30, 0, 0), 4)
    empty = np.zeros_like(near)
    assert boundary_dice(far, far, near, ISOTROPIC) is None
    assert boundary_dice(far, far, empty, ISOTROPIC) is None
    assert boundary_dice(empty, empty, near, ISOTROPIC) == 1.0
    assert boundary_dice(empty, far, near, ISOTROPIC) == 0.0


def test_border_is_the_six_connected_shell_of_one_voxel():
    mask = cube((9, 9, 9), (2, 2, 2), 5)
    assert border(mask).sum() == 5**3 - 3**3
    assert np.array_equal(border(blob(5)), blob(5) ^ ndimage.binary_erosion(blob(5)))
    # A mask that touches the face of the array ends there.
    assert border(np.ones((3, 3, 3), dtype=bool)).sum() == 26


def test_concentric_balls_are_their_radii_apart():
    spacing = ANISOTROPIC
    shape = tuple(int(36 / edge) for edge in spacing)
    centre = tuple((n - 1) / 2 for n in shape)
    distances = SurfaceDistances.between(
        ball(shape, centre, 15.0, spacing), ball(shape, centre, 11.0, spacing), spacing
    )
    half_voxel = max(spacing) / 2
    assert distances.mean() == pytest.approx(4.0, abs=half_voxel)
    assert distances.hausdorff95_pooled() == pytest.approx(4.0, abs=2 * half_voxel)
    assert distances.hausdorff95_directed() == pytest.approx(4.0, abs=2 * half_voxel)


def test_a_surface_at_exactly_the_tolerance_is_near():
    first = cube((30, 30, 30), (5, 5, 5), 10)
    for steps in range(1, 6):
        assert surface_dice(first, np.roll(first, steps, axis=0), (0.1, 0.1, 0.1), steps * 0.1) == 1.0


def test_surface_dice_of_shifted_slabs_is_their_faces():
    # Parallel faces 2 mm apart, side faces shared: the share is known but for the rims.
    first = np.zeros((20, 64, 64), dtype=bool)
    first[6:9, 2:62, 2:62] = True
    second = np.roll(first, 2, axis=0)
    assert surface_dice(first, second, ISOTROPIC, 2.0) == 1.0
    assert surface_dice(first, second, ISOTROPIC, 1.0) == pytest.approx(0.5, abs=0.06)
    assert surface_dice(first, first, ISOTROPIC, 0.0) == 1.0


def test_a_stray_island_separates_the_two_definitions_of_hd95():
    # A part of a shell predicted perfectly, and an island far off that is 5.6 % of the prediction's border
    # but 2.9 % of both borders together: one definition sees it, the other does not.
    shape = (64, 64, 64)
    truth = ball(shape, (28, 28, 28), 24.0) & ~ball(shape, (28, 28, 28), 20.0)
    truth[:30] = False
    prediction = truth | cube(shape, (52, 52, 52), 8)
    distances = SurfaceDistances.between(prediction, truth, ISOTROPIC)
    assert distances.hausdorff95_pooled() == 0.0
    assert distances.hausdorff95_directed() == pytest.approx(20.31, abs=0.01)
    to_truth, to_prediction = brute_force(prediction, truth, ISOTROPIC)
    assert np.percentile(np.concatenate([to_truth, to_prediction]), 95) == 0.0
    assert np.percentile(to_truth, 95) == pytest.approx(distances.hausdorff95_directed())


@pytest.mark.parametrize("spacing", [ISOTROPIC, ANISOTROPIC, (1.5, 0.4, 0.4)])
def test_distances_equal_those_by_distance_transform(spacing):
    prediction, truth = blob(1), blob(2)
    distances = SurfaceDistances.between(prediction, truth, spacing)
    to_truth, to_prediction = brute_force(prediction, truth, spacing)
    assert np.allclose(np.sort(distances.to_truth), np.sort(to_truth))
    assert np.allclose(np.sort(distances.to_prediction), np.sort(to_prediction))
    assert distances.mean() == pytest.approx((to_truth.mean() + to_prediction.mean()) / 2)


@pytest.mark.parametrize("spacing", [ISOTROPIC, ANISOTROPIC, (1.5, 0.4, 0.4)])
def test_directed_hd95_is_monais(spacing):
    prediction, truth = blob(1), blob(2)
    expected = compute_hausdorff_distance(
        torch.from_numpy(prediction)[None, None],
        torch.from_numpy(truth)[None, None],
        include_background=True,
        percentile=95,
        spacing=spacing,
    )
    distances = SurfaceDistances.between(prediction, truth, spacing)
    assert distances.hausdorff95_directed() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("spacing", [ISOTROPIC, ANISOTROPIC, (1.5, 0.4, 0.4)])
@pytest.mark.parametrize("tolerance", [0.0, 0.55, 1.05, 2.05])
def test_surface_dice_is_that_of_the_reference_package(spacing, tolerance):
    for seed in range(3):
        prediction, truth = blob(seed), blob(seed + 10)
        surfaces = reference.compute_surface_distances(truth, prediction, spacing)
        expected = reference.compute_surface_dice_at_tolerance(surfaces, tolerance)
        assert surface_dice(prediction, truth, spacing, tolerance) == pytest.approx(expected, abs=1e-6)


def test_hd95_and_the_reference_packages_agree_on_smooth_surfaces():
    # The package weights surface elements by area, ours counts border voxels: near, not the same.
    shape = (44, 44, 44)
    prediction, truth = ball(shape, (21, 21, 21), 16.0), ball(shape, (24, 21, 21), 14.0)
    surfaces = reference.compute_surface_distances(truth, prediction, ISOTROPIC)
    expected = reference.compute_robust_hausdorff(surfaces, 95)
    distances = SurfaceDistances.between(prediction, truth, ISOTROPIC)
    assert distances.hausdorff95_directed() == pytest.approx(expected, abs=0.5)


def test_figures_do_not_depend_on_the_order_of_the_axes_or_on_room_around():
    prediction, truth, skull = blob(1), blob(2), blob(3)
    expected = figures(prediction, truth, skull, ANISOTROPIC)
    masks = (prediction, truth, skull)
    flipped = [mask[:, ::-1, ::-1] for mask in masks]
    assert np.allclose(figures(*flipped, ANISOTROPIC), expected)
    turned = [mask.transpose(2, 0, 1) for mask in masks]
    assert np.allclose(figures(*turned, (ANISOTROPIC[2], ANISOTROPIC[0], ANISOTROPIC[1])), expected)
    padded = [np.pad(mask, ((0, 9), (5, 0), (3, 3))) for mask in masks]
    assert np.allclose(figures(*padded, ANISOTROPIC), expected)


def test_distances_scale_with_the_spacing():
    prediction, truth = blob(1), blob(2)
    once = SurfaceDistances.between(prediction, truth, ANISOTROPIC)
    twice = SurfaceDistances.between(prediction, truth, tuple(2 * edge for edge in ANISOTROPIC))
    assert twice.hausdorff95_pooled() == pytest.approx(2 * once.hausdorff95_pooled())
    assert twice.mean() == pytest.approx(2 * once.mean())


def test_distance_from_an_empty_mask_is_refused():
    empty = np.zeros((5, 5, 5), dtype=bool)
    with pytest.raises(ValueError, match="empty"):
        SurfaceDistances.between(empty, cube((5, 5, 5), (1, 1, 1), 2), ISOTROPIC)
    with pytest.raises(ValueError, match="empty"):
        surface_dice(empty, cube((5, 5, 5), (1, 1, 1), 2), ISOTROPIC)
