"""Cancel, errors, a worker that is killed: the panel says so, offers what can be done, and the scene is untouched."""

from __future__ import annotations

import os
import signal
import time

import slicer
from panel_case import PanelCase

from CranialReconstructionLib.widgets.parameters import SegmentChoice


class Troubles(PanelCase):
    """What goes wrong."""

    def test_cancel_ends_the_work_within_two_seconds(self) -> None:
        self.load_demo_head()
        before = slicer.mrmlScene.GetNumberOfNodes()
        self.press("reconstruct", "reconstructButton")
        self.wait(lambda: bool(self.panel.ui.runStage.text), 60.0)
        since = time.monotonic()
        self.panel.ui.cancelButton.click()
        self.wait(lambda: not self.session.busy, 10.0)
        self.assertLess(time.monotonic() - since, 2.5)
        self.assertEqual(self.failure(), "")
        self.assertIsNone(self.parameters.defect.segmentation)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)

    def test_an_empty_skull_is_told_with_what_to_do(self) -> None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Empty")
        node.CreateDefaultDisplayNodes()
        segment = node.GetSegmentation().AddEmptySegment("Skull")
        self.parameters.skull = SegmentChoice(node, segment)
        self.press("reconstruct", "reconstructButton")
        self.assertIn("empty", self.failure())

    def test_a_killed_worker_is_told_and_the_work_can_be_tried_again(self) -> None:
        self.load_demo_head()
        self.reconstruct("mirror")
        before = slicer.mrmlScene.GetNumberOfNodes()
        tasks = self.session.tasks
        self.press("reconstruct", "reconstructButton")
        self.wait(lambda: tasks.hello is not None, 60.0)
        os.kill(tasks.hello.process, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        self.wait(lambda: not self.session.busy, 10.0)
        self.assertIn("ended", self.failure())
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)
        buttons = self.panel.ui.failureButtons.layout()
        self.assertGreater(buttons.count(), 0)
        buttons.itemAt(0).widget().click()
        self.done()
        self.assertGreater(slicer.mrmlScene.GetNumberOfNodes(), before)

    def test_a_design_that_no_implant_can_have_is_told_beside_it(self) -> None:
        self.load_demo_head()
        self.reconstruct("mirror")
        self.open("implant")
        design = self.parameters.design
        design.own_minimum_wall = True
        design.minimum_wall = 5.0
        self.wait(lambda: self.steps["implant"].ui.designProblem.text != "", 5.0, "nothing was said")
        self.assertIn("minimum wall", self.steps["implant"].ui.designProblem.text)

    def test_a_python_that_is_none_is_refused_with_the_reason(self) -> None:
        self.session.close()
        self.panel.ui.placeSelector.currentIndex = 1
        self.panel.ui.pythonPath.currentPath = str(self.folder / "nothing")
        self.panel.ui.testButton.click()
        self.assertIn("cannot be run", self.failure())
