"""A latent space in the panel, without a window: what is ordered, what a point leads to, ways that are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trainer_scene import TrainerApplication, reopened
from training_runs import labels_of_ball, new_run, write_embedding, write_label_cases

from CranialAugmentationTrainerLib.cli import embed, interpolate
from CranialAugmentationTrainerLib.datasets.named_case import named_case
from CranialAugmentationTrainerLib.scene.interpolation import WAY, folder_of, show_interpolation, ways
from CranialAugmentationTrainerLib.scene.label_surfaces import surfaces_from_file
from CranialAugmentationTrainerLib.scene.latent_case import case_models, show_case
from CranialAugmentationTrainerLib.scene.latent_plot import (
    LatentPoint,
    newly_selected,
    place_of,
    point_of,
    points_of,
    restore_points,
    show_embedding,
)
from CranialAugmentationTrainerLib.scene.preview_surfaces import show_previews
from CranialAugmentationTrainerLib.scene.sequences import frame_values, models_of, show_frame
from CranialAugmentationTrainerLib.scene.shown_alone import show_alone
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.workflow.animated_picture import animated_picture, save_animated_picture
from CranialAugmentationTrainerLib.workflow.chosen_generator import chosen_generator
from CranialAugmentationTrainerLib.workflow.data_cases import DataCases
from CranialAugmentationTrainerLib.workflow.latent_orders import (
    EmbeddingOrder,
    InterpolationOrder,
    Source,
    end_at,
    new_folder,
    read_sources,
    title_of,
    write_sources,
)
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.scene.case import case_nodes


@pytest.fixture
def application(tmp_path: Path) -> Iterator[TrainerApplication]:
    made = TrainerApplication(tmp_path / "cache-of-the-first")
    yield made
    made.scene.Clear(True)


def trained(folder: Path, method: str = "vae") -> RunFolder:
    """A run with something like a checkpoint."""
    run = new_run(folder, method)
    run.checkpoint.write_bytes(b"weights")
    return run


def data(folder: Path) -> Path:
    """Two cases of two masks each."""
    return write_label_cases(folder, 2)


def package(folder: Path, **content: Any) -> Path:
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"kind": "generator", "method": "vqvae", **content}))
    return folder


def way(folder: Path, steps: int = 3) -> Path:
    """What ``cranial interpolate`` writes; the last step misses nothing."""
    told = []
    for number in range(steps):
        volume = f"volumes/{number:03d}.nrrd"
        labels = labels_of_ball(16, 60.0 + 10.0 * number)
        whole = number == steps - 1
        write_volume(labels.with_voxels(np.minimum(labels.voxels, 1)) if whole else labels, folder / volume)
        concern = "no defect" if whole else ""
        told.append({"share": number / (steps - 1), "volume": volume, "concern": concern, "surfaces": []})
    (folder / "interpolation.json").write_text(json.dumps({"way": "spherical", "steps": told}))
    (folder / "interpolation.gif").write_bytes(b"GIF")
    return folder


def parse(command: Any, words: list[str]) -> Any:
    """What the command line makes of an order."""
    import argparse

    parser = argparse.ArgumentParser()
    command.COMMAND.add_arguments(parser)
    return parser.parse_args(words[1:])


def visible(models: dict[str, Any]) -> set[bool]:
    return {bool(model.GetDisplayVisibility()) for model in models.values()}


def test_a_generator_is_a_run_or_a_package_that_makes_skulls(tmp_path: Path) -> None:
    chosen = chosen_generator(trained(tmp_path / "run").path)
    assert (chosen.method, chosen.encodes, chosen.data) == ("vae", True, (tmp_path,))
    assert chosen_generator(package(tmp_path / "package")).title == "VQVAE with a learned prior"
    young = new_run(tmp_path / "young").path
    network = trained(tmp_path / "network", "reconstruction").path
    model = package(tmp_path / "model", kind="model")
    torn = package(tmp_path / "torn")
    (torn / "manifest.json").write_text("[")
    refused = [
        (Path(), "no generator is chosen"),
        (tmp_path, "neither a run"),
        (young, "no checkpoint yet"),
        (network, "makes no skulls"),
        (model, "not a generator"),
        (torn, "no readable manifest"),
    ]
    for folder, reason in refused:
        with pytest.raises(UserError, match=reason):
            chosen_generator(folder)


def test_a_picture_is_ordered_as_the_command_line_takes_it(tmp_path: Path) -> None:
    run, real, made = trained(tmp_path / "run").path, data(tmp_path / "real"), data(tmp_path / "made")
    sources = (Source("real", real), Source("synthetic", made))
    order = EmbeddingOrder(run, sources, "umap", 20, 3)
    options = parse(embed, order.words(tmp_path / "picture"))
    assert (options.generator, options.real, options.synthetic) == (run, [real], [made])
    assert (options.output, options.method, options.most, options.seed) == (tmp_path / "picture", "umap", 20, 3)
    assert read_sources(write_sources(sources)) == sources
    assert read_sources("of somebody else") == read_sources('[["unreal", "/a"]]') == ()
    adversarial = trained(tmp_path / "gan", "wgan-gp").path
    refused: list[tuple[dict[str, Any], str]] = [
        ({"generator": adversarial}, "no encoder"),
        ({"sources": ()}, "nothing to draw"),
        ({"sources": (Source("real", tmp_path / "none"),)}, "no such folder"),
        ({"sources": (Source("real", real), Source("synthetic", real))}, "twice"),
        ({"method": "pca"}, "unknown"),
        ({"most": 0}, "least value"),
    ]
    for change, reason in refused:
        with pytest.raises(UserError, match=reason):
            EmbeddingOrder(**{"generator": run, "sources": sources, **change})


def test_a_way_is_ordered_between_seeds_files_and_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, real = trained(tmp_path / "run").path, data(tmp_path / "real")
    masks = f"{real / '000' / 'skull.nrrd'},{real / '000' / 'defect.nrrd'}"
    monkeypatch.chdir(tmp_path)
    order = InterpolationOrder(run, "real:001", masks, 5, "linear")
    options = parse(interpolate, order.words(Path("way")))
    assert (options.generator, options.first, options.last) == (run, f"{real}:001", masks)
    assert (options.output, options.steps, options.way) == (tmp_path / "way", 5, "linear")
    assert order.title == "run: 001 to skull"
    adversarial = trained(tmp_path / "gan", "wgan-gp").path
    assert InterpolationOrder(adversarial, "3", "17").words(tmp_path)[2:4] == ["3", "17"]
    refused: list[tuple[dict[str, Any], str]] = [
        ({"first": ""}, "A is empty"),
        ({"last": "-3"}, "neither a seed nor a file"),
        ({"last": f"{real}:002"}, "no case '002'"),
        ({"first": f"{masks},{masks}"}, "more than two"),
        ({"generator": adversarial, "last": masks}, "no encoder"),
        ({"steps": 1}, "1 steps"),
        ({"way": "round"}, "unknown"),
    ]
    for change, reason in refused:
        with pytest.raises(UserError, match=reason):
            InterpolationOrder(**{"generator": run, "first": "0", "last": "1", **change})


def test_a_case_is_named_by_its_files_or_in_its_data_set(tmp_path: Path) -> None:
    real = data(tmp_path / "with, comma")
    case = named_case(f"{real}:001")
    assert (case.name, case.defective) == ("001", real / "001" / "skull.nrrd")
    single = real / "001" / "skull.nrrd"
    assert named_case(str(single)).labels == single
    point = LatentPoint("real: with, comma", "001", real, (0.0, 0.0))
    assert named_case(end_at(point)) == case
    assert [title_of(end) for end in ("7", end_at(point), str(single))] == ["seed 7", "001", "skull"]
    with pytest.raises(UserError, match="not known where"):
        end_at(LatentPoint("real", "001", None, (0.0, 0.0)))


def test_results_never_take_the_place_of_others(tmp_path: Path) -> None:
    for name in ("way", "way 2", "way 3"):
        folder = new_folder(tmp_path, "way")
        assert folder.name == name
        folder.mkdir()


def test_the_point_that_was_clicked_is_told_from_those_that_were_before() -> None:
    assert newly_selected({}, {}) is None
    assert newly_selected({}, {"a": [3]}) == ("a", 3)
    # The view tells twice of each click, first of how it was.
    assert newly_selected({"a": [3]}, {"a": [3]}) is None
    assert newly_selected({"a": [3]}, {"a": [3], "b": [5]}) == ("b", 5)
    assert newly_selected({"a": [3]}, {"a": [1, 3]}) == ("a", 1)
    assert newly_selected({"a": [3]}, {}) is None


def test_a_point_leads_to_its_skull_in_place_of_the_way(application: TrainerApplication, tmp_path: Path) -> None:
    trainer = application.trainer()
    real, made = data(tmp_path / "real"), data(tmp_path / "made")
    chart = show_embedding(trainer, write_embedding(tmp_path / "picture", real, made))
    points = points_of(chart)
    assert {source: [point.name for point in of] for source, of in points.items()} == {
        "real: skulls": ["000", "001"],
        "synthetic: made": ["000", "001"],
    }
    browser = show_interpolation(trainer, way(tmp_path / "way"), "A to B")
    cases = DataCases()
    for point in (*points["real: skulls"], points["synthetic: made"][1]):
        place = place_of(chart, point)
        assert place is not None
        assert point_of(*place) == point
        assert point.folder is not None
        models = show_case(trainer, cases.surfaces(point.folder, point.name), point.name)
    assert models["skull"].GetName() == "001 skull"
    assert models == case_models(trainer)
    assert models["defect"].GetMesh().GetNumberOfCells() > 0
    assert (visible(models), visible(models_of(browser))) == ({True}, {False})
    show_alone(trainer, models_of(browser).values())
    assert (visible(models), visible(models_of(browser))) == ({False}, {True})
    nodes = len(case_nodes(trainer))
    show_case(trainer, {}, "nothing")
    assert len(case_nodes(trainer)) == nodes
    assert models["skull"].GetMesh().GetNumberOfCells() == 0


def test_ways_stay_in_a_list_and_move_on_in_a_reopened_scene(application: TrainerApplication, tmp_path: Path) -> None:
    trainer = application.trainer()
    first = show_interpolation(trainer, way(tmp_path / "first"), "first")
    second = show_interpolation(trainer, way(tmp_path / "second", 4), "second")
    volume = tmp_path / "preview.nrrd"
    write_volume(labels_of_ball(16, 60.0), volume)
    previews = show_previews(trainer, "run", "vae", 5, [volume])
    assert previews.GetAttribute(WAY) is None
    assert ways(trainer) == [first, second]
    show_frame(second, 2)
    # The last of each misses nothing: an empty surface is saved and loaded, too.
    show_frame(first, 2)
    opened, again = reopened(application, tmp_path / "scene")
    found = ways(again)
    assert [browser.GetName() for browser in found] == ["first", "second"]
    assert [folder_of(browser).name for browser in found] == ["first", "second"]
    assert found[1].GetSelectedItemNumber() == 2
    for browser in found:
        widths = []
        for number in range(len(frame_values(browser))):
            show_frame(browser, number)
            bounds = models_of(browser)["skull"].GetMesh().GetBounds()
            widths.append(bounds[1] - bounds[0])
        assert widths == sorted(widths)
        assert widths[0] < widths[-1]
    opened.scene.Clear(True)


def test_the_picture_and_the_case_come_back_with_the_scene(application: TrainerApplication, tmp_path: Path) -> None:
    trainer = application.trainer()
    real, made = data(tmp_path / "real"), data(tmp_path / "made")
    show_embedding(trainer, write_embedding(tmp_path / "picture", real, made))
    show_case(trainer, surfaces_from_file(way(tmp_path / "way") / "volumes" / "000.nrrd"), "000")
    opened, again = reopened(application, tmp_path / "scene")
    assert {model.GetName() for model in case_models(again).values()} == {"000 skull", "000 defect"}
    chart = opened.scene.GetFirstNodeByClass("vtkMRMLPlotChartNode")
    known = points_of(chart)
    # As Slicer's plot view does when it shows a chart before its series are loaded.
    chart.RemovePlotSeriesNodeID(chart.GetNthPlotSeriesNodeID(0))
    assert len(points_of(chart)) == 1
    restore_points(again)
    assert points_of(chart) == known
    opened.scene.Clear(True)


def test_the_animated_picture_is_kept_elsewhere(tmp_path: Path) -> None:
    folder = way(tmp_path / "way")
    save_animated_picture(folder, tmp_path / "new" / "mine.gif")
    assert (tmp_path / "new" / "mine.gif").read_bytes() == animated_picture(folder).read_bytes()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        save_animated_picture(folder, tmp_path / "file" / "mine.gif")
    (folder / "interpolation.gif").unlink()
    with pytest.raises(UserError, match="not there"):
        save_animated_picture(folder, tmp_path / "mine.gif")
