"""Step 5: the implant's design, its preview, and the implant itself with its checks."""

from __future__ import annotations

from typing import Any, ClassVar

import slicer
from slicer.i18n import tr as _

from CranialReconstructionLib.scene.case import adopt, case_nodes
from CranialReconstructionLib.scene.navigation import show_place
from CranialReconstructionLib.scene.segments import show_in_3d
from CranialReconstructionLib.scene.surfaces import GAP, THICKNESS, colour_by, set_visible
from CranialReconstructionLib.widgets.axis_handle import AxisHandle
from CranialReconstructionLib.widgets.checks_view import ChecksView
from CranialReconstructionLib.widgets.choices import chosen_design, ground_of
from CranialReconstructionLib.widgets.live_preview import LivePreview
from CranialReconstructionLib.widgets.parameters import CaseParameters, Map, Thickness
from CranialReconstructionLib.widgets.session import Session
from CranialReconstructionLib.widgets.step import Step
from CranialReconstructionLib.workflow.designing import explanations, preset
from CranialReconstructionLib.workflow.implanting import MadeImplant, Preview, make

MAPS = {Map.plain: None, Map.thickness: THICKNESS, Map.gap: GAP}


class ImplantStep(Step):
    """Every parameter of the design, a live preview, and the checks."""

    PAGE = "Implant"
    WIDGETS: ClassVar = {
        "stepButton": "ctkCollapsibleButton",
        "nameEdit": "QLineEdit",
        "materialSelector": "QComboBox",
        "thicknessSelector": "QComboBox",
        "thickness": "ctkSliderWidget",
        "gap": "ctkSliderWidget",
        "bevel": "ctkSliderWidget",
        "automaticAxis": "QCheckBox",
        "axisButton": "QPushButton",
        "axisText": "QLabel",
        "ownMinimumWall": "QCheckBox",
        "minimumWall": "QDoubleSpinBox",
        "innerClearance": "QDoubleSpinBox",
        "triangleBudget": "QSpinBox",
        "perfusion": "QCheckBox",
        "perfusionDiameter": "QDoubleSpinBox",
        "perfusionPitch": "QDoubleSpinBox",
        "perfusionMargin": "QDoubleSpinBox",
        "holesSelector": "qMRMLNodeComboBox",
        "holesPlace": "qSlicerMarkupsPlaceWidget",
        "holeDiameter": "QDoubleSpinBox",
        "flange": "QCheckBox",
        "flangeWidth": "QDoubleSpinBox",
        "ownFlangeThickness": "QCheckBox",
        "flangeThickness": "QDoubleSpinBox",
        "cutSelector": "qMRMLNodeComboBox",
        "cutPlace": "qSlicerMarkupsPlaceWidget",
        "cutGap": "QDoubleSpinBox",
        "mould": "QCheckBox",
        "hostModel": "QCheckBox",
        "designProblem": "QLabel",
        "livePreview": "QCheckBox",
        "makeButton": "QPushButton",
        "previewText": "QLabel",
        "colourSelector": "QComboBox",
        "checksTable": "QTableWidget",
    }

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._axis = AxisHandle()
        self._preview = LivePreview(session, self._show_preview, self._show_problem)
        self._last: Preview | None = None
        self._material: object = None
        self._watched: dict[str, tuple[Any, int]] = {}
        self._checks = ChecksView(self.ui.checksTable, lambda place: show_place(slicer.mrmlScene, place))
        self.ui.stepButton.connect("contentsCollapsed(bool)", self._closed)
        self.ui.makeButton.connect("clicked()", lambda: self.do(self._make))
        self.ui.axisButton.connect("toggled(bool)", self._show_axis)
        self._explain()

    def refresh(self) -> None:
        """What the design's choices mean for each other, and what has become of it."""
        parameters = self.session.parameters
        if parameters is None:
            return
        design = parameters.design
        self._follow_material(parameters)
        ui = self.ui
        ui.thickness.enabled = design.thickness == Thickness.constant
        ui.minimumWall.enabled = design.own_minimum_wall
        for widget in (ui.perfusionDiameter, ui.perfusionPitch, ui.perfusionMargin):
            widget.enabled = design.perfusion
        ui.flangeWidth.enabled = ui.ownFlangeThickness.enabled = design.flange
        ui.flangeThickness.enabled = design.flange and design.own_flange_thickness
        self._follow_points("holes", parameters.holes, ui.holesPlace)
        self._follow_points("cut", parameters.cut, ui.cutPlace)
        ui.makeButton.enabled = parameters.defect.segmentation is not None and not self.session.busy
        ui.axisButton.enabled = self._last is not None or parameters.axis is not None
        self._checks.show(parameters.checks)
        shown = [model for model in _models(parameters) if model.GetDisplayVisibility()]
        for model in _models(parameters):
            # Of two legends in one view neither can be read.
            colour_by(model, MAPS[parameters.colour_by] if model in shown else None, legend=model in shown[:1])
        if not self.session.busy and not ui.stepButton.collapsed:
            self._preview.consider(parameters)

    def leave(self) -> None:
        """Put down the pens; the preview begins anew with the next case."""
        self.ui.holesPlace.placeModeEnabled = False
        self.ui.cutPlace.placeModeEnabled = False
        self.ui.axisButton.checked = False
        self._preview.forget()
        for node, tag in self._watched.values():
            node.RemoveObserver(tag)
        self._watched = {}
        self._last, self._material = None, None

    def _follow_material(self, parameters: CaseParameters) -> None:
        """Another material brings its own usual values; what is set by hand stays."""
        design = parameters.design
        if self._material == design.material:
            return
        first, self._material = self._material is None, design.material
        usual = preset(design.material.value)
        if not design.own_minimum_wall:
            design.minimum_wall = usual["minimum_wall"]
        if not first and design.thickness == Thickness.material and "thickness_mm" in usual:
            design.thickness_mm = usual["thickness_mm"]

    def _follow_points(self, role: str, node: Any, place: Any) -> None:
        """The place widget works on the chosen node, and a point that moves is a change of the design."""
        if place.currentNode() is not node:
            place.setCurrentNode(node)
        watched = self._watched.pop(role, None)
        if watched is not None and watched[0] is node:
            self._watched[role] = watched
            return
        if watched is not None:
            watched[0].RemoveObserver(watched[1])
        if node is None:
            return
        adopt(self.session.case, node)
        event = slicer.vtkMRMLMarkupsNode.PointModifiedEvent
        self._watched[role] = node, node.AddObserver(event, lambda caller, told: self.session.changed())

    def _show_problem(self, text: str) -> None:
        self.ui.designProblem.text = text
        self.ui.designProblem.visible = bool(text)

    def _show_preview(self, found: Preview) -> None:
        parameters = self.session.parameters_of(found.model)
        if parameters is None:
            return
        self._last = found
        parameters.preview = found.model
        _show_alone(parameters, parameters.preview)
        wall = "" if found.thinnest_mm is None else _(", thinnest wall {wall:.1f} mm").format(wall=found.thinnest_mm)
        self.ui.previewText.text = _("Preview: {volume:.1f} ml{wall}, undercut {undercut:.2f} ml").format(
            volume=found.volume_ml, wall=wall, undercut=found.undercut_ml
        )
        self.ui.axisText.text = _("From outside: {r:.2f}, {a:.2f}, {s:.2f} (RAS)").format(
            r=found.axis[0], a=found.axis[1], s=found.axis[2]
        )
        if self.ui.axisButton.checked:
            self._axis.show(parameters, found.centre, found.axis)

    def _show_axis(self, shown: bool) -> None:
        parameters = self.session.parameters
        if shown and parameters is not None and self._last is not None:
            self._axis.show(parameters, self._last.centre, self._last.axis)
        else:
            self._axis.hide()

    def _closed(self, closed: bool) -> None:
        """A preview is of the open step only: the earlier steps are about the missing bone itself."""
        parameters = self.session.parameters
        if parameters is None:
            return
        if not closed:
            self.session.changed()
            return
        self._preview.forget()
        if parameters.preview is not None and parameters.preview.GetDisplayVisibility():
            _show_alone(parameters)

    def _make(self) -> None:
        parameters = self.session.parameters
        if parameters is None:
            return
        self._preview.forget()
        ground, design, case = ground_of(parameters), chosen_design(parameters), self.session.case
        self.run(lambda: make(self.session.tasks, self.session.files, case, ground, design), self.take)

    def take(self, made: MadeImplant) -> None:
        """Show an implant in place of its preview."""
        parameters = self.session.parameters_of(made.checks)
        if parameters is None:
            return
        parameters.implant = made.models[0]
        parameters.checks = made.checks
        _show_alone(parameters, *made.models)
        self._preview.settle(parameters)
        if made.failed:
            self.session.tell(_("Failed checks: {names}. See the table.").format(names=", ".join(made.failed)))
        elif made.warnings:
            self.session.tell("\n".join(made.warnings))

    def _explain(self) -> None:
        """The tooltips are the docstrings of the design's classes."""
        texts = explanations()
        for widget in vars(self.ui).values():
            bound = widget.property("SlicerParameterName") or ""
            text = texts.get(str(bound).removeprefix("design."))
            if text and str(bound).startswith("design."):
                widget.toolTip = text[:1].upper() + text[1:]


def _models(parameters: CaseParameters) -> list[Any]:
    """Preview and pieces of implants of a case."""
    return [node for node in case_nodes(parameters.parameterNode) if node.IsA("vtkMRMLModelNode")]


def _show_alone(parameters: CaseParameters, *models: Any) -> None:
    """In 3D, show one of what lies in the same place: a preview, the pieces of an implant, or, without models,
    the missing bone."""
    for model in _models(parameters):
        set_visible(model, model in models)
    defect = parameters.defect
    if defect.segmentation is not None:
        show_in_3d(defect.segmentation, defect.segment, not models)
