"""Cases and cohorts: what is compared with what, what is averaged, and how it is reported."""

from __future__ import annotations

import argparse
import csv
import json

import numpy as np
import pytest
from scipy import stats

from CranialReconstructionLib.cli.evaluate import COMMAND
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.evaluation.case import as_mask, evaluate_case
from CranialReconstructionLib.evaluation.cohort import METRICS, Cohort, evaluate_cohort, paired_wilcoxon
from CranialReconstructionLib.evaluation.matching import match_cases
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume

SPACING = (0.5, 0.5, 1.0)
SHAPE = (24, 44, 44)
OBLIQUE = np.array([[0.0, -0.5, 0.0, 30.0], [0.4, 0.0, 0.6, -20.0], [-0.3, 0.0, 0.8, 10.0], [0.0, 0.0, 0.0, 1.0]])
DICE = METRICS[0]
POOLED = METRICS[3]


def volume(voxels, name="volume"):
    return Volume(voxels, np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0]), name)


def implant(shift=0, size=8, dtype=np.uint8):
    voxels = np.zeros(SHAPE, dtype=dtype)
    voxels[8 : 8 + size, 16 + shift : 16 + shift + size, 16 : 16 + size] = 1
    return volume(voxels)


def skull():
    voxels = np.zeros(SHAPE, dtype=np.uint8)
    voxels[4:20, 12:32, 12:32] = 1
    return volume(voxels & ~implant().voxels & 1)


def nothing():
    return volume(np.zeros(SHAPE, dtype=np.uint8))


def cohort_of(*shifts):
    return Cohort({f"{n:03d}": evaluate_case(implant(shift), implant(), skull()) for n, shift in enumerate(shifts)})


@pytest.fixture
def folders(tmp_path):
    """Truths and skulls 000 to 003; predictions 000, 001 in a subfolder, an empty 002, and a stranger."""
    for name in ("000", "001", "002", "003"):
        write_volume(implant(), tmp_path / "truth" / f"{name}.nrrd")
        write_volume(skull(), tmp_path / "skull" / f"{name}.nrrd")
    write_volume(implant(1), tmp_path / "prediction" / "000.nii.gz")
    write_volume(implant(2), tmp_path / "prediction" / "001" / "defect.nrrd")
    write_volume(implant(2), tmp_path / "prediction" / "001" / "complete.nrrd")
    write_volume(nothing(), tmp_path / "prediction" / "002.nrrd")
    write_volume(implant(), tmp_path / "prediction" / "stranger.nrrd")
    (tmp_path / "prediction" / "notes.txt").write_text("not a volume")
    return tmp_path


def run(*words):
    parser = argparse.ArgumentParser()
    COMMAND.add_arguments(parser)
    return COMMAND.run(parser.parse_args([str(word) for word in words]))


def test_a_perfect_prediction_has_perfect_figures():
    scores = evaluate_case(implant(), implant(), skull())
    assert scores.dice == scores.boundary_dice == scores.surface_dice == 1.0
    assert scores.hausdorff95_pooled == scores.hausdorff95_directed == scores.mean_surface_distance == 0.0
    assert scores.prediction_ml == pytest.approx(8**3 * 0.25 / 1000)
    assert not scores.failed


def test_a_case_has_the_figures_of_its_shift():
    scores = evaluate_case(implant(2), implant(), skull())
    assert scores.dice == pytest.approx(6 / 8)
    # Two of eight layers of 0.5 mm: the far faces are 1 mm away.
    assert scores.hausdorff95_pooled == pytest.approx(1.0)
    assert scores.surface_dice == 1.0
    assert evaluate_case(implant(2), implant(), surface_tolerance=0.4).surface_dice < 0.8


def test_the_same_case_on_an_oblique_grid_has_the_same_figures():
    straight = evaluate_case(implant(3), implant(), skull())
    parts = [Volume(part.voxels, OBLIQUE) for part in (implant(3), implant(), skull())]
    assert np.allclose(np.linalg.norm(OBLIQUE[:3, :3], axis=0), SPACING)
    oblique = evaluate_case(*parts)
    for metric in METRICS:
        assert getattr(oblique, metric.field) == pytest.approx(getattr(straight, metric.field))


def test_a_cropped_case_has_the_same_figures():
    # 10 mm around an implant of 4 x 4 x 8 mm are the whole height and 20 voxels in the plane.
    wide = [Volume(np.pad(part.voxels, 30), part.ijk_to_ras) for part in (implant(3), implant(), skull())]
    assert evaluate_case(*wide) == evaluate_case(implant(3), implant(), skull())


@pytest.mark.parametrize("with_skull", [True, False])
def test_empty_masks_have_defined_figures(with_skull):
    bone = skull() if with_skull else None
    both = evaluate_case(nothing(), nothing(), bone)
    assert both.dice == both.surface_dice == 1.0
    assert both.boundary_dice == (1.0 if with_skull else None)
    assert both.hausdorff95_pooled == both.hausdorff95_directed == both.mean_surface_distance == 0.0
    assert both.prediction_empty
    assert both.truth_empty
    assert not both.failed

    for prediction, truth in ((nothing(), implant()), (implant(), nothing())):
        one = evaluate_case(prediction, truth, bone)
        assert one.dice == one.surface_dice == 0.0
        assert one.boundary_dice == (0.0 if with_skull else None)
        assert one.hausdorff95_pooled is one.hausdorff95_directed is one.mean_surface_distance is None
        assert one.failed
        assert one.prediction_empty == (prediction.voxels.max() == 0)


def test_another_grid_is_refused_with_both_grids_named():
    half_a_voxel_on = implant().ijk_to_ras.copy()
    half_a_voxel_on[0, 3] += 0.25
    moved = Volume(implant().voxels, half_a_voxel_on, "moved.nrrd")
    with pytest.raises(UserError, match=r"moved\.nrrd.*grid") as caught:
        evaluate_case(moved, implant())
    assert "resample" in caught.value.remedy
    smaller = volume(implant().voxels[1:], "smaller.nrrd")
    with pytest.raises(UserError, match="44x44x23"):
        evaluate_case(implant(), implant(), smaller)


def test_integers_above_zero_and_two_valued_floats_are_masks():
    labels = volume(np.array([[[0, 1, 3, -2]]], dtype=np.int32))
    assert as_mask(labels).tolist() == [[[False, True, True, False]]]
    assert as_mask(volume(np.array([[[0.0, 0.5]]]))).tolist() == [[[False, True]]]
    assert not as_mask(volume(np.zeros((1, 2, 3), dtype=np.float32))).any()
    for voxels in ([0.0, 0.5, 1.0], [0.0, -1.0, 1.0], [0.0, np.nan, 1.0]):
        with pytest.raises(UserError, match="mask was expected"):
            as_mask(volume(np.array([[voxels]]), "confidence.nrrd"))
    with pytest.raises(UserError, match="mask was expected"):
        as_mask(volume(np.array([[[-1000, 40, 1200]]], dtype=np.int16), "ct.nrrd"))


def test_cohort_figures_are_those_of_its_cases():
    cohort = cohort_of(0, 1, 2, 4)
    summary = cohort.summary(DICE)
    expected = np.array([8, 7, 6, 4]) / 8
    assert summary.mean == pytest.approx(expected.mean())
    assert summary.median == pytest.approx(np.median(expected))
    assert summary.std == pytest.approx(expected.std(ddof=1))
    assert (summary.worst, summary.worst_case, summary.count) == (0.5, "003", 4)
    # The worst distance is the largest.
    assert cohort.summary(POOLED).worst == max(cohort.values(POOLED).values()) > 0
    assert cohort.summary(POOLED).worst_case == "003"


def test_failures_count_in_overlaps_and_are_left_out_of_distances():
    cases = dict(cohort_of(0, 2).cases)
    cases["empty"] = evaluate_case(nothing(), implant(), skull())
    cohort = Cohort(cases)
    assert cohort.failures == ("empty",)
    assert cohort.summary(DICE).mean == pytest.approx((1 + 0.75 + 0) / 3)
    assert cohort.summary(DICE).worst_case == "empty"
    assert cohort.summary(POOLED).count == 2
    assert Cohort({"empty": cases["empty"]}).summary(POOLED) is None


def test_paired_test_is_scipys_and_pairs_by_name():
    better, worse = cohort_of(0, 1, 1, 2, 0, 1, 2), cohort_of(4, 2, 3, 3, 1, 4, 5)
    shuffled = Cohort({"stranger": worse.cases["000"], **dict(reversed(worse.cases.items()))})
    result = paired_wilcoxon(better, shuffled, DICE)
    first = [scores.dice for scores in better.cases.values()]
    second = [scores.dice for scores in worse.cases.values()]
    assert result.count == 7
    assert result.p_value == pytest.approx(stats.wilcoxon(first, second).pvalue)
    assert result.median_difference > 0
    assert paired_wilcoxon(better, better, DICE).p_value == 1.0
    with pytest.raises(UserError, match="no case"):
        paired_wilcoxon(better, Cohort({"other": worse.cases["000"]}), DICE)


def test_folders_are_matched_by_name(folders):
    matching = match_cases(folders / "prediction", folders / "truth", folders / "skull")
    assert [case.name for case in matching.cases] == ["000", "001", "002"]
    assert matching.cases[0].prediction.name == "000.nii.gz"
    assert matching.cases[1].prediction == folders / "prediction" / "001" / "defect.nrrd"
    assert matching.without_prediction == ("003",)
    assert matching.without_truth == ("stranger",)
    assert matching.without_skull == ()
    (folders / "skull" / "001.nrrd").unlink()
    matching = match_cases(folders / "prediction", folders / "truth", folders / "skull")
    assert matching.without_skull == ("001",)
    assert evaluate_cohort(matching.cases).cases["001"].boundary_dice is None


def test_a_file_finds_its_skull_in_a_folder(folders):
    prediction, truth = folders / "prediction" / "001" / "defect.nrrd", folders / "truth" / "001.nrrd"
    (case,) = match_cases(prediction, truth, folders / "skull").cases
    assert (case.name, case.skull) == ("001", folders / "skull" / "001.nrrd")


@pytest.mark.parametrize(
    ("prediction", "truth", "skull_path", "message"),
    [
        ("prediction", "truth/000.nrrd", None, "one is a file"),
        ("absent", "truth", None, "no such file"),
        ("prediction", "truth", "skull/000.nrrd", "one skull"),
        ("other", "truth", None, "no name"),
        ("twice", "truth", None, "two files"),
    ],
)
def test_what_cannot_be_matched_is_refused(folders, prediction, truth, skull_path, message):
    write_volume(implant(), folders / "other" / "x.nrrd")
    write_volume(implant(), folders / "twice" / "000.nrrd")
    write_volume(implant(), folders / "twice" / "000.nii.gz")
    with pytest.raises(UserError, match=message):
        match_cases(folders / prediction, folders / truth, folders / skull_path if skull_path else None)


def test_command_prints_a_table_and_writes_json_and_csv(folders, capsys):
    status = run(
        folders / "prediction", folders / "truth", "--skull", folders / "skull",
        "--json", folders / "out" / "scores.json", "--csv", folders / "out" / "scores.csv",
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert status == 0
    assert "0.8750" in printed
    assert "002 (failed)" in printed
    assert "No prediction, not counted: 003." in printed
    assert "No truth, not counted: stranger." in printed

    written = json.loads((folders / "out" / "scores.json").read_text())
    assert written["cases"]["001"]["dice"] == pytest.approx(0.75)
    assert written["cases"]["002"]["hausdorff95_pooled"] is None
    assert written["summary"]["dice"]["mean"] == pytest.approx((0.875 + 0.75 + 0) / 3)
    assert written["summary"]["hausdorff95_pooled"]["count"] == 2
    assert written["failures"] == ["002"]
    assert written["without_prediction"] == ["003"]
    assert written["definitions"].keys() == written["summary"].keys()

    with (folders / "out" / "scores.csv").open() as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert float(rows["000"]["dice"]) == pytest.approx(0.875)
    assert rows["002"]["hausdorff95_pooled"] == ""
    assert not list((folders / "out").glob(".*"))


def test_command_on_two_files_says_that_boundary_dice_is_left_out(folders, capsys):
    assert run(folders / "prediction" / "000.nii.gz", folders / "truth" / "000.nrrd") == 0
    printed = capsys.readouterr().out
    assert "bDSC is left out" in printed
    assert "mean" not in printed


@pytest.mark.parametrize("tolerance", ["-1", "nan", "inf"])
def test_command_refuses_a_tolerance_that_is_no_length(folders, tolerance):
    with pytest.raises(UserError, match="tolerance"):
        run(folders / "prediction", folders / "truth", f"--tolerance={tolerance}")


def test_a_table_that_cannot_be_written_is_a_mendable_error(folders):
    (folders / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        run(folders / "prediction", folders / "truth", "--json", folders / "file" / "scores.json")
