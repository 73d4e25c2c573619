"""The whole panel: the case at hand, the steps, how the work goes, and where it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from CranialReconstructionLib.engine.faults import Retry
from CranialReconstructionLib.engine.protocol import Failure
from CranialReconstructionLib.scene.case import remove_case
from CranialReconstructionLib.widgets.edit_step import EditStep
from CranialReconstructionLib.widgets.export_step import ExportStep
from CranialReconstructionLib.widgets.failure_box import FailureBox
from CranialReconstructionLib.widgets.implant_step import ImplantStep
from CranialReconstructionLib.widgets.input_step import InputStep
from CranialReconstructionLib.widgets.page import load_page
from CranialReconstructionLib.widgets.parameters import CaseParameters
from CranialReconstructionLib.widgets.place_box import PlaceBox
from CranialReconstructionLib.widgets.reconstruct_step import ReconstructStep
from CranialReconstructionLib.widgets.session import Session
from CranialReconstructionLib.widgets.skull_step import SkullStep
from CranialReconstructionLib.widgets.step import Step
from CranialReconstructionLib.workflow.tasks import Task

POLL_MILLISECONDS = 100
MODULE = "CranialReconstruction"


class Panel:
    """What the module's widget shows.

    Args:
        session: its worker and its case.
    """

    WIDGETS: ClassVar[Mapping[str, str]] = {
        "caseSelector": "qMRMLNodeComboBox",
        "deleteCaseButton": "QPushButton",
        "runFrame": "QFrame",
        "runProgress": "QProgressBar",
        "runStage": "QLabel",
        "cancelButton": "QPushButton",
        "failureFrame": "QFrame",
        "failureText": "QLabel",
        "failureButtons": "QWidget",
        "logText": "QPlainTextEdit",
        "steps": "QWidget",
        **PlaceBox.WIDGETS,
    }

    def __init__(self, session: Session) -> None:
        self.session = session
        self.page, self.ui = load_page(MODULE, self.WIDGETS)
        self._failed_task: Task[Any] | None = None
        self._observed: tuple[Any, int] | None = None
        # The last sentence for the user, shown while nothing runs.
        self._said = ""
        self._failure = FailureBox(self.ui, self._retry)
        session.at = self._tell_below
        session.begun, session.changed, session.failed = self._forget, self.refresh, self._show_failure
        session.told, session.log = self._tell, self.ui.logText.appendPlainText
        session.prepared = self._prepared
        self.place = PlaceBox(self.ui, self.page, session, self._device, self.ui.logText.appendPlainText)
        self.steps = self._make_steps()
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MILLISECONDS)
        self._timer.connect("timeout()", session.poll)
        self.ui.caseSelector.addAttribute("vtkMRMLScriptedModuleNode", "ModuleName", MODULE)
        self.ui.caseSelector.baseName = _("Case")
        self.ui.caseSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._choose_case)
        self.ui.deleteCaseButton.connect("clicked()", self._delete_case)
        self.ui.cancelButton.connect("clicked()", session.cancel)

    def show_case(self, node: Any) -> None:
        """Show the case of this parameter node; None shows none."""
        if node is not None:
            # The other module may have installed one meanwhile.
            self._reconstruct.list_models()
        if node is not None and self.session.parameters is not None and node is self.session.case:
            return
        self._release()
        if node is None:
            return
        self.session.parameters = CaseParameters(node)
        for step in self.steps:
            step.bind(self.session.parameters)
        tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: self.refresh())
        self._observed = node, tag
        self.ui.caseSelector.setCurrentNode(node)
        self._timer.start()
        self.refresh()

    def prefer_loaded(self, cases: Sequence[Any]) -> None:
        """A scene was loaded: a case that nothing was done with gives way to the first that came."""
        shown = self.session.parameters
        if shown is None or not _untouched(shown):
            return
        empty = shown.parameterNode
        loaded = next((case for case in cases if case is not empty), None)
        if loaded is not None:
            self.show_case(loaded)
            empty.GetScene().RemoveNode(empty)

    def leave(self) -> None:
        """The user goes to another module: the views are theirs again; what runs goes on."""
        for step in self.steps:
            step.leave()

    def close(self) -> None:
        """Slicer ends, or the module is loaded again."""
        self._release()
        self._timer.stop()
        self.session.close()

    def refresh(self) -> None:
        """Show how things stand."""
        running = self.session.shown_tasks
        self.ui.runFrame.visible = bool(running) or self._failure.shown or bool(self._said)
        self.ui.runProgress.visible = self.ui.cancelButton.visible = bool(running)
        self.ui.runStage.text = self._said
        if running:
            task = running[0]
            waiting = len(running) - 1
            more = _(" ({count} more waiting)").format(count=waiting) if waiting else ""
            self.ui.runStage.text = f"{task.title}: {task.stage}{more}" if task.stage else task.title + more
            # Without a known share the bar runs to and fro.
            self.ui.runProgress.maximum = 0 if task.share is None else 100
            self.ui.runProgress.value = 0 if task.share is None else round(100 * task.share)
        for step in self.steps:
            step.refresh()

    def _make_steps(self) -> tuple[Step, ...]:
        self._reconstruct = reconstruct = ReconstructStep(self.session)
        implant = ImplantStep(self.session)
        self._export = ExportStep(self.session, implant)
        steps = (
            InputStep(self.session),
            SkullStep(self.session),
            reconstruct,
            EditStep(self.session, reconstruct),
            implant,
            self._export,
        )
        for step in steps:
            self.ui.steps.layout().addWidget(step.page)
        return steps

    def _release(self) -> None:
        self.leave()
        if self._observed is not None:
            node, tag = self._observed
            node.RemoveObserver(tag)
            self._observed = None
        for step in self.steps:
            step.bind(None)
        self.session.parameters = None
        self._forget()

    def _tell_below(self, page: Any) -> None:
        """Progress and failures are shown where the user is looking: below a step's page, or below all."""
        layout, frame = self.ui.steps.layout(), self.ui.runFrame
        layout.removeWidget(frame)
        layout.insertWidget(layout.count() if page is None else layout.indexOf(page) + 1, frame)

    def _forget(self) -> None:
        """What was said of earlier work counts no more."""
        self._failure.clear()
        self._said = ""

    def _choose_case(self, node: Any) -> None:
        if node is not None:
            self.show_case(node)

    def _delete_case(self) -> None:
        parameters = self.session.parameters
        if parameters is None:
            return
        case = parameters.parameterNode
        question = _("Delete {name} with all results that were made for it?").format(name=case.GetName())
        if not slicer.util.confirmOkCancelDisplay(question):
            return
        self._release()
        remove_case(case)
        self.show_case(self.ui.caseSelector.currentNode() or self.ui.caseSelector.addNode())

    def _device(self) -> str:
        return "auto" if self.session.parameters is None else str(self.session.parameters.device.value)

    def _prepared(self) -> bool:
        """Before the first job of a worker: what it needs is there, or is installed now."""
        return self.place.ready()

    def _tell(self, text: str) -> None:
        self._said = text
        self.refresh()

    def _show_failure(self, failure: Failure, task: Task[Any] | None) -> None:
        self._failed_task = task
        self._said = _("Cancelled.") if failure.code == "cancelled" else ""
        if failure.detail:
            self.ui.logText.appendPlainText(failure.detail)
        if failure.code == "cancelled":
            self._failure.clear()
        else:
            self._failure.show(failure, () if task is None else task.retries)
        self.refresh()

    def _retry(self, retry: Retry) -> None:
        if retry is Retry.ENVIRONMENT:
            self.place.open()
        elif retry is Retry.PACKAGES:
            self.place.install()
        elif retry is Retry.FOLDER:
            self._export.choose_folder()
        elif self._failed_task is not None:
            self.session.again(self._failed_task, retry)


def _untouched(parameters: CaseParameters) -> bool:
    segments = (parameters.input_segment, parameters.skull, parameters.defect)
    return parameters.volume is None and all(choice.segmentation is None for choice in segments)
