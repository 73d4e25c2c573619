"""Step 4: the missing bone by hand, and a curve that limits it or moves its rim."""

from __future__ import annotations

from typing import ClassVar

from slicer.i18n import tr as _

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.scene.case import adopt
from CranialReconstructionLib.widgets.choices import defect_of, options_of, skull_beside, skull_of
from CranialReconstructionLib.widgets.parameters import CaseParameters
from CranialReconstructionLib.widgets.reconstruct_step import ReconstructStep
from CranialReconstructionLib.widgets.segment_editor import EmbeddedSegmentEditor
from CranialReconstructionLib.widgets.session import Session
from CranialReconstructionLib.widgets.step import Step
from CranialReconstructionLib.workflow.editing import keep_inside, region_of
from CranialReconstructionLib.workflow.reconstructing import reconstruct


class EditStep(Step):
    """Slicer's segment editor, and a closed curve on the bone."""

    PAGE = "Edit"
    WIDGETS: ClassVar = {
        "editDefect": "QCheckBox",
        "defectEditor": "qMRMLSegmentEditorWidget",
        "curveSelector": "qMRMLNodeComboBox",
        "curvePlace": "qSlicerMarkupsPlaceWidget",
        "limitButton": "QPushButton",
        "limitRunButton": "QPushButton",
        "moveRimButton": "QPushButton",
    }

    def __init__(self, session: Session, results: ReconstructStep) -> None:
        super().__init__(session)
        self._results = results
        self._editor = EmbeddedSegmentEditor(self.ui.defectEditor, "CranialReconstructionDefect")
        self.ui.editDefect.connect("toggled(bool)", self._edit)
        self.ui.limitButton.connect("clicked()", lambda: self.do(self._limit))
        self.ui.limitRunButton.connect("clicked()", lambda: self.do(lambda: self._again(moved=False)))
        self.ui.moveRimButton.connect("clicked()", lambda: self.do(lambda: self._again(moved=True)))

    def refresh(self) -> None:
        """What the case allows."""
        parameters = self.session.parameters
        if parameters is None:
            return
        curve = parameters.curve
        if self.ui.curvePlace.currentNode() is not curve:
            self.ui.curvePlace.setCurrentNode(curve)
        if curve is not None:
            adopt(self.session.case, curve)
        closed = curve is not None and curve.GetNumberOfDefinedControlPoints() >= 3
        has_defect, idle = parameters.defect.segmentation is not None, not self.session.busy
        self.ui.editDefect.enabled = has_defect
        self.ui.limitButton.enabled = closed and has_defect and idle
        self.ui.limitRunButton.enabled = self.ui.moveRimButton.enabled = (
            closed and idle and parameters.skull.segmentation is not None
        )

    def leave(self) -> None:
        """Close the editor and put down the pen."""
        self.ui.editDefect.checked = False
        self.ui.curvePlace.placeModeEnabled = False

    def _edit(self, opened: bool) -> None:
        if not opened:
            self._editor.close()
            return
        parameters = self.session.parameters
        segment = None if parameters is None else self.do(lambda: defect_of(parameters))
        if segment is None or parameters is None:
            self.ui.editDefect.checked = False
            return
        self._editor.open(segment, parameters.volume)

    def _limit(self) -> None:
        parameters = self._parameters()
        defect = defect_of(parameters)
        self._editor.remember(defect)
        lost = keep_inside(defect, parameters.curve, skull_beside(parameters))
        self.session.tell(_("{lost:.1f} ml outside of the curve were taken away.").format(lost=lost))

    def _again(self, moved: bool) -> None:
        """Reconstruct once more; inside of the curve only, or with the bone inside of it as missing too."""
        parameters = self._parameters()
        skull, options, case = skull_of(parameters), options_of(parameters), self.session.case
        region = region_of(parameters.curve, skull)
        inside, cut = (None, region) if moved else (region, None)
        self.run(
            lambda: reconstruct(self.session.tasks, self.session.files, case, skull, options, inside, cut),
            self._results.take,
        )

    def _parameters(self) -> CaseParameters:
        if self.session.parameters is None:
            raise UserError("there is no case", where="panel", remedy="Start a case first.")
        return self.session.parameters
