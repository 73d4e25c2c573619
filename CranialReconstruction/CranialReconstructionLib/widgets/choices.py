"""What the panel's choices name, as the workflow takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.scene.markups import axis_of, hole_places
from CranialReconstructionLib.workflow.designing import Design, design_of
from CranialReconstructionLib.workflow.implanting import Ground
from CranialReconstructionLib.workflow.reconstructing import Options
from CranialReconstructionLib.workflow.segment import Segment

if TYPE_CHECKING:
    from CranialReconstructionLib.widgets.parameters import CaseParameters, SegmentChoice


def segment_of(choice: SegmentChoice, what: str, remedy: str) -> Segment:
    """The segment that is chosen.

    Raises:
        UserError: none is; ``what`` says of what, ``remedy`` what to do.
    """
    if choice.segmentation is None or not choice.segment:
        raise UserError(f"there is no {what}", where="panel", remedy=remedy)
    return Segment(choice.segmentation, choice.segment)


def skull_of(parameters: CaseParameters) -> Segment:
    """The skull of a case.

    Raises:
        UserError: there is none yet.
    """
    return segment_of(parameters.skull, "skull", "Choose its segment in step 2, or make it there.")


def defect_of(parameters: CaseParameters) -> Segment:
    """The missing bone of a case.

    Raises:
        UserError: there is none yet.
    """
    return segment_of(parameters.defect, "missing bone", "Choose its segment in step 3, or find it there.")


def options_of(parameters: CaseParameters) -> Options:
    """How a case is reconstructed."""
    return Options(parameters.method.value, parameters.model or None, parameters.device.value, parameters.complete)


def chosen_design(parameters: CaseParameters) -> Design:
    """The design of a case.

    Raises:
        UserError: no implant can be like that.
    """
    axis = None if parameters.automatic_axis or parameters.axis is None else axis_of(parameters.axis)
    holes = () if parameters.holes is None else hole_places(parameters.holes)
    cuts = []
    if parameters.cut is not None and parameters.cut.GetNumberOfDefinedControlPoints() > 0:
        cuts = [(tuple(parameters.cut.GetOriginWorld()), tuple(parameters.cut.GetNormalWorld()))]
    return design_of(parameters.design, axis, holes, cuts)


def ground_of(parameters: CaseParameters) -> Ground:
    """What the implant of a case is made of: the skull that its missing bone was found in.

    Raises:
        UserError: there is no missing bone yet.
    """
    return Ground(skull_beside(parameters), defect_of(parameters), parameters.confidence)


def skull_beside(parameters: CaseParameters) -> Segment:
    """The skull that lies in the missing bone's own segmentation, on the same grid; the case's where there is none."""
    defect = defect_of(parameters)
    content = defect.segmentation.GetSegmentation()
    beside = content.GetSegmentIdBySegmentName("Skull")
    return Segment(defect.segmentation, beside) if beside else skull_of(parameters)
