"""Step 3: find the missing bone, and hold two answers against each other."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import qt
import slicer
from slicer.i18n import tr as _

from CranialReconstructionLib.engine.arguments import Estimate
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.scene.navigation import show_place
from CranialReconstructionLib.scene.results import Reconstruction, reconstructions
from CranialReconstructionLib.scene.segments import reference_grid
from CranialReconstructionLib.scene.surfaces import set_visible
from CranialReconstructionLib.widgets.choices import defect_of, options_of, skull_of
from CranialReconstructionLib.widgets.parameters import Method, SegmentChoice
from CranialReconstructionLib.widgets.session import Session
from CranialReconstructionLib.widgets.step import Step
from CranialReconstructionLib.workflow.models import Model, install_model, list_models
from CranialReconstructionLib.workflow.reconstructing import Comparison, compare, reconstruct
from CranialReconstructionLib.workflow.segment import Segment, require_something


class ReconstructStep(Step):
    """Method, model and device; the run; its results beside earlier ones."""

    PAGE = "Reconstruct"
    WIDGETS: ClassVar = {
        "methodSelector": "QComboBox",
        "modelSelector": "QComboBox",
        "modelDescription": "QLabel",
        "addModelButton": "QPushButton",
        "deviceSelector": "QComboBox",
        "completeBox": "QCheckBox",
        "memoryText": "QLabel",
        "reconstructButton": "QPushButton",
        "defectSelector": "qMRMLSegmentSelectorWidget",
        "confidenceSelector": "qMRMLNodeComboBox",
        "comparedSelector": "qMRMLNodeComboBox",
        "compareButton": "QPushButton",
        "compareText": "QLabel",
    }

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._models: tuple[Model, ...] = ()
        self._estimated = False
        self.ui.modelSelector.connect("activated(int)", self._choose_model)
        self.ui.addModelButton.connect("clicked()", self._add_model)
        self.ui.reconstructButton.connect("clicked()", self._begin)
        self.ui.compareButton.connect("clicked()", self._compare)
        self.list_models()

    def list_models(self) -> None:
        """Show the packages that are there now."""
        self._models = list_models()
        self.ui.modelSelector.clear()
        for model in self._models:
            self.ui.modelSelector.addItem(model.name)
        self._show_model()

    def refresh(self) -> None:
        """What the case allows."""
        parameters = self.session.parameters
        if parameters is None:
            return
        network = parameters.method == Method.network
        for widget in (self.ui.modelSelector, self.ui.modelDescription, self.ui.deviceSelector):
            widget.enabled = network
        idle = not self.session.busy
        self.ui.reconstructButton.enabled = idle and parameters.skull.segmentation is not None
        self.ui.addModelButton.enabled = idle
        self.ui.compareButton.enabled = (
            idle and parameters.compared is not None and parameters.defect.segmentation is not None
        )
        self._show_model()

    def _choose_model(self, index: int) -> None:
        parameters = self.session.parameters
        if parameters is not None and 0 <= index < len(self._models):
            parameters.model = self._models[index].name

    def _show_model(self) -> None:
        parameters = self.session.parameters
        wanted = parameters.model if parameters is not None else ""
        names = [model.name for model in self._models]
        if not names:
            self.ui.modelDescription.text = _("There is no model package; add one from a folder, or use the mirror.")
            return
        index = names.index(wanted) if wanted in names else 0
        self.ui.modelSelector.currentIndex = index
        self.ui.modelDescription.text = self._models[index].describe()

    def _add_model(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.page, _("Folder of a model package"))
        if folder:
            self.run(lambda: install_model(self.session.tasks, Path(folder)), lambda name: self.list_models())

    def _begin(self) -> None:
        """Estimate the memory before the first run, then reconstruct."""
        parameters = self.session.parameters
        if parameters is None:
            return
        skull = self.do(lambda: self._checked_skull())
        if skull is None:
            return
        if self._estimated:
            self._reconstruct(skull)
            return
        options = options_of(parameters)
        arguments = Estimate(reference_grid(skull.segmentation).shape, options.method, options.model, options.device)
        self.run(
            lambda: self.session.tasks.begin(_("Estimate the memory"), arguments, dict),
            lambda plan: self._estimate_known(plan, skull),
        )

    def _checked_skull(self) -> Segment:
        parameters = self.session.parameters
        if parameters is None:
            raise UserError("there is no case", where="panel", remedy="Start a case first.")
        skull = skull_of(parameters)
        require_something(skull, "skull")
        return skull

    def _estimate_known(self, plan: dict[str, object], skull: Segment) -> None:
        self._estimated = True
        self.ui.memoryText.text = str(plan["advice"])
        if plan["fits"]:
            self._reconstruct(skull)
        else:
            raise UserError(
                str(plan["problem"]),
                where="memory",
                remedy=_("Close other programs or choose another device. The button starts it all the same."),
            )

    def _reconstruct(self, skull: Segment) -> None:
        parameters = self.session.parameters
        if parameters is None:
            return
        options, case = options_of(parameters), self.session.case
        self.run(lambda: reconstruct(self.session.tasks, self.session.files, case, skull, options), self.take)

    def take(self, found: Reconstruction) -> None:
        """Make a new result the one that the next steps use; the former one becomes what it is compared with."""
        parameters = self.session.parameters_of(found.segmentation)
        if parameters is None:
            return
        former = parameters.defect.segmentation
        # The result brings the skull along: shown twice it flickers in the 3D view.
        for shown in (parameters.skull.segmentation, former):
            if shown is not None and shown is not found.segmentation:
                set_visible(shown, False)
        parameters.defect = SegmentChoice(found.segmentation, found.defect_id)
        parameters.confidence = found.confidence
        if former is not None and former is not found.segmentation:
            parameters.compared = former
        if found.provenance.get("defect_found", True):
            show_place(slicer.mrmlScene, found.segmentation.GetSegmentCenterRAS(found.defect_id))
        warnings = found.provenance.get("warnings", ())
        if not found.provenance.get("defect_found", True):
            warnings = [_("Nothing seems to be missing in this skull."), *warnings]
        if warnings:
            self.session.tell("\n".join(warnings))

    def _compare(self) -> None:
        self.do(self._begin_comparison)

    def _begin_comparison(self) -> None:
        parameters = self.session.parameters
        if parameters is None:
            return
        first = defect_of(parameters)
        others = [entry for entry in reconstructions(self.session.case) if entry.segmentation is parameters.compared]
        if not others:
            raise UserError(
                "this is no reconstruction", where=parameters.compared.GetName(), remedy="Choose a result of step 3."
            )
        second, case = Segment(others[0].segmentation, others[0].defect_id), self.session.case
        self.run(lambda: compare(self.session.tasks, self.session.files, case, first, second), self._compared)

    def _compared(self, found: Comparison) -> None:
        distance = "" if found.hd95_mm is None else _(", HD95 {distance:.2f} mm").format(distance=found.hd95_mm)
        self.ui.compareText.text = _("Dice {dice:.3f}{distance}; {first:.1f} and {second:.1f} ml").format(
            dice=found.dice, distance=distance, first=found.first_ml, second=found.second_ml
        )
