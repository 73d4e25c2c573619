"""What the first module's application tests share: the open module on a fresh scene, and its steps."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import slicer
from window_case import WindowCase

MODULE = "CranialReconstruction"


class PanelCase(WindowCase):
    """Opens the module on an empty scene.

    Attributes:
        widget, panel, session: the module's widget, its panel, and what the steps share.
        steps: the six steps by name.
        folder: a temporary one.
    """

    def setUp(self) -> None:
        self.empty_window()
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
