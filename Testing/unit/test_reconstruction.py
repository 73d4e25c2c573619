"""The shipped model on the demo head: what is missing does not depend on how the file is laid out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from held_out_defects import cut
from scipy import ndimage
from scipy.spatial.transform import Rotation

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.evaluation.case import evaluate_case
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.resampling import resample
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.reconstruction.catalogue import DEFAULT_MODEL, find_package
from CranialReconstructionLib.reconstruction.coverage import coverage_warnings
from CranialReconstructionLib.reconstruction.model_package import load_package
from CranialReconstructionLib.reconstruction.predictor import Predictor

DEMO = Path(__file__).parents[2] / "Resources" / "SampleData" / "DemoHead"


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """The shipped model on the CPU."""
    return Predictor(load_package(find_package(DEFAULT_MODEL)), torch.device("cpu"))


@pytest.fixture(scope="module")
def full() -> tuple[Volume, Volume]:
    """The demo head and its missing bone, full resolution."""
    return read_volume(DEMO / "defective_skull.nrrd"), read_volume(DEMO / "defect.nrrd")


@pytest.fixture(scope="module")
def skull(full: tuple[Volume, Volume]) -> Volume:
    """The demo head at about 1 mm, straight."""
    return on_grid(full[0], 1.0)


@pytest.fixture(scope="module")
def found(predictor: Predictor, skull: Volume) -> Volume:
    """What the shipped model finds missing in it."""
    return predictor.reconstruct(skull).defect


def on_grid(volume: Volume, spacing: float) -> Volume:
    old = volume.grid
    corners = old.ras_of(np.array(np.meshgrid(*[(0, n - 1) for n in old.shape[::-1]])).reshape(3, -1).T)
    matrix = np.diag([spacing, spacing, spacing, 1.0])
    matrix[:3, 3] = corners.min(0)
    i, j, k = np.ceil((corners.max(0) - corners.min(0)) / spacing).astype(int)
    return resample(volume, Grid((int(k), int(j), int(i)), matrix), "nearest")


def same_in_the_world(first: Volume, second: Volume) -> float:
    moved = resample(second, first.grid, "nearest").voxels > 0
    return float(2.0 * (moved & (first.voxels > 0)).sum() / (moved.sum() + (first.voxels > 0).sum()))


def test_the_stated_figure_is_reached_at_full_resolution(predictor: Predictor, full: tuple[Volume, Volume]) -> None:
    skull, truth = full
    result = predictor.reconstruct(skull)
    scores = evaluate_case(result.defect, truth, skull)
    stated = {f.metric: f.value for f in predictor.package.manifest.figures if f.cases == "demo head"}
    assert scores.dice >= stated["DSC"] - 0.005
    assert result.defect.grid.same_as(skull.grid)
    assert result.warnings == ()
    assert not ((result.defect.voxels > 0) & (skull.voxels > 0)).any()


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flipped", [(), (0,), (1, 2)])
def test_orientation_of_the_file_does_not_matter(
    predictor: Predictor, skull: Volume, found: Volume, axes: tuple[int, ...], flipped: tuple[int, ...]
) -> None:
    voxels, matrix = skull.voxels.transpose(axes), skull.ijk_to_ras.copy()
    matrix[:3, :3] = matrix[:3, [2 - axes[2], 2 - axes[1], 2 - axes[0]]]
    for axis in flipped:
        column = 2 - axis
        matrix[:3, 3] += matrix[:3, column] * (voxels.shape[axis] - 1)
        matrix[:3, column] *= -1
    turned = Volume(np.flip(voxels, flipped).copy(), matrix)
    result = predictor.reconstruct(turned).defect
    assert result.voxels.shape == turned.voxels.shape
    assert same_in_the_world(found, result) > 0.9999


def test_spacing_and_obliqueness_hardly_matter(
    predictor: Predictor, full: tuple[Volume, Volume], found: Volume
) -> None:
    spacing = np.array([0.7, 0.9, 1.4])
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [8, -5, 12], degrees=True).as_matrix() * spacing
    middle = full[0].grid.ras_of(np.array(full[0].voxels.shape[::-1]) / 2)[0]
    shape = np.ceil(250.0 / spacing).astype(int)
    matrix[:3, 3] = middle - matrix[:3, :3] @ (shape / 2)
    oblique = resample(full[0], Grid((int(shape[2]), int(shape[1]), int(shape[0])), matrix), "nearest")
    assert same_in_the_world(found, predictor.reconstruct(oblique).defect) > 0.93


def test_the_same_input_gives_the_same_bits(predictor: Predictor, skull: Volume, found: Volume) -> None:
    np.testing.assert_array_equal(predictor.reconstruct(skull).defect.voxels, found.voxels)


def test_a_healthy_skull_stays_empty(predictor: Predictor, full: tuple[Volume, Volume]) -> None:
    complete = full[0].with_voxels(((full[0].voxels > 0) | (full[1].voxels > 0)).astype(np.uint8))
    result = predictor.reconstruct(on_grid(complete, 1.0))
    assert result.defect.voxels.sum() == 0
    assert "defect_ml" not in result.statistics


def test_holes_on_both_sides_are_both_filled(predictor: Predictor, full: tuple[Volume, Volume]) -> None:
    complete = full[0].with_voxels(((full[0].voxels > 0) | (full[1].voxels > 0)).astype(np.uint8))
    skull, truth = cut(on_grid(complete, 1.0), "bilateral", seed=3)
    result = predictor.reconstruct(skull).defect.voxels > 0
    labels, count = ndimage.label(truth.voxels)
    holes = [hole for hole in (labels == number for number in range(1, count + 1)) if hole.sum() > 1000]
    assert len(holes) == 2
    for hole in holes:
        assert (result & hole).sum() > 0.75 * hole.sum()


def test_confidence_is_a_probability_on_the_inputs_grid(predictor: Predictor, skull: Volume) -> None:
    result = predictor.reconstruct(skull)
    confidence = result.confidence.voxels
    assert result.confidence.grid.same_as(skull.grid)
    assert 0.0 <= confidence.min() <= confidence.max() <= 1.0
    assert confidence[skull.voxels > 0].max() == 0.0
    assert confidence[result.defect.voxels > 0].mean() > 0.5


def test_a_strange_head_is_warned_about(predictor: Predictor, skull: Volume) -> None:
    small = Volume(skull.voxels, np.diag([0.55, 0.55, 0.55, 1.0]) @ skull.ijk_to_ras)
    assert any("Outside the model's training" in warning for warning in predictor.reconstruct(small).warnings)


def test_coverage_is_one_sided_where_more_is_better() -> None:
    coverage = {"likeness": (0.3, 0.5), "doubt": (0.2, 0.6), "bone_ml": (300.0, 600.0)}
    assert coverage_warnings({"likeness": 0.9, "doubt": 0.0, "bone_ml": 400.0}, coverage) == ()
    assert len(coverage_warnings({"likeness": 0.1, "doubt": 0.9, "bone_ml": 900.0}, coverage)) == 3


def test_stages_are_told_and_timed(predictor: Predictor, skull: Volume) -> None:
    told: list[str] = []
    result = predictor.reconstruct(skull, told.append)
    assert list(result.seconds) == told
    assert "post-processing" in told


def test_an_empty_mask_is_refused(predictor: Predictor, skull: Volume) -> None:
    with pytest.raises(UserError, match="empty"):
        predictor.reconstruct(skull.with_voxels(np.zeros_like(skull.voxels)))
