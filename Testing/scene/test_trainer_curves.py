"""Curves of several runs and points of a latent space, in tables and plots that a scene keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trainer_scene import TrainerApplication, reopened
from training_runs import write_embedding

from CranialAugmentationTrainerLib.scene.latent_plot import nearest_point, point_of, show_embedding
from CranialAugmentationTrainerLib.scene.loss_curves import (
    Curves,
    choose_curves,
    curve,
    curve_names,
    loss_chart,
    remove_run,
    runs_shown,
    show_run,
)
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.scene.case import case_nodes


@pytest.fixture
def application(tmp_path: Path) -> Iterator[TrainerApplication]:
    made = TrainerApplication(tmp_path / "cache-of-the-first")
    yield made
    made.scene.Clear(True)


def losses(steps: int, scale: float = 1.0) -> Curves:
    told = list(range(1, steps + 1))
    return {"loss": (told, [scale / step for step in told]), "kl": (told, [scale * step for step in told])}


def figures(steps: int) -> Curves:
    told = list(range(10, steps + 1, 10))
    return {"validation_dice": (told, [step / 100 for step in told])}


def shown(trainer: Any) -> list[tuple[str, str]]:
    chart = loss_chart(trainer)
    series = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    return [(node.GetTableNode().GetName(), node.GetYColumnName()) for node in series]


def ids(application: TrainerApplication) -> list[str]:
    nodes = application.scene.GetNodes()
    return [nodes.GetItemAsObject(number).GetID() for number in range(nodes.GetNumberOfItems())]


def test_curves_grow_in_the_nodes_that_are_there(application: TrainerApplication) -> None:
    trainer = application.trainer()
    show_run(trainer, "/runs/a", "a", {}, {})
    assert runs_shown(trainer) == {}
    show_run(trainer, "/runs/a", "a", losses(20), figures(20))
    before = ids(application)
    told = []
    table = application.scene.GetFirstNodeByName("a losses")
    table.AddObserver("ModifiedEvent", lambda *_: told.append(1))
    show_run(trainer, "/runs/a", "a", losses(40, 2.0), figures(40))
    assert told
    assert ids(application) == before
    steps, values = curve(trainer, "/runs/a", "loss")
    np.testing.assert_array_equal(steps, np.arange(1, 41))
    np.testing.assert_allclose(values, 2.0 / steps)
    np.testing.assert_array_equal(curve(trainer, "/runs/a", "validation_dice")[0], [10, 20, 30, 40])
    # A run that went back to its checkpoint is shorter again.
    show_run(trainer, "/runs/a", "a", losses(15), figures(10))
    assert len(curve(trainer, "/runs/a", "kl")[0]) == 15


def test_a_single_point_makes_no_line(application: TrainerApplication) -> None:
    trainer = application.trainer()
    show_run(trainer, "/a", "a", losses(1), {})
    assert shown(trainer) == []
    assert curve_names(trainer) == ("loss", "kl")
    show_run(trainer, "/a", "a", losses(2), {})
    assert shown(trainer) == [("a losses", "loss")]
    # Gone back to a checkpoint.
    show_run(trainer, "/a", "a", losses(1), {})
    assert shown(trainer) == []


def test_a_loss_that_comes_later_or_not_at_every_report_keeps_its_place(application: TrainerApplication) -> None:
    trainer = application.trainer()
    show_run(trainer, "/a", "a", losses(4), {})
    show_run(trainer, "/a", "a", {**losses(4), "critic": ([2, 4], [5.0, float("nan")])}, {})
    np.testing.assert_array_equal(curve(trainer, "/a", "critic"), ([2.0], [5.0]))
    np.testing.assert_array_equal(curve(trainer, "/a", "loss")[0], [1, 2, 3, 4])
    assert curve_names(trainer) == ("loss", "kl", "critic")


def test_what_is_chosen_is_overlaid(application: TrainerApplication) -> None:
    trainer = application.trainer()
    for name in ("a", "b"):
        show_run(trainer, f"/{name}", name, losses(20), figures(20))
    assert shown(trainer) == [("a losses", "loss"), ("b losses", "loss")]
    choose_curves(trainer, ["kl", "validation_dice"])
    assert shown(trainer) == [
        ("a losses", "kl"),
        ("a figures", "validation_dice"),
        ("b losses", "kl"),
        ("b figures", "validation_dice"),
    ]
    chart = loss_chart(trainer)
    colours = [chart.GetNthPlotSeriesNode(number).GetColor() for number in range(4)]
    lines = [chart.GetNthPlotSeriesNode(number).GetLineStyle() for number in range(4)]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert lines[0] == lines[2] != lines[1] == lines[3]
    show_run(trainer, "/c", "c", losses(5), {})
    assert shown(trainer)[-1] == ("c losses", "kl")
    choose_curves(trainer, ["kl"], hidden_runs=["/b"])
    assert shown(trainer) == [("a losses", "kl"), ("c losses", "kl")]
    remove_run(trainer, "/a")
    assert (shown(trainer), set(runs_shown(trainer))) == ([("c losses", "kl")], {"/b", "/c"})
    # Its colour is free again, and the others keep theirs.
    choose_curves(trainer, ["kl"])
    show_run(trainer, "/d", "d", losses(5), {})
    last = loss_chart(trainer).GetNthPlotSeriesNode(2)
    assert (last.GetTableNode().GetName(), last.GetColor()) == ("d losses", colours[0])


def test_curves_come_back_with_the_scene_and_go_on(application: TrainerApplication, tmp_path: Path) -> None:
    trainer = application.trainer()
    choose_curves(trainer, ["kl", "validation_dice"], hidden_runs=["/b"])
    for name in ("a", "b"):
        show_run(trainer, f"/{name}", name, {**losses(20), "critic": ([2], [0.5])}, figures(20))
    before = shown(trainer)
    opened, again = reopened(application, tmp_path)
    assert shown(again) == before
    assert runs_shown(again) == {"/a": "a", "/b": "b"}
    np.testing.assert_allclose(curve(again, "/a", "loss")[1], curve(trainer, "/a", "loss")[1], rtol=1e-5)
    np.testing.assert_array_equal(curve(again, "/a", "critic"), ([2.0], [0.5]))
    nodes = ids(opened)
    show_run(again, "/a", "a", {**losses(30), "critic": ([2, 22], [0.5, 0.7])}, figures(30))
    assert ids(opened) == nodes
    np.testing.assert_array_equal(curve(again, "/a", "critic")[0], [2, 22])
    opened.scene.Clear(True)


def embedding(folder: Path, method: str = "tsne") -> Path:
    return write_embedding(folder, Path("/data/skulls"), Path("/sets/made"), method, (3, 4))


def test_a_point_leads_to_its_case_also_in_a_reopened_scene(application: TrainerApplication, tmp_path: Path) -> None:
    trainer = application.trainer()
    show_embedding(trainer, embedding(tmp_path / "latent"))
    opened, _ = reopened(application, tmp_path)
    for scene in (application.scene, opened.scene):
        chart = scene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
        assert chart.GetTitle() == "Latent space, t-SNE"
        real, synthetic = (chart.GetNthPlotSeriesNode(number) for number in range(2))
        assert (real.GetName(), synthetic.GetName()) == ("real: skulls (3)", "synthetic: made (4)")
        assert real.GetColor() != synthetic.GetColor()
        assert real.GetMarkerStyle() != synthetic.GetMarkerStyle()
        point = point_of(synthetic, 2)
        assert (point.name, point.synthetic, point.folder, point.place) == ("002", True, Path("/sets/made"), (2.0, 1.0))
        assert nearest_point(chart, (2.2, 0.9)) == point
        assert (point_of(real, 0).source, point_of(real, 0).synthetic) == ("real: skulls", False)
    opened.scene.Clear(True)


def test_an_embedding_shown_again_takes_the_place_of_the_former(
    application: TrainerApplication, tmp_path: Path
) -> None:
    trainer = application.trainer()
    folder = embedding(tmp_path / "latent")
    chart, count = show_embedding(trainer, folder), len(case_nodes(trainer))
    embedding(folder, "umap")
    assert show_embedding(trainer, folder) is chart
    assert (len(case_nodes(trainer)), chart.GetTitle()) == (count, "Latent space, UMAP")
    show_embedding(trainer, embedding(tmp_path / "other"))
    assert len(case_nodes(trainer)) == 2 * count


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"method": "tsne", "cases": [{"source": 1}]}'])
def test_a_folder_without_an_embedding_is_refused(application: TrainerApplication, tmp_path: Path, text: str) -> None:
    (tmp_path / "embedding.json").write_text(text)
    trainer = application.trainer()
    with pytest.raises(UserError, match="latent space"):
        show_embedding(trainer, tmp_path)
    assert case_nodes(trainer) == []
