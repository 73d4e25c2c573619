"""Networks compared and installed, as the panel does it: orders, results in the scene, the model that is offered."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from trainer_scene import TrainerApplication, reopened
from training_runs import STEPS, begin, new_run, write_label_cases

from CranialAugmentationTrainerLib.scene.comparison_table import tables_of
from CranialAugmentationTrainerLib.scene.plot_nodes import column_of
from CranialAugmentationTrainerLib.study.comparison import (
    ComparedNetwork,
    Comparison,
    Difference,
    Figure,
    Kind,
    Line,
    write_comparison,
)
from CranialAugmentationTrainerLib.workflow.commands import Command
from CranialAugmentationTrainerLib.workflow.commands import begin as begin_command
from CranialAugmentationTrainerLib.workflow.comparing import (
    ComparisonFolder,
    ComparisonOrder,
    InstallOrder,
    comparable,
    names_best_first,
    plain_name,
    proposed_folders,
    rows_of,
    show_comparison,
)
from CranialAugmentationTrainerLib.workflow.local_runs import start_run
from CranialAugmentationTrainerLib.workflow.run_order import RunOrder
from CranialAugmentationTrainerLib.workflow.run_watch import RunsWatch, RunWatch
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.workflow.models import list_models

pytest.importorskip("slicer")

SECONDS = 240.0


def some_comparison() -> Comparison:
    """Two networks, one kind, one figure, two cases; the second network has no figure for one of them."""
    networks = tuple(ComparedNetwork(name, f"/runs/{name}", "tiny", 16, 20, 5, ("skulls",), "none") for name in "ab")
    lines = (
        Line("a", "own", "dice", 2, 0, 0.7, 0.7, 0.65, 0.75),
        Line("b", "own", "dice", 1, 1, 0.5, 0.5, 0.5, 0.5),
    )
    return Comparison(
        data="/skulls",
        part="validation",
        voxel_mm=16.0,
        skulls=("1", "2"),
        networks=networks,
        kinds=(Kind("own", "the skulls' own defects"),),
        figures=(Figure("dice", "DSC", "Dice", True),),
        lines=lines,
        differences=(Difference("own", "dice", "a", "b", 1, 0.2, 1.0, 1.0),),
        scores={
            "a": {"own": {"1": {"dice": 0.8}, "2": {"dice": 0.6}}},
            "b": {"own": {"1": {"dice": 0.5}, "2": {"dice": None}}},
        },
        skull_of={"1": "1", "2": "2"},
        winner="a",
        rule="the highest",
        warnings=(),
        command="cranial compare-networks a b",
    )


def test_only_finished_networks_are_compared(tmp_path: Path) -> None:
    for name, method, ending in (("a", "reconstruction", "done"), ("b", "vae", "done"), ("c", "reconstruction", "")):
        run = new_run(tmp_path / name, method)
        begin(run)
        if ending:
            run.log(ending, steps=STEPS)
    runs = comparable(RunsWatch([tmp_path]).runs)
    assert [run.folder.name for run in runs] == ["a"]
    assert proposed_folders(runs) == (tmp_path, tmp_path / "comparison")
    assert proposed_folders(()) == (Path(), Path())


def test_an_order_that_cannot_be_done_says_what_is_missing(tmp_path: Path) -> None:
    order = ComparisonOrder((tmp_path / "a", tmp_path / "b"), tmp_path, "test", own_resolution=True)
    words = order.words(tmp_path / "out")
    assert words[:3] == ["compare-networks", str(tmp_path / "a"), str(tmp_path / "b")]
    assert {"--part", "test", "--own-resolution"} < set(words)
    assert "--split" not in words
    with pytest.raises(UserError, match="fewer than two"):
        replace(order, runs=(tmp_path / "a",)).words(tmp_path / "out")
    with pytest.raises(UserError, match="no such folder"):
        replace(order, data=Path()).words(tmp_path / "out")
    with pytest.raises(UserError, match="no folder is chosen"):
        order.words(Path())


def test_a_model_is_not_installed_without_a_word_on_its_licence(tmp_path: Path) -> None:
    order = InstallOrder(tmp_path, "a-model", "CC0-1.0", "skulls", tmp_path / "comparison.json", replace=True)
    words = order.words(tmp_path / "package")
    assert words[:2] == ["package-network", str(tmp_path)]
    assert {"--install", "--force", "--figures"} < set(words)
    with pytest.raises(UserError, match="has no licence"):
        replace(order, licence=" ").words(tmp_path / "package")
    with pytest.raises(UserError, match="cannot be called 'My Model'") as refused:
        replace(order, name="My Model").words(tmp_path / "package")
    assert "my-model" in refused.value.remedy
    assert plain_name("Real + VAE!") == "real-vae"
    assert plain_name("+") == "model"


def test_results_are_read_once_they_are_there_and_again_when_they_change(tmp_path: Path) -> None:
    results = ComparisonFolder()
    results.look(tmp_path)
    assert (results.found, results.problem) == (None, "")
    assert not results.look(tmp_path)
    write_comparison(some_comparison(), tmp_path)
    assert results.look(tmp_path)
    assert results.found == some_comparison()
    assert not results.look(tmp_path)
    (tmp_path / "comparison.json").write_text("half of")
    assert results.look(tmp_path)
    assert results.found is None
    assert "not a comparison" in results.problem
    assert not results.look(tmp_path)
    assert "not a comparison" in results.problem


def test_rows_of_a_comparison_are_texts_for_a_person() -> None:
    comparison = some_comparison()
    rows = rows_of(comparison)
    assert [(row.network, row.best, row.kind, row.cases, row.failed) for row in rows] == [
        ("a", True, "own", "2", "0"),
        ("b", False, "own", "2", "1"),
    ]
    assert rows[0].figures == ("0.700 (0.650-0.750), 0.700",)
    assert "5 cases of skulls, augmentation none, 20 steps" in rows[0].about
    assert names_best_first(replace(comparison, winner="b")) == ("b", "a")
    assert comparison.verdicts() == (
        "DSC, the skulls' own defects: 1 skulls are too few to tell any difference from chance.",
    )
    clear = replace(comparison.differences[0], count=12, p_value=0.001, corrected=0.001)
    (verdict,) = replace(comparison, differences=(clear,)).verdicts()
    assert "a is better than b (median difference 0.200, p 0.001)" in verdict


def test_tables_of_a_comparison_are_saved_with_the_scene(tmp_path: Path) -> None:
    application = TrainerApplication(tmp_path / "cache")
    trainer = application.trainer()
    tables = show_comparison(trainer, tmp_path, some_comparison())
    again = show_comparison(trainer, tmp_path, some_comparison())
    assert {name: node.GetID() for name, node in tables.items()} == {name: node.GetID() for name, node in again.items()}
    _, trainer = reopened(application, tmp_path)
    there = tables_of(trainer, str(tmp_path))
    np.testing.assert_allclose(column_of(there["cases"], "DSC"), [0.8, 0.6, 0.5, np.nan])
    np.testing.assert_allclose(column_of(there["summary"], "median"), [0.7, 0.5])
    assert there["summary"].GetTable().GetColumnByName("network").GetValue(1) == "b"


def test_from_runs_to_a_model_that_the_other_module_offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With real processes, as the panel starts them."""
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "share"))
    data = write_label_cases(tmp_path / "data", 8)
    runs = [tmp_path / "runs" / name for name in ("first", "second")]
    words = ("steps=2", "split.validation=0.25", "split.test=0.0")
    start_run(RunOrder("reconstruction", (data,), "tiny", words, cache=tmp_path / "cache"), runs[0])
    watch = RunWatch(runs[0])
    end = time.monotonic() + SECONDS
    while watch.run.under_way:
        assert time.monotonic() < end
        time.sleep(0.1)
        watch.poll()
    assert watch.run.state == "done", watch.run.cause
    shutil.copytree(runs[0], runs[1])
    chosen = comparable(RunsWatch([tmp_path / "runs"]).runs)
    assert [run.folder for run in chosen] == runs

    folder = tmp_path / "comparison"
    order = ComparisonOrder(tuple(runs), data, cache=tmp_path / "cache")
    ended(begin_command("Compare", folder, order.words(folder)))
    results = ComparisonFolder()
    results.look(folder)
    assert results.found is not None
    assert len(results.found.skulls) == 2
    best = results.found.network(results.found.winner)

    install = InstallOrder(Path(best.run), "ball-net", "CC0-1.0", "balls", folder / "comparison.json")
    ended(begin_command("Install", folder / "install", install.words(folder / "packages" / "ball-net")))
    offered = {model.name: model for model in list_models()}
    assert "ball-net" in offered
    assert "Trained on: balls, CC0-1.0" in offered["ball-net"].describe()


def ended(command: Command) -> None:
    end = time.monotonic() + SECONDS
    while command.state == "working":
        assert time.monotonic() < end, command.launch.last_words()
        time.sleep(0.1)
    assert command.state == "done", command.problem()
