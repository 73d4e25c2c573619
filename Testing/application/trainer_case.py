"""What the Trainer's application tests share: the open module, its runs, and a folder of skulls."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import qt
import slicer

MODULE = "CranialAugmentationTrainer"

# Run folders and cases as the tests without an application make them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scene"))

from training_runs import write_label_cases
from window_case import WindowCase

from CranialAugmentationTrainerLib.workflow.launch import read_launch


class TrainerCase(WindowCase):
    """Opens the Trainer on an empty scene, with no runs.

    Attributes:
        widget, panel, session: the module's widget, its panel, and what the pages share.
        folder: a temporary one; data: of eight skulls in it, runs: for runs.
    """

    def setUp(self) -> None:
        self.empty_window()
        slicer.util.selectModule(MODULE)
        self.widget = slicer.util.getModuleWidget(MODULE)
        self.panel = self.widget.panel
        self.session = self.panel.session
        temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.data, self.runs = write_label_cases(self.folder / "skulls", 8), self.folder / "runs"
        self.runs.mkdir()
        for folder in list(self.session.runs.folders):
            self.session.forget_folder(folder)
        self.session.keep_folder(self.runs)

    def tearDown(self) -> None:
        self.picture(self.id().rpartition(".")[2])
        for command in self.session.commands:
            command.launch.kill()
        for folder, watch in self.session.runs.watches.items():
            launch = read_launch(folder)
            if watch.run.under_way and launch is not None:
                launch.kill()
        self.wait(lambda: not self.session.commands, 20.0)

    @property
    def parameters(self) -> Any:
        """The Trainer's parameters in this scene."""
        return self.session.parameters

    def done(self, seconds: float = 240.0) -> None:
        """Wait for all commands, and find no failure."""
        self.wait(lambda: not self.session.commands, seconds)
        self.assertEqual(self.failure(), "")

    def failure(self) -> str:
        """What the panel says went wrong; empty where nothing did."""
        return self.panel.ui.failureText.text if self.panel.ui.failureFrame.visible else ""

    def press(self, page: Any, button: str) -> None:
        """Press a button as a user would: its page is open, and it must be enabled."""
        widget = getattr(page.ui, button)
        self.assertTrue(widget.enabled, f"{button} is not enabled")
        widget.click()

    def state(self, name: str) -> str:
        """Of a run; empty while there is none."""
        watch = self.session.runs.watches.get(self.runs / name)
        return "" if watch is None else watch.run.state

    def train(self, name: str, method: str = "vae", **changes: str) -> None:
        """Set up a small run in the panel and start it."""
        page = self.panel.set_up
        page.unfold()
        wanted = {"steps": "6", "report": "1", "validate": "3", "checkpoint": "3", "preview": "3", "previews": "2"}
        page.choose(
            data=(self.data,), method=method, preset="tiny", parent=self.runs, name=name, changes={**wanted, **changes}
        )
        self.press(page, "startButton")
        self.wait(lambda: self.state(name) != "", 60.0)

    def select(self, name: str) -> None:
        """Click the row of a run."""
        table = self.panel.runs.ui.runsTable
        rows = {table.topLevelItem(number).text(0): table.topLevelItem(number) for number in range(self.rows)}
        table.setCurrentItem(rows[name])

    def tick(self, name: str) -> None:
        """Tick the box of a run."""
        table = self.panel.runs.ui.runsTable
        for number in range(self.rows):
            if table.topLevelItem(number).text(0) == name:
                table.topLevelItem(number).setCheckState(0, qt.Qt.Checked)

    @property
    def rows(self) -> int:
        """Of the table of runs."""
        return int(self.panel.runs.ui.runsTable.topLevelItemCount)
