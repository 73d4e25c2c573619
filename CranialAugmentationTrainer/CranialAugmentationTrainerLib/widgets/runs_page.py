"""All runs in one table: begun, stopped, gone on with, repeated, deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import qt
import slicer
from slicer.i18n import tr as _

from CranialAugmentationTrainerLib.widgets.folder_rows import FolderRow, FolderRows, folder_of_row
from CranialAugmentationTrainerLib.widgets.trainer_page import TrainerPage
from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession
from CranialAugmentationTrainerLib.workflow.local_runs import delete_run, resume_run, stop_run
from CranialAugmentationTrainerLib.workflow.run_rows import can_train_on, concerns_of, row_of
from CranialAugmentationTrainerLib.workflow.run_watch import WatchedRun

# Ticks between two looks for new folders.
RESCAN = 10


class RunsPage(TrainerPage):
    """The table and its buttons.

    Args:
        set_up: opens the page that sets up a run: a new one, or one like that in a folder.
    """

    PAGE = "Runs"
    WIDGETS: ClassVar = {
        "pageButton": "ctkCollapsibleButton",
        "runsTable": "QTreeWidget",
        "runText": "QLabel",
        "newButton": "QPushButton",
        "stopButton": "QPushButton",
        "resumeButton": "QPushButton",
        "duplicateButton": "QPushButton",
        "openButton": "QPushButton",
        "deleteButton": "QPushButton",
        "addFolderButton": "QPushButton",
        "forgetFolderButton": "QPushButton",
    }

    def __init__(self, session: TrainerSession, set_up: Callable[[Path | None], None]) -> None:
        super().__init__(session)
        self._ticks = 0
        table = self.ui.runsTable
        titles = (_("Run"), _("State"), _("Step"), _("Time left"), _("Loss"), _("Method"), _("Data"), _("Rate"))
        self._rows = FolderRows(table, titles)
        table.connect("currentItemChanged(QTreeWidgetItem*,QTreeWidgetItem*)", self._choose)
        table.connect("itemChanged(QTreeWidgetItem*,int)", self._tick_run)
        self.ui.newButton.connect("clicked()", lambda: set_up(None))
        self.ui.stopButton.connect("clicked()", self._stop)
        self.ui.resumeButton.connect("clicked()", self._resume)
        self.ui.duplicateButton.connect("clicked()", lambda: set_up(self.chosen.folder if self.chosen else None))
        self.ui.openButton.connect("clicked()", self._open)
        self.ui.deleteButton.connect("clicked()", self._delete)
        self.ui.addFolderButton.connect("clicked()", self._add_folder)
        self.ui.forgetFolderButton.connect("clicked()", self._forget_folder)

    @property
    def chosen(self) -> WatchedRun | None:
        """The run that the buttons are about."""
        parameters = self.session.parameters
        watch = None if parameters is None else self.session.runs.watches.get(Path(parameters.watch.run))
        return None if watch is None else watch.run

    def bind(self, parameters: Any) -> None:
        """Show the choices of this scene."""
        super().bind(parameters)
        self._rows.clear()

    def tick(self) -> None:
        """Look for new runs now and then."""
        self._ticks += 1
        if self._ticks % RESCAN == 0:
            known = set(self.session.runs.watches)
            self.session.runs.rescan()
            if set(self.session.runs.watches) != known:
                self.session.changed()

    def refresh(self) -> None:
        """Bring the rows up to date, in place."""
        parameters = self.session.parameters
        if parameters is None:
            return
        shown = shown_runs(parameters)
        runs = [run for run in self.session.runs.runs if run.state != "gone"]
        self._rows.show({run.folder: told_of(run, run.folder in shown) for run in runs}, Path(parameters.watch.run))
        self._show_chosen()

    def _show_chosen(self) -> None:
        run = self.chosen
        self.ui.stopButton.enabled = run is not None and run.state in ("starting", "running")
        self.ui.resumeButton.enabled = run is not None and (
            run.state in ("stopped", "failed", "killed", "elsewhere") or can_train_on(run)
        )
        for button in (self.ui.duplicateButton, self.ui.openButton):
            button.enabled = run is not None
        self.ui.deleteButton.enabled = run is not None and not run.under_way
        if run is None:
            folders = "\n".join(str(folder) for folder in self.session.runs.folders)
            self.ui.runText.text = _("Runs are looked for in:\n{folders}").format(folders=folders)
            return
        silence = self.session.runs.watches[run.folder].silence
        words = [f"{run.folder.name}: {state_in_words(run.state)}", *concerns_of(run, silence)]
        self.ui.runText.text = "\n".join(words)

    def _choose(self, item: Any, former: Any) -> None:
        parameters = self.session.parameters
        if parameters is not None and item is not None:
            parameters.watch.run = str(folder_of_row(item))
            self.session.changed()

    def _tick_run(self, item: Any, column: int) -> None:
        parameters = self.session.parameters
        if parameters is None or column != 0:
            return
        folder, shown = folder_of_row(item), shown_runs(parameters)
        wanted = shown | {folder} if item.checkState(0) == qt.Qt.Checked else shown - {folder}
        if wanted != shown:
            show_runs(parameters, wanted)
            self.session.changed()

    def _stop(self) -> None:
        run = self.chosen
        if run is not None:
            self.do(lambda: stop_run(run.folder))
            self.session.tell(_("{name} is asked to stop; it writes a checkpoint first.").format(name=run.folder.name))

    def _resume(self) -> None:
        run = self.chosen
        if run is None:
            return
        steps = self._asked_steps(run) if run.state == "done" else None
        if run.state == "done" and steps is None:
            return
        self.session.at(self.page)
        self.session.begun()
        if self.session.prepared():
            self.do(lambda: resume_run(run.folder, python=self.session.python, steps=steps))
            self.session.poll()

    def _asked_steps(self, run: WatchedRun) -> int | None:
        """The step to which a run that is done trains on; None if it shall not."""
        dialog = qt.QInputDialog(self.page)
        dialog.setWindowTitle(_("Train on"))
        dialog.setLabelText(_("{name} is done. Train on to step:").format(name=run.folder.name))
        dialog.setInputMode(qt.QInputDialog.IntInput)
        dialog.setIntRange(run.step + 1, 100 * run.step)
        dialog.setIntValue(2 * run.step)
        return int(dialog.intValue()) if dialog.exec_() else None

    def _open(self) -> None:
        run = self.chosen
        if run is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(run.folder)))

    def _delete(self) -> None:
        run = self.chosen
        if run is None:
            return
        question = _("Delete the run {name} with its checkpoints and previews?\n\n{folder}")
        if not slicer.util.confirmOkCancelDisplay(question.format(name=run.folder.name, folder=run.folder)):
            return
        left = self.do(lambda: delete_run(run.folder))
        if left:
            names = ", ".join(path.name for path in left)
            self.session.tell(_("What the run did not write stays: {names}").format(names=names))
        self.session.runs.rescan()
        self.session.changed()

    def _add_folder(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.page, _("Folder with runs"))
        if folder:
            self.session.keep_folder(Path(folder))

    def _forget_folder(self) -> None:
        folders = [str(folder) for folder in self.session.runs.folders]
        dialog = qt.QInputDialog(self.page)
        dialog.setComboBoxItems(folders)
        dialog.setLabelText(_("Look no more into:"))
        if dialog.exec_():
            self.session.forget_folder(Path(dialog.textValue()))


def told_of(run: WatchedRun, shown: bool) -> FolderRow:
    """The row of a run, ticked if its curves are drawn."""
    row = row_of(run)
    texts = (row.name, state_in_words(run.state), row.step, row.left, row.loss, row.method, row.data, row.rate)
    return FolderRow(texts, row.about, shown)


def shown_runs(parameters: Any) -> set[Path]:
    """The runs whose curves are drawn."""
    return {Path(folder) for folder in json.loads(parameters.watch.shown or "[]")}


def show_runs(parameters: Any, runs: set[Path]) -> None:
    """Draw the curves of these runs."""
    parameters.watch.shown = json.dumps(sorted(str(folder) for folder in runs))


def state_in_words(state: str) -> str:
    """As the panel shows it."""
    return {
        "starting": _("starting"),
        "running": _("running"),
        "done": _("done"),
        "stopped": _("stopped"),
        "failed": _("failed"),
        "killed": _("killed"),
        "elsewhere": _("on another computer"),
        "gone": _("gone"),
    }[state]
