"""Networks of finished runs compared on skulls that none has seen, and made into model packages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch

from CranialAugmentationTrainerLib.cli import compare_networks as compare_command
from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.datasets.synthetic_set import SetRecord, SyntheticSet
from CranialAugmentationTrainerLib.study.comparison import PARTS, Comparison, read_comparison, write_comparison
from CranialAugmentationTrainerLib.study.comparison_figures import differences, holm
from CranialAugmentationTrainerLib.study.comparison_plot import plot_comparison
from CranialAugmentationTrainerLib.study.comparison_table import comparison_table
from CranialAugmentationTrainerLib.study.grid_measuring import ANYWHERE, OWN
from CranialAugmentationTrainerLib.study.measured_figures import measured_figures
from CranialAugmentationTrainerLib.study.network_comparison import RESOLUTION, compare_networks
from CranialAugmentationTrainerLib.study.seen_skulls import skulls_seen
from CranialAugmentationTrainerLib.training.network_packaging import network_coverage, package_network
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training import train_method, trained_case_network
from CranialAugmentationTrainerLib.training.training_settings import training_settings
from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.evaluation.case import CaseScores
from CranialReconstructionLib.imaging.files import read_volume, write_volume
from CranialReconstructionLib.imaging.head_grid import PAPER_BOX, head_grid
from CranialReconstructionLib.imaging.resampling import occupancy
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.reconstruction.model_package import load_package
from CranialReconstructionLib.reconstruction.predictor import Predictor

SPLIT = Split(("000", "001"), ("003", "004"), ("005",))
EDGE = 8.0


def ball_case(number: int, voxels: int = 32) -> tuple[Volume, Volume]:
    """A ball of bone of 1.5 litres, somewhere in space, and a lump that is missing on its left; each another one."""
    matrix = np.diag([EDGE, EDGE, EDGE, 1.0])
    matrix[:3, 3] = 30.0 - 0.5 * EDGE * voxels
    places = EDGE * np.stack(np.meshgrid(*3 * [np.arange(voxels) - (voxels - 1) / 2], indexing="ij"))
    outer = 84.0 + number
    radius = np.linalg.norm(places, axis=0)
    bone = (radius < outer) & (radius > outer - 20.0)
    centre = outer * np.array([0.6 * np.sin(0.5 * number), 0.6 * np.cos(0.5 * number), 0.8])
    missing = bone & (np.linalg.norm(places - centre[:, None, None, None], axis=0) < 50.0)
    skull, defect = (Volume(mask.astype(np.uint8), matrix, "a ball") for mask in (bone & ~missing, missing))
    return skull, defect


def write_cases(folder: Path, names: Sequence[str]) -> None:
    for case in names:
        for name, mask in zip(("skull", "defect"), ball_case(int(case)), strict=True):
            write_volume(mask, folder / case / f"{name}.nrrd")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cases, a split of them, and runs "plain", "larger" (a finer grid) and "other" (another split)."""
    place = tmp_path_factory.mktemp("comparison")
    write_cases(place / "data", ("000", "001", "003", "004", "005"))
    SPLIT.write(place / "split.json")
    for name, words in (("plain", ("steps=60", "preview=60")), ("larger", ("steps=2", "side=24", "preview=2"))):
        settings = training_settings("reconstruction", "tiny", words)
        run = RunFolder(place / name)
        train_method(settings, [place / "data"], run, split=place / "split.json", cache=place / "cache")
    shutil.copytree(place / "plain", place / "other")
    Split(("003", "004", "005"), ("000",), ("001",)).write(place / "other" / "split.json")
    return place


@pytest.fixture(scope="module")
def comparison(place: Path) -> Comparison:
    """Of a trained network and one that has hardly begun."""
    runs = [place / "plain", place / "larger"]
    return compare_networks(runs, place / "data", place / "cache", own_resolution=True, command="cranial ...")


def scores(dice: float) -> CaseScores:
    return CaseScores(dice, None, dice, 1.0 - dice, None, None, 1.0, 1.0, False, False, 1.0)


def test_every_skull_is_measured_alike_with_both_networks(comparison: Comparison) -> None:
    assert comparison.skulls == ("003", "004")
    assert [network.name for network in comparison.networks] == ["plain", "larger"]
    assert [kind.name for kind in comparison.kinds] == [OWN, ANYWHERE, RESOLUTION]
    # The finest of the grids.
    assert comparison.voxel_mm == pytest.approx(256.0 / 24.0)
    first, second = (comparison.scores[network.name] for network in comparison.networks)
    for kind in comparison.kinds:
        assert list(first[kind.name]) == list(second[kind.name])
        truth = [[case["truth_ml"] for case in found[kind.name].values()] for found in (first, second)]
        assert truth[0] == truth[1]
    assert len(first[OWN]) == 2
    assert len(first[ANYWHERE]) > 4
    assert set(comparison.skull_of.values()) == {"003", "004"}
    assert comparison.winner in ("plain", "larger")


def test_with_too_few_skulls_no_difference_is_claimed(comparison: Comparison) -> None:
    assert len(comparison.verdicts()) == 3
    assert all("2 skulls are too few" in verdict for verdict in comparison.verdicts())
    assert not any(difference.beyond_chance for difference in comparison.differences)


def test_what_was_found_is_read_as_it_was_written(comparison: Comparison, tmp_path: Path) -> None:
    path = write_comparison(comparison, tmp_path)
    assert read_comparison(path) == read_comparison(tmp_path) == comparison
    path.write_text(json.dumps({"winner": "nobody"}))
    with pytest.raises(UserError):
        read_comparison(tmp_path)
    plot_comparison(comparison, tmp_path / "boxes.png")
    assert (tmp_path / "boxes.png").read_bytes().startswith(b"\x89PNG")
    assert comparison_table(comparison).row_count == 9


def test_the_command_writes_and_prints(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare-networks", str(place / "plain"), str(place / "larger"), "--data", str(place / "data")]
    words += ["--part", "test", "-o", str(tmp_path), "--cache", str(place / "cache"), "--device", "cpu", "--json"]
    assert main(words, [_point("compare_networks")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "comparison.json").read_text())
    assert printed["skulls"] == ["005"]
    assert (tmp_path / "comparison.png").is_file()
    assert compare_command.PARTS == PARTS


def test_a_clear_difference_is_more_than_chance_and_a_skull_counts_once() -> None:
    cases = [f"{skull:02d}-{cut}" for skull in range(10) for cut in range(4)]
    skull_of = {case: case[:2] for case in cases}
    rng = np.random.default_rng(0)
    base = rng.uniform(0.4, 0.6, len(cases))
    found = {
        "good": {ANYWHERE: {case: scores(value + 0.2) for case, value in zip(cases, base, strict=True)}},
        "poor": {ANYWHERE: {case: scores(value) for case, value in zip(cases, base, strict=True)}},
        "same": {ANYWHERE: {case: scores(value) for case, value in zip(cases, base, strict=True)}},
    }
    told = {(entry.first, entry.second): entry for entry in differences(found, skull_of) if entry.figure == "dice"}
    assert told["good", "poor"].count == 10
    assert told["good", "poor"].median == pytest.approx(0.2)
    # All of ten pairs on one side: 2 / 2^10, times 3 for as many pairs of networks.
    assert told["good", "poor"].p_value == pytest.approx(2.0**-9)
    assert told["good", "poor"].corrected == pytest.approx(3.0 * 2.0**-9)
    assert told["good", "poor"].beyond_chance
    assert (told["poor", "same"].p_value, told["poor", "same"].corrected) == (1.0, 1.0)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_runs_that_kept_different_skulls_apart_are_not_compared(place: Path) -> None:
    with pytest.raises(UserError, match="kept different skulls apart"):
        compare_networks([place / "plain", place / "other"], place / "data", place / "cache")
    # Whoever names the skulls is told that one of the networks knows them.
    with pytest.raises(UserError, match="other has seen the skull 003 and 1 more"):
        compare_networks(
            [place / "plain", place / "other"], place / "data", place / "cache", split=place / "split.json"
        )


def test_what_is_no_run_of_a_network_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        compare_networks([place / "plain", tmp_path], place / "data", place / "cache")
    with pytest.raises(UserError, match="named twice"):
        compare_networks([place / "plain", place / "plain"], place / "data", place / "cache")
    write_cases(tmp_path / "strangers", ("009",))
    with pytest.raises(UserError, match="no skull that was kept apart"):
        compare_networks([place / "plain"], tmp_path / "strangers", place / "cache")


def synthetic_run(folder: Path, made: SyntheticSet) -> RunFolder:
    """A run that learned from a synthetic set, kept 003 and 004 apart, and has not seen them itself."""
    run = RunFolder(folder)
    run.create({"method": "reconstruction"}, [made.path])
    Split((), ("003",), ()).write(run.split)
    return run


@pytest.mark.parametrize(
    ("facts", "how"),
    [
        ({"skull": "004", "sources": ["004"]}, "was made of it"),
        ({"skull": "000", "sources": ["000", "004"]}, "was made of it"),
        ({"skull": "003", "sources": ["003", "004"]}, None),
        ({"skull": "000", "sources": ["000", "001"]}, None),
    ],
)
def test_a_set_made_of_a_skull_has_shown_it(tmp_path: Path, facts: dict[str, object], how: str | None) -> None:
    """But for cases of a skull that the run keeps apart: those have taught it nothing."""
    made = SyntheticSet(tmp_path / "warped")
    made.begin({"method": "registration"})
    made.volume(0).parent.mkdir()
    made.volume(0).touch()
    made.append(SetRecord(0, file="cases/000000.nrrd", facts=facts))
    seen = skulls_seen(synthetic_run(tmp_path / "run", made), {"003": "003", "004": "004"})
    assert list(seen.skulls) == (["004"] if how else [])
    assert all(str(how) in told for told in seen.skulls.values())
    assert seen.untold == ()


def test_a_generator_that_learned_from_a_skull_has_shown_it(tmp_path: Path) -> None:
    generator = RunFolder(tmp_path / "vae")
    generator.create({"method": "vae"}, [tmp_path])
    Split(("000", "004"), ("003",), ()).write(generator.split)
    made = SyntheticSet(tmp_path / "generated")
    made.begin({"method": "vae"}, str(generator.path))
    made.append(SetRecord(0, rejected="empty"))
    run = synthetic_run(tmp_path / "run", made)
    asked = {"004": "004"}
    assert skulls_seen(run, asked).skulls == {"004": "generated was made by vae, which learned from it"}
    # Where that cannot be known it is told.
    generator.split.unlink()
    seen = skulls_seen(run, asked)
    assert not seen.skulls
    assert "does not tell the skulls" in seen.untold[0]


@pytest.fixture(scope="module")
def package(place: Path, comparison: Comparison) -> Path:
    """The plain run as a model package."""
    folder, run = place / "packages" / "ball-net", RunFolder(place / "plain")
    package_network(
        run,
        folder,
        name="ball-net",
        version="1.0",
        description="Balls.",
        licence="CC0-1.0",
        data="balls of bone",
        figures=measured_figures(comparison, run.path),
        coverage=network_coverage(run),
    )
    return folder


def test_a_package_gives_the_probabilities_of_its_run(place: Path, package: Path) -> None:
    predictor = Predictor(load_package(package), torch.device("cpu"))
    skull = torch.from_numpy(occupancy(ball_case(4)[0], head_grid(ball_case(4)[0], 16.0, PAPER_BOX)).voxels)[None, None]
    run = trained_case_network(RunFolder(place / "plain")).found(skull)
    # Weights are kept in half precision.
    torch.testing.assert_close(predictor.ask_head(skull), run, atol=5e-3, rtol=0.0)
    assert float(run.max()) > 0.5


def test_a_package_reconstructs_on_the_grid_of_its_input(place: Path, package: Path) -> None:
    predictor = Predictor(load_package(package), torch.device("cpu"))
    # What it was trained on it knows, wherever the head lies and however its file is laid out.
    skull, truth = ball_case(0)
    turned = Volume(skull.voxels[::-1].transpose(1, 0, 2).copy(), _turned(skull), "a ball")
    found = predictor.reconstruct(turned)
    assert found.defect.grid.same_as(turned.grid)
    assert found.confidence.grid.same_as(turned.grid)
    assert not (found.defect.voxels & turned.voxels).any()
    assert 0.0 <= float(found.confidence.voxels.min()) <= float(found.confidence.voxels.max()) <= 1.0
    wanted = truth.voxels[::-1].transpose(1, 0, 2)
    assert 2.0 * (found.defect.voxels & wanted).sum() / (found.defect.voxels.sum() + wanted.sum()) > 0.6


def _turned(volume: Volume) -> np.ndarray:
    """The matrix of its voxels turned upside down along K, which then changes places with J."""
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 3] += (volume.voxels.shape[0] - 1) * matrix[:3, 2]
    matrix[:3, 1], matrix[:3, 2] = -matrix[:3, 2].copy(), matrix[:3, 1].copy()
    return matrix


def test_the_manifest_tells_data_figures_and_ranges(package: Path, comparison: Comparison, place: Path) -> None:
    manifest = load_package(package).manifest
    assert manifest.training.data[0].cases == 2
    assert manifest.training.command.startswith("cranial train reconstruction --data data --preset tiny")
    assert {"likeness", "head_scale", "bone_ml"} == set(manifest.coverage)
    line = comparison.line("plain", RESOLUTION, "dice")
    assert line.mean is not None
    assert manifest.figures[0].value == pytest.approx(line.mean, abs=1e-4)
    assert "resolution" in manifest.figures[0].cases
    with pytest.raises(UserError, match="has not measured this run"):
        measured_figures(comparison, place / "other")
    # A case with far less bone than any training skull is warned about.
    ball = ball_case(0)[0]
    lower = ball.voxels.copy()
    lower[:, 10:] = 0
    small = Predictor(load_package(package), torch.device("cpu")).reconstruct(ball.with_voxels(lower))
    assert any("amount of bone" in warning for warning in small.warnings)


def test_the_command_installs_a_model_that_reconstructs(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "share"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    words = ["package-network", str(place / "plain"), "-o", str(tmp_path / "out"), "--name", "ball-net"]
    words += ["--licence", "CC0-1.0", "--data", "balls", "--install"]
    assert main(words, [_point("package_network")]) == 0
    assert "Installed in" in capsys.readouterr().out
    # The name is taken now.
    assert main(words, [_point("package_network")]) == 2
    assert main([*words, "--force"], [_point("package_network")]) == 0
    skull = ball_case(3)[0]
    write_volume(skull, tmp_path / "skull.nrrd")
    folder = tmp_path / "found"
    assert main(["reconstruct", str(tmp_path / "skull.nrrd"), "--model", "ball-net", "-o", str(folder)]) == 0
    assert read_volume(folder / "defect.nrrd").grid.same_as(skull.grid)


def test_a_run_of_a_generator_is_no_network(place: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "vae")
    run.create(training_settings("vae", "tiny").as_json(), [place / "data"])
    with pytest.raises(UserError, match="run of a generator"):
        package_network(
            run, tmp_path / "package", name="a", version="1", description="a", licence="a", data="a", coverage={}
        )


def _point(name: str) -> EntryPoint:
    room = "CranialAugmentationTrainerLib.cli"
    return EntryPoint(name.replace("_", "-"), f"{room}.{name}:COMMAND", group="cranial.commands")
