"""What the application's tests share: the open module, a fresh scene, and waiting without freezing."""

from __future__ import annotations

import os
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer

MODULE = "CranialReconstruction"


class PanelCase(unittest.TestCase):
    """Opens the module on an empty scene.

    Attributes:
        widget, panel, session: the module's widget, its panel, and what the steps share.
        steps: the six steps by name.
        folder: a temporary one.
    """

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()
        python = os.environ.get("CRANIAL_TEST_PYTHON", "")
        settings = qt.QSettings()
        settings.setValue("CranialReconstruction/OtherPython", bool(python))
        settings.setValue("CranialReconstruction/Python", python)
        window = slicer.util.mainWindow()
        if window is not None:
            window.resize(1560, 960)
        slicer.util.selectModule(MODULE)
        self.take_widget()
        # An open step 5 asks for previews by itself.
        self.steps["implant"].ui.stepButton.collapsed = True
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def tearDown(self) -> None:
        self.picture(self.id().rpartition(".")[2])
        self.session.cancel()
        self.wait(lambda: not self.session.busy, 10.0)

    def take_widget(self) -> None:
        """The module's widget as it is now; another one after a reload."""
        self.widget = slicer.util.getModuleWidget(MODULE)
        self.panel = self.widget.panel
        self.session = self.panel.session
        names = ("input", "skull", "reconstruct", "edit", "implant", "export")
        self.steps = dict(zip(names, self.panel.steps, strict=True))

    @property
    def parameters(self) -> Any:
        """The parameters of the case at hand."""
        return self.session.parameters

    def wait(self, condition: Callable[[], bool], seconds: float, what: str = "") -> None:
        """Let Slicer work until ``condition`` holds."""
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, what or self.failure())
            slicer.app.processEvents()
            time.sleep(0.01)

    def wait_quietly(self, seconds: float) -> None:
        """Let Slicer work for a while, to see that nothing happens."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            slicer.app.processEvents()
            time.sleep(0.01)

    def done(self, seconds: float = 180.0) -> None:
        """Wait for all that was asked for, and find no failure."""
        self.wait(lambda: not self.session.busy, seconds)
        self.assertEqual(self.failure(), "")

    def failure(self) -> str:
        """What the panel says went wrong; empty where nothing did."""
        return self.panel.ui.failureText.text if self.panel.ui.failureFrame.visible else ""

    def open(self, step: str) -> None:
        """Unfold a step."""
        self.steps[step].ui.stepButton.collapsed = False

    def press(self, step: str, button: str) -> None:
        """Press a button as a user would: its step is open, and it must be enabled."""
        self.open(step)
        widget = getattr(self.steps[step].ui, button)
        self.assertTrue(widget.enabled, f"{button} is not enabled")
        widget.click()

    def load_demo_head(self) -> None:
        """Step 1 and 2 with the sample."""
        self.press("input", "sampleButton")
        self.press("skull", "segmentButton")
        self.done()
        self.assertIsNotNone(self.parameters.skull.segmentation)

    def reconstruct(self, method: str = "network") -> None:
        """Step 3."""
        kind = type(self.parameters.method)
        self.parameters.method = kind[method]
        self.press("reconstruct", "reconstructButton")
        self.done()
        self.assertIsNotNone(self.parameters.defect.segmentation)

    def picture(self, name: str) -> None:
        """A picture of the main window, where a folder for them is given."""
        pictures = os.environ.get("CRANIAL_TEST_PICTURES", "")
        window = slicer.util.mainWindow()
        if pictures and window is not None:
            slicer.app.processEvents()
            window.grab().save(str(Path(pictures) / f"{name}.png"))
