"""The Trainer's actions as a script calls them, with real processes, and runs as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trainer_scene import TrainerApplication
from training_runs import begin, new_run, report, write_label_cases

from CranialAugmentationTrainerLib.scene.loss_curves import choose_curves, chosen_curves, curve, loss_chart, runs_shown
from CranialAugmentationTrainerLib.scene.preview_surfaces import previews_of
from CranialAugmentationTrainerLib.scene.sequences import frame_values
from CranialAugmentationTrainerLib.scene.training_views import LAYOUT, add_layout, show_chart
from CranialAugmentationTrainerLib.workflow.latent_orders import InterpolationOrder
from CranialAugmentationTrainerLib.workflow.run_rows import concerns_of, row_of
from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch
from CranialAugmentationTrainerLib.workflow.set_orders import SyntheticOrder
from CranialAugmentationTrainerLib.workflow.trainer_actions import TrainerActions
from CranialReconstructionLib.errors import UserError

SETTINGS = ("steps=6", "report=2", "validate=3", "checkpoint=3", "preview=3", "previews=2", "threads=1")


class Actions(TrainerActions):
    """Of a scene without an application."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def trainer_node(self) -> Any:
        return self._node


def test_a_run_from_its_start_to_its_curves_in_documented_lines(tmp_path: Path) -> None:
    application = TrainerApplication(tmp_path / "cache")
    data = write_label_cases(tmp_path / "data", 8)
    actions = Actions(application.trainer())
    run = tmp_path / "runs" / "first"
    watch = actions.start_run("vae", [data], run, "tiny", SETTINGS)
    assert watch.run.state in ("starting", "running", "done")
    assert actions.wait_for_run(run).state == "done"
    assert [found.folder for found in actions.runs(tmp_path / "runs")] == [run]
    chart = actions.show_run(run)
    assert chart is loss_chart(actions.trainer_node())
    assert runs_shown(actions.trainer_node()) == {str(run): "first"}
    assert list(curve(actions.trainer_node(), str(run), "loss")[0]) == [2, 4, 6]
    assert frame_values(previews_of(actions.trainer_node(), str(run))) == [3.0, 6.0]
    with pytest.raises(UserError, match="done"):
        actions.resume_run(run)
    actions.resume_run(run, steps=8)
    assert (actions.wait_for_run(run).state, actions.wait_for_run(run).step) == ("done", 8)
    made = actions.make_set(SyntheticOrder(run, count=3, keep_all=True), tmp_path / "made")
    assert (made.state, made.accepted) == ("done", 3)
    way = actions.interpolate(InterpolationOrder(run, "0", "3", 4), tmp_path / "way")
    assert frame_values(way) == pytest.approx([0.0, 1 / 3, 2 / 3, 1.0], abs=1e-6)
    assert actions.check_data([data], tmp_path / "check").cases == 8
    second = tmp_path / "runs" / "second"
    actions.duplicate_run(run, second, ["steps=100000"])
    stopped = actions.stop_run(second)
    # One that was just starting is ended at once, and one that trains writes a checkpoint first.
    assert stopped.state in ("stopped", "failed")
    assert stopped.configuration.get("steps", 100000) == 100000
    application.scene.Clear(True)


def test_a_row_tells_a_run_in_words(tmp_path: Path) -> None:
    run = new_run(tmp_path / "vae")
    begin(run)
    report(run, 3)
    watch = RunWatch(run.path)
    row = row_of(watch.run)
    assert (row.run, row.name) == (run.path, "vae")
    assert row.step.startswith("3 of ")
    assert float(row.loss) == pytest.approx(watch.run.losses["loss"], rel=1e-3)
    assert str(run.path) in row.about


def test_concerns_say_what_has_happened_and_what_to_do(tmp_path: Path) -> None:
    run = new_run(tmp_path / "vae")
    begin(run)
    run.log("warning", problem="the samples are all alike")
    run.log("left_out", cases=2)
    concerns = concerns_of(RunWatch(run.path).run, silence=0.0)
    assert any("Resume" in sentence for sentence in concerns)
    assert "the samples are all alike" in concerns
    assert any("2 cases" in sentence for sentence in concerns)
    with run.held():
        watch = RunWatch(run.path)
        assert watch.run.state == "running"
        assert not any("heard" in sentence for sentence in concerns_of(watch.run, silence=60.0))
        assert any("heard" in sentence for sentence in concerns_of(watch.run, silence=7200.0))


def test_what_is_chosen_of_the_curves_is_told_again(tmp_path: Path) -> None:
    application = TrainerApplication(tmp_path / "cache")
    trainer = application.trainer()
    assert chosen_curves(trainer) == (("loss",), frozenset())
    choose_curves(trainer, ["kl", "loss"], ["/b"])
    assert chosen_curves(trainer) == (("kl", "loss"), frozenset({"/b"}))
    application.scene.Clear(True)


def test_views_show_the_chart(tmp_path: Path) -> None:
    application = TrainerApplication(tmp_path / "cache")
    layout = application.scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    add_layout(layout)
    add_layout(layout)
    layout.SetViewArrangement(LAYOUT)
    assert layout.GetViewArrangement() == LAYOUT
    view = application.scene.AddNewNodeByClass("vtkMRMLPlotViewNode")
    chart = loss_chart(application.trainer())
    show_chart(application.scene, chart)
    assert view.GetPlotChartNodeID() == chart.GetID()
    application.scene.Clear(True)
