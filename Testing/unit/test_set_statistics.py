"""Figures of a set: analytic shapes, remembered skulls found out, two sets told apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.datasets.reading import read_data_set
from CranialAugmentationTrainerLib.datasets.synthetic_set import SetRecord, SyntheticSet
from CranialAugmentationTrainerLib.synthesis.case_measures import MEASURES, CaseMasks, compactness, extent, measured
from CranialAugmentationTrainerLib.synthesis.likeness import KeptMasks, compared
from CranialAugmentationTrainerLib.synthesis.set_statistics import (
    SetStatistics,
    measure_reference,
    measure_set,
    natural_side,
    statistics_as_json,
)
from CranialAugmentationTrainerLib.synthesis.statistics_plot import plot_statistics
from CranialAugmentationTrainerLib.synthesis.statistics_table import statistics_table
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume

SIDE = 16
Vector = tuple[float, float, float]


def places(side: int) -> np.ndarray:
    """RAS of every voxel (K, J, I, 3)."""
    grid = case_grid(side)
    return grid.ras_of(np.argwhere(np.ones(grid.shape))[:, ::-1]).reshape(*grid.shape, 3)


def ball(side: int, centre: Vector, radius: float) -> np.ndarray:
    return np.asarray(np.linalg.norm(places(side) - np.array(centre), axis=-1) < radius)


def head(half_axes: Vector, lump: Vector, size: float) -> np.ndarray:
    """Labels of an ellipsoid with a lump of missing bone."""
    bone = np.linalg.norm(places(SIDE) / np.array(half_axes), axis=-1) < 1.0
    missing = bone & ball(SIDE, lump, size)
    return (bone & ~missing).astype(np.uint8) + 2 * missing.astype(np.uint8)


def write(folder: Path, cases: Sequence[np.ndarray], rejected: int = 0) -> Path:
    made = SyntheticSet(folder)
    made.begin({"made": folder.name})
    for number, labels in enumerate(cases):
        path = made.volume(number)
        write_volume(Volume(labels, case_grid(labels.shape[0]).ijk_to_ras), path)
        made.append(SetRecord(number, file=path.relative_to(folder).as_posix()))
    for number in range(len(cases), len(cases) + rejected):
        made.append(SetRecord(number, "no defect"))
    return folder


def training_heads() -> list[np.ndarray]:
    axes = [(70.0, 88.0, 84.0), (88.0, 70.0, 84.0), (75.0, 80.0, 105.0), (95.0, 95.0, 60.0)]
    return [head(one, (0.0, 0.0, one[2]), 45.0) for one in axes]


def test_shapes_with_known_measures() -> None:
    side, grid = 64, case_grid(64)
    lump = ball(side, (20.0, 30.0, 60.0), 24.0)
    found = measured(CaseMasks(lump, lump), grid)
    assert found["defect_ml"] == pytest.approx(4.0 / 3.0 * np.pi * 2.4**3, rel=0.02)
    assert (found["right_mm"], found["anterior_mm"]) == (pytest.approx(20.0, abs=0.5), pytest.approx(30.0, abs=0.5))
    assert found["from_top"] == pytest.approx(np.degrees(np.arctan2(np.hypot(20.0, 30.0), 60.0)), abs=0.5)
    assert found["pieces"] == 1.0
    assert found["skull_ml"] == found["defect_ml"]
    assert extent(lump, grid) == pytest.approx(48.0, abs=4.0)
    assert compactness(lump, grid) == pytest.approx(1.0, abs=0.08)
    two = lump | ball(side, (-60.0, 0.0, 0.0), 15.0)
    apart = float(np.linalg.norm((80.0, 30.0, 60.0))) + 24.0 + 15.0
    assert extent(two, grid) == pytest.approx(apart, abs=5.0)
    assert measured(CaseMasks(two, two), grid)["pieces"] == 2.0
    cube = np.zeros(grid.shape, dtype=bool)
    cube[20:40, 20:40, 20:40] = True
    plate = cube.copy()
    plate[22:] = False
    # 36 pi / 216 of a cube, whose edges are smoothed; a plate of two voxels has less.
    assert compactness(cube, grid) == pytest.approx(np.pi / 6.0, abs=0.1)
    assert compactness(plate, grid) < 0.2
    assert measured(CaseMasks(cube, np.zeros_like(cube)), grid) == {"skull_ml": pytest.approx(8000 * 0.064)}
    single = np.zeros(grid.shape, dtype=bool)
    single[0, 0, 0] = True
    assert 0.0 < compactness(single, grid) <= 1.1


def test_a_skull_keeps_its_volume_however_coarse_the_voxels() -> None:
    # A shell 4 mm thick in voxels of 8 mm: few of them are half full.
    axes = [np.arange(256) - middle for middle in (127.5, 125.8, 130.1)]
    radius = np.sqrt(sum(np.square(one) for one in np.meshgrid(*axes, indexing="ij", sparse=True)))
    shell = (radius < 80.0) & (radius > 76.0)
    missing = shell & (axes[0] > 50.0)[:, None, None]
    shares = np.stack([shell & ~missing, missing]).reshape(2, 32, 8, 32, 8, 32, 8).mean((2, 4, 6)).astype(np.float32)
    masks = CaseMasks.from_shares(shares)
    assert masks.whole.sum() * 512 == pytest.approx(shell.sum(), rel=0.02)
    assert masks.defect.sum() * 512 == pytest.approx(missing.sum(), rel=0.15)
    assert (shares.sum(axis=0) >= 0.5).sum() * 512 < 0.9 * shell.sum()
    # A label volume stays as it is, and nothing stays nothing.
    labels = np.stack([masks.whole & ~masks.defect, masks.defect])
    again = CaseMasks.from_shares(labels.astype(np.float32))
    assert np.array_equal(again.whole, masks.whole)
    assert np.array_equal(again.defect, masks.defect)
    assert not CaseMasks.from_shares(np.zeros((2, 4, 4, 4), dtype=np.float32)).whole.any()


def test_dice_of_kept_masks_is_dice() -> None:
    random = np.random.default_rng(3)
    masks = [random.random((5, 7, 3)) < share for share in (0.2, 0.5, 0.0, 0.9)]
    kept = KeptMasks()
    for mask in masks:
        kept.add(mask)
    expected = [[2.0 * (a & b).sum() / (a.sum() + b.sum()) if (a | b).any() else 1.0 for b in masks] for a in masks]
    np.testing.assert_allclose(kept.dice_among(), expected)
    np.testing.assert_allclose(kept.dice(masks[1]), expected[1])
    assert KeptMasks().dice(masks[0]).shape == (0,)


def test_large_masks_are_compared_on_fewer_voxels() -> None:
    large = ball(128, (0.0, 0.0, 0.0), 80.0)
    small = compared(large)
    assert small.shape == (64, 64, 64)
    assert small.sum() * 8 == pytest.approx(large.sum(), rel=0.01)
    assert compared(small) is small


def test_remembered_skulls_are_found_out(tmp_path: Path) -> None:
    known = training_heads()
    # One of the set is a training head with another hole; the other is a head of its own.
    copy = known[2].copy()
    copy[copy == 2] = 1
    copy[4:6] *= 2
    copy[copy > 2] = 2
    new = head((60.0, 100.0, 75.0), (0.0, 90.0, 20.0), 40.0)
    reference = measure_reference(read_data_set(write(tmp_path / "skulls", known)), SIDE)
    found = measure_set(read_data_set(write(tmp_path / "made", [copy, new], rejected=3)), SIDE, reference)
    assert found.nearest[0].name == "000002"
    assert found.nearest[0].dice == pytest.approx(1.0)
    assert [near.remembered for near in found.nearest] == [True, False]
    assert found.rejected == {"no defect": 3}
    # The training heads themselves are held against the others, never against themselves.
    assert [near.remembered for near in reference.statistics.nearest] == [False] * 4
    assert all(near.name != name for near, name in zip(reference.statistics.nearest, reference.people, strict=True))


def test_diversity_is_the_mean_distance_of_pairs(tmp_path: Path) -> None:
    one, other = training_heads()[:2]
    same = measure_set(read_data_set(write(tmp_path / "same", [one, one, one])), SIDE)
    assert (same.diversity, same.defect_diversity) == (0.0, 0.0)
    mixed = measure_set(read_data_set(write(tmp_path / "mixed", [one, other])), SIDE)
    wholes = [labels > 0 for labels in (one, other)]
    dice = 2.0 * (wholes[0] & wholes[1]).sum() / (wholes[0].sum() + wholes[1].sum())
    assert mixed.diversity == pytest.approx(1.0 - dice)
    assert np.isnan(measure_set(read_data_set(write(tmp_path / "one", [one])), SIDE).diversity)


def two_sets(tmp_path: Path) -> tuple[SetStatistics, SetStatistics]:
    known = training_heads()
    left = [head((70.0, 88.0, 84.0), (-70.0, 0.0, 10.0), 30.0 + number) for number in range(3)]
    reference = measure_reference(read_data_set(write(tmp_path / "skulls", known)), SIDE)
    found = measure_set(read_data_set(write(tmp_path / "left", left, rejected=1)), SIDE, reference)
    return found, reference.statistics


def test_table_json_and_picture_tell_of_the_same(tmp_path: Path) -> None:
    found, reference = two_sets(tmp_path)
    assert found.apart_from(reference, "right_mm") == 1.0
    assert reference.apart_from(reference, "right_mm") == 0.0
    content = json.loads(json.dumps(statistics_as_json(found, reference), allow_nan=False))
    low, middle, high = content["quartiles"]["right_mm"]
    assert low <= middle <= high < -30.0
    assert content["ks_distance"]["right_mm"] == 1.0
    assert [case["nearest"] for case in content["per_case"]] == ["000000"] * 3
    assert set(MEASURES) <= set(content["per_case"][0])

    console = Console(width=200, record=True, file=(tmp_path / "table.txt").open("w"))
    console.print(statistics_table([found], reference))
    table = console.export_text()
    assert "skulls (reference)" in table
    assert "1 no defect" in table
    assert f"{middle:.0f} ({low:.0f} to {high:.0f})  KS 1.00" in table
    assert f"{found.diversity:.2f}" in table

    plot_statistics([found], reference, tmp_path / "sets.png")
    with Image.open(tmp_path / "sets.png") as picture:
        colours = np.asarray(picture.convert("RGB"), dtype=int).reshape(-1, 3)
    assert np.count_nonzero((colours[:, 2] - colours[:, 0]) > 120) > 300


def test_sets_without_defects_and_with_broken_cases(tmp_path: Path) -> None:
    whole = [np.minimum(labels, 1) for labels in training_heads()]
    folder = write(tmp_path / "whole", whole)
    torn = folder / "cases" / "000001.nrrd"
    torn.write_bytes(torn.read_bytes()[:-40])
    found = measure_set(read_data_set(folder), SIDE)
    assert found.names == ("000000", "000002", "000003")
    assert [case.name for case in found.broken] == ["000001"]
    assert found.quartiles("defect_ml") is None
    assert statistics_as_json(found)["per_case"][0]["defect_ml"] is None
    plot_statistics([found], None, tmp_path / "whole.png")
    assert "-" in str(statistics_table([found], None).columns[1]._cells)
    for path in (folder / "cases").iterdir():
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="no case could be read"):
        measure_set(read_data_set(folder), SIDE)


def test_the_side_is_the_sets_own(tmp_path: Path) -> None:
    assert natural_side(read_data_set(write(tmp_path / "made", training_heads()[:1]))) == SIDE
    (tmp_path / "scans").mkdir()
    write_volume(Volume(np.ones((9, 9, 9), dtype=np.uint8), np.eye(4)), tmp_path / "scans" / "a.nrrd")
    assert natural_side(read_data_set(tmp_path / "scans")) == 64
