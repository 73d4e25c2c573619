"""The whole panel of the Trainer: its pages, what is told of their work, and where it is computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import qt
import slicer
from slicer.i18n import tr as _

from CranialAugmentationTrainerLib.scene.training_views import add_layout
from CranialAugmentationTrainerLib.widgets.comparison_page import ComparisonPage
from CranialAugmentationTrainerLib.widgets.latent_page import LatentPage
from CranialAugmentationTrainerLib.widgets.parameters import TrainerParameters
from CranialAugmentationTrainerLib.widgets.runs_page import RunsPage
from CranialAugmentationTrainerLib.widgets.set_up_page import SetUpPage
from CranialAugmentationTrainerLib.widgets.sets_page import SetsPage
from CranialAugmentationTrainerLib.widgets.trainer_page import TrainerPage
from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession
from CranialAugmentationTrainerLib.widgets.watch_page import WatchPage
from CranialAugmentationTrainerLib.workflow.requirements import TRAINING
from CranialReconstructionLib.engine.faults import Retry
from CranialReconstructionLib.engine.protocol import Failure
from CranialReconstructionLib.widgets.failure_box import FailureBox
from CranialReconstructionLib.widgets.page import load_page
from CranialReconstructionLib.widgets.place_box import PlaceBox
from CranialReconstructionLib.widgets.session import Session

POLL_MILLISECONDS = 500
MODULE = "CranialAugmentationTrainer"


class TrainerPanel:
    """What the module's widget shows.

    Args:
        session: runs and commands, and the Trainer's parameter node.
    """

    WIDGETS: ClassVar[Mapping[str, str]] = {
        "runFrame": "QFrame",
        "runStage": "QLabel",
        "cancelButton": "QPushButton",
        "failureFrame": "QFrame",
        "failureText": "QLabel",
        "failureButtons": "QWidget",
        "logText": "QPlainTextEdit",
        "pages": "QWidget",
        **PlaceBox.WIDGETS,
    }

    def __init__(self, session: TrainerSession) -> None:
        self.session = session
        self.page, self.ui = load_page(MODULE, self.WIDGETS, TrainerPage.PAGES)
        add_layout(slicer.app.layoutManager().layoutLogic().GetLayoutNode())
        # The last sentence for the user.
        self._said = ""
        self._failure = FailureBox(self.ui, self._retry)
        session.at, session.begun, session.changed = self._tell_below, self._forget, self.refresh
        session.told, session.failed = self._tell, self._show_failure
        # The first module's worker, which tries the device.
        self._worker = Session()
        self._worker.at, self._worker.told, self._worker.changed = self._tell_below, self._tell, self.refresh
        self._worker.failed = lambda failure, task: self._show_failure(failure)
        self._worker.log = self.ui.logText.appendPlainText
        self.place = PlaceBox(
            self.ui, self.page, self._worker, lambda: "auto", self.ui.logText.appendPlainText, TRAINING
        )
        session.prepared = self.place.ready
        self.pages = self._make_pages()
        self._restored = True
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MILLISECONDS)
        self._timer.connect("timeout()", self.tick)
        self.ui.cancelButton.connect("clicked()", self._cancel)

    def show(self, node: Any) -> None:
        """Show this parameter node; None lets the former one go."""
        former = self.session.parameters
        if node is not None and former is not None and node is former.parameterNode:
            return
        self._timer.stop()
        for page in self.pages:
            page.leave()
            page.bind(None)
        self.session.parameters = None
        self._forget()
        if node is None:
            return
        self.session.parameters = TrainerParameters(node)
        for page in self.pages:
            page.bind(self.session.parameters)
        self._restored = False
        self._timer.start()
        self.refresh()

    def leave(self) -> None:
        """The user goes to another module; runs and commands go on, and the plot with them."""
        for page in self.pages:
            page.leave()

    def close(self) -> None:
        """Slicer ends, or the module is loaded again; processes go on."""
        self.show(None)
        self._worker.close()

    def tick(self) -> None:
        """Read what was written, and draw it."""
        self._worker.poll()
        self.session.poll()
        if not self._restored:
            self._restored = True
            for page in self.pages:
                page.restore()
        for page in self.pages:
            page.tick()
        self._show_work()

    def refresh(self) -> None:
        """Show how things stand."""
        if self.session.parameters is None:
            return
        self._show_work()
        for page in self.pages:
            page.refresh()

    def _make_pages(self) -> tuple[TrainerPage, ...]:
        self.runs = RunsPage(self.session, self._set_up)
        self.set_up = SetUpPage(self.session)
        self.watch = WatchPage(self.session)
        self.sets = SetsPage(self.session)
        self.latent = LatentPage(self.session)
        self.comparison = ComparisonPage(self.session)
        pages = (self.runs, self.set_up, self.watch, self.sets, self.latent, self.comparison)
        for page in pages:
            self.ui.pages.layout().addWidget(page.page)
        return pages

    def _set_up(self, like: Path | None) -> None:
        """Open the page that sets up a run: a new one, or one like that in a folder."""
        self.set_up.unfold()
        if like is not None:
            self.set_up.fill_from(like)

    def _show_work(self) -> None:
        commands = self.session.commands
        told = [f"{command.title}: {command.launch.last_words()}".rstrip(": ") for command in commands]
        tried = self._worker.shown_tasks
        told += [task.title for task in tried]
        self.ui.runStage.text = "\n".join(told) if told else self._said
        self.ui.cancelButton.visible = bool(told)
        self.ui.runFrame.visible = bool(told) or bool(self._said) or self._failure.shown

    def _tell_below(self, page: Any) -> None:
        """Progress and failures are shown where the user is looking: below a page, or below all."""
        layout, frame = self.ui.pages.layout(), self.ui.runFrame
        layout.removeWidget(frame)
        layout.insertWidget(layout.count() if page is None else layout.indexOf(page) + 1, frame)

    def _forget(self) -> None:
        self._failure.clear()
        self._said = ""

    def _tell(self, text: str) -> None:
        self._said = text
        self._show_work()

    def _show_failure(self, failure: Failure) -> None:
        self._said = _("Cancelled.") if failure.code == "cancelled" else ""
        if failure.code != "cancelled":
            self._failure.show(failure, ())
        if failure.detail:
            self.ui.logText.appendPlainText(failure.detail)
        self._show_work()

    def _retry(self, retry: Retry) -> None:
        """Commands offer none: the same button starts them again."""

    def _cancel(self) -> None:
        for command in self.session.commands:
            command.stop()
        self._worker.cancel()
