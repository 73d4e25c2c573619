"""The implant at reduced detail, made anew while its design changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import qt

from CranialReconstructionLib.engine.protocol import Failure
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.widgets.choices import chosen_design, ground_of
from CranialReconstructionLib.widgets.session import Session
from CranialReconstructionLib.workflow.implanting import Preview, preview
from CranialReconstructionLib.workflow.tasks import Task

if TYPE_CHECKING:
    from CranialReconstructionLib.widgets.parameters import CaseParameters

# Between the last change and the beginning: a slider that moves changes many times a second.
PAUSE_MILLISECONDS = 200


class LivePreview:
    """Asks for a preview when the design has changed, and leaves one that is overtaken.

    Args:
        shown: gets each preview.
        problem: gets what is wrong with the design, or an empty text.
    """

    def __init__(self, session: Session, shown: Callable[[Preview], None], problem: Callable[[str], None]) -> None:
        self._session = session
        self._shown = shown
        self._problem = problem
        self._asked: object = None
        self._task: Task[Preview] | None = None
        self._pause = qt.QTimer()
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MILLISECONDS)
        self._pause.connect("timeout()", self._begin)

    def consider(self, parameters: CaseParameters) -> None:
        """Begin a preview soon if what is wanted is not what is shown."""
        if not parameters.live_preview or parameters.defect.segmentation is None:
            self._pause.stop()
            return
        wanted = self._wanted(parameters)
        if wanted is not None and wanted != self._asked:
            self._pause.start()

    def forget(self) -> None:
        """The next change, or the next case, begins anew."""
        self._pause.stop()
        self._asked = None
        if self._task is not None:
            self._session.tasks.cancel(self._task)
            self._task = None

    def settle(self, parameters: CaseParameters) -> None:
        """The implant itself is shown now: nothing to do before the design changes."""
        self.forget()
        self._asked = self._wanted(parameters)

    def _wanted(self, parameters: CaseParameters) -> object:
        try:
            design = chosen_design(parameters)
        except UserError as error:
            self._problem(f"{error.problem}. {error.remedy}")
            return None
        self._problem("")
        defect = parameters.defect
        # A new name or number changes nothing that is seen.
        seen = replace(design, name="implant", number=1)
        return parameters.parameterNode.GetID(), defect.segmentation.GetID(), defect.segment, seen

    def _begin(self) -> None:
        parameters = self._session.parameters
        if parameters is None or self._session.busy or (wanted := self._wanted(parameters)) is None:
            return
        self.forget()
        self._asked = wanted
        case, model = self._session.case, parameters.preview
        self._task = self._session.run(
            lambda: preview(
                self._session.tasks,
                self._session.files,
                case,
                ground_of(parameters),
                chosen_design(parameters),
                model,
            ),
            self._take,
            quiet=self._failed,
        )

    def _take(self, found: Preview) -> None:
        self._task = None
        self._shown(found)

    def _failed(self, failure: Failure, task: Any) -> None:
        if task is self._task:
            self._task = None
        if failure.code != "cancelled":
            self._problem(f"{failure.problem}. {failure.remedy}")
