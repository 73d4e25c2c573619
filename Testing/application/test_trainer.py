"""The Trainer as a researcher uses it: from skulls to an installed model, and what goes wrong on the way."""

from __future__ import annotations

import json
import os
import sys
from unittest import mock

import slicer
import vtk
from trainer_case import TrainerCase
from training_runs import write_embedding

from CranialAugmentationTrainerLib.scene.loss_curves import loss_chart, runs_shown
from CranialAugmentationTrainerLib.scene.preview_surfaces import previews_of
from CranialAugmentationTrainerLib.scene.sequences import frame_values, models_of
from CranialAugmentationTrainerLib.workflow.launch import read_launch
from CranialReconstructionLib.workflow.models import list_models


class Training(TrainerCase):
    """Runs: begun, seen, stopped, killed, gone on with."""

    def test_a_run_is_set_up_seen_and_found_again(self) -> None:
        self.train("first")
        self.wait(lambda: self.state("first") == "done", 240.0)
        self.select("first")
        self.tick("first")
        watch = self.panel.watch
        watch.unfold()
        self.press(watch, "plotButton")
        node = self.session.node
        run = str(self.runs / "first")
        self.wait(lambda: run in runs_shown(node), 30.0)
        self.wait(lambda: len(frame_values(previews_of(node, run) or _Empty())) == 2, 60.0)
        chart = loss_chart(node)
        self.assertEqual(chart.GetNumberOfPlotSeriesNodes(), 1)
        view = slicer.app.layoutManager().plotWidget(0).mrmlPlotViewNode()
        self.assertEqual(view.GetPlotChartNodeID(), chart.GetID())
        # The slider goes back in time.
        browser = previews_of(node, run)
        watch.ui.previewSlider.value = 0
        self.assertEqual(browser.GetSelectedItemNumber(), 0)
        self.press(watch, "latestButton")
        self.assertEqual(browser.GetSelectedItemNumber(), 1)
        skull = models_of(browser)["skull"]
        self.assertTrue(skull.GetDisplayNode().GetVisibility())
        # Saved and loaded, all of it is there.
        scene = str(self.folder / "scene.mrb")
        self.assertTrue(slicer.util.saveScene(scene))
        slicer.mrmlScene.Clear()
        self.assertEqual(runs_shown(self.session.node), {})
        slicer.util.loadScene(scene)
        node = self.session.node
        self.assertEqual(list(runs_shown(node)), [run])
        self.wait_quietly(1.5)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode"), 1)
        self.assertEqual(loss_chart(node).GetNumberOfPlotSeriesNodes(), 1)
        self.assertEqual(len(frame_values(previews_of(node, run))), 2)
        self.assertEqual(self.parameters.watch.run, run)
        self.assertEqual({"torch", "monai", "lightning"} & set(sys.modules), set())

    def test_a_picture_of_a_latent_space_is_whole_in_a_loaded_scene(self) -> None:
        self.panel.latent.unfold()
        self.panel.latent.show_embedding(write_embedding(self.folder / "latent", self.data, self.data))
        scene = str(self.folder / "scene.mrb")
        self.assertTrue(slicer.util.saveScene(scene))
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(scene)
        # Slicer's plot views take series out while a scene is loaded.
        self.wait(lambda: self.parameters.latent.plot.GetNumberOfPlotSeriesNodes() == 2, 20.0)
        self.wait_quietly(1.5)
        self.assertEqual(self.parameters.latent.plot.GetNumberOfPlotSeriesNodes(), 2)

    def test_axes_follow_a_run_until_someone_zooms(self) -> None:
        self.train("long", steps="100000")
        watch = self.session.runs.watches[self.runs / "long"]
        self.wait(lambda: watch.run.step > 0, 120.0)
        self.select("long")
        self.tick("long")
        self.press(self.panel.watch, "plotButton")
        view = slicer.app.layoutManager().plotWidget(0).plotView()
        steps = view.chart().GetAxis(vtk.vtkAxis.BOTTOM)
        first = watch.run.step
        self.wait(lambda: steps.GetUnscaledMaximum() > first + 20, 120.0)
        steps.SetUnscaledRange(1.0, 3.0)
        view.chart().InvokeEvent(vtk.vtkCommand.InteractionEvent)
        seen = watch.run.step
        self.wait(lambda: watch.run.step > seen + 20, 120.0)
        self.assertEqual(steps.GetUnscaledMaximum(), 3.0)
        self.press(self.panel.watch, "plotButton")
        self.assertGreater(steps.GetUnscaledMaximum(), seen)

    def test_a_killed_run_is_told_of_and_gone_on_with(self) -> None:
        self.train("long", steps="100000", checkpoint="1")
        watch = self.session.runs.watches[self.runs / "long"]
        self.wait(lambda: watch.run.step > 2, 120.0)
        self.select("long")
        read_launch(self.runs / "long").kill()
        self.wait(lambda: self.state("long") == "killed", 60.0)
        self.wait(lambda: self.panel.runs.ui.resumeButton.enabled, 10.0)
        self.assertIn("killed", self.panel.runs.ui.runText.text)
        reached = watch.run.step
        self.press(self.panel.runs, "resumeButton")
        self.wait(lambda: self.state("long") == "running" and watch.run.step > reached, 120.0)
        self.press(self.panel.runs, "stopButton")
        self.wait(lambda: self.state("long") == "stopped", 120.0)
        self.assertEqual(self.failure(), "")
        with mock.patch.object(slicer.util, "confirmOkCancelDisplay", return_value=True):
            self.press(self.panel.runs, "deleteButton")
        self.wait(lambda: self.rows == 0, 30.0)
        self.assertFalse((self.runs / "long").exists())

    def test_a_run_like_another_is_set_up_with_its_settings(self) -> None:
        self.train("first", steps="2")
        self.wait(lambda: self.state("first") == "done", 240.0)
        self.select("first")
        self.press(self.panel.runs, "duplicateButton")
        page = self.panel.set_up
        self.assertEqual(page.set_up.changes.get("steps"), "2")
        self.assertNotEqual(page.set_up.name, "first")
        page.choose(changes={**page.set_up.changes, "steps": "nonsense"})
        self.assertFalse(page.ui.startButton.enabled and not page.ui.settingsProblem.text)


class WholeWay(TrainerCase):
    """Skulls in, a model out."""

    def test_from_a_folder_of_skulls_to_an_installed_model(self) -> None:
        home = self.folder / "home"
        patch = mock.patch.dict(os.environ, {"XDG_DATA_HOME": str(home), "LOCALAPPDATA": str(home)})
        patch.start()
        self.addCleanup(patch.stop)
        self.train("generator")
        self.wait(lambda: self.state("generator") == "done", 240.0)
        self.select("generator")
        self.make_a_set()
        self.walk_through_the_latent_space()
        self.train("real", "reconstruction")
        self.panel.set_up.choose(data=(self.data, self.folder / "set"))
        self.train("mixed", "reconstruction")
        for name in ("real", "mixed"):
            self.wait(lambda name=name: self.state(name) == "done", 240.0)
        self.compare_and_install()

    def make_a_set(self) -> None:
        """Four cases of the generator, whatever they look like after six steps."""
        choices, page = self.parameters.sets, self.panel.sets
        page.unfold()
        choices.generator = self.runs / "generator"
        choices.count, choices.keep_all, choices.statistics = 4, True, False
        choices.folder = self.folder / "set"
        self.wait(lambda: page.ui.startButton.enabled, 10.0)
        self.press(page, "startButton")
        self.done()
        index = (self.folder / "set" / "index.jsonl").read_text().splitlines()
        self.assertEqual(len(index), 4)

    def walk_through_the_latent_space(self) -> None:
        """From one seed to another, by the slider."""
        choices, page = self.parameters.latent, self.panel.latent
        page.unfold()
        choices.generator, choices.folder = self.runs / "generator", self.folder / "latent"
        choices.steps = 5
        self.wait(lambda: page.way.ui.interpolateButton.enabled, 10.0)
        self.press(page.way, "interpolateButton")
        self.done()
        browser = self.parameters.latent.journey
        self.assertEqual(len(frame_values(browser)), 5)
        page.way.ui.shareSlider.value = 1.0
        self.assertEqual(browser.GetSelectedItemNumber(), 4)
        page.way.ui.shareSlider.value = 0.0
        self.assertEqual(browser.GetSelectedItemNumber(), 0)

    def compare_and_install(self) -> None:
        """The two networks on the skulls that neither has seen; the better one becomes a model."""
        choices, page = self.parameters.comparison, self.panel.comparison
        page.unfold()
        choices.runs = json.dumps([str(self.runs / name) for name in ("real", "mixed")])
        choices.data, choices.folder, choices.own_resolution = self.data, self.folder / "comparison", False
        self.session.changed()
        self.press(page, "compareButton")
        self.done()
        self.wait(lambda: page.ui.linesTable.rowCount > 0, 20.0)
        # A pack that was read before knows nothing of what the page has written since.
        choices = self.parameters.comparison
        choices.package, choices.licence, choices.words = "application-test", "CC0-1.0", "Balls of bone."
        self.press(page, "installButton")
        self.done()
        self.assertIn("application-test", [model.name for model in list_models()])


class _Empty:
    """A browser without frames, while there is none."""

    def GetMasterSequenceNode(self) -> _Empty:
        return self

    def GetNumberOfDataNodes(self) -> int:
        return 0
