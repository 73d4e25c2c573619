"""Step 2: the skull, found by a threshold and mended by hand."""

from __future__ import annotations

from typing import Any, ClassVar

import slicer

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.scene.threshold_preview import ThresholdPreview
from CranialReconstructionLib.scene.volumes import describe_volume
from CranialReconstructionLib.widgets.parameters import SegmentChoice, Source
from CranialReconstructionLib.widgets.segment_editor import EmbeddedSegmentEditor
from CranialReconstructionLib.widgets.session import Session
from CranialReconstructionLib.widgets.step import Step
from CranialReconstructionLib.workflow.segment import Segment
from CranialReconstructionLib.workflow.segmenting import SegmentedSkull, segment_skull, skull_of_labelmap


class SkullStep(Step):
    """From the input to the segment that is reconstructed."""

    PAGE = "Skull"
    WIDGETS: ClassVar = {
        "automaticThreshold": "QCheckBox",
        "threshold": "ctkSliderWidget",
        "previewButton": "QPushButton",
        "segmentButton": "QPushButton",
        "skullSelector": "qMRMLSegmentSelectorWidget",
        "editSkull": "QCheckBox",
        "skullEditor": "qMRMLSegmentEditorWidget",
    }

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._preview: ThresholdPreview | None = None
        self._editor = EmbeddedSegmentEditor(self.ui.skullEditor, "CranialReconstructionSkull")
        self.ui.previewButton.connect("toggled(bool)", self._show_threshold)
        self.ui.segmentButton.connect("clicked()", self._segment)
        self.ui.editSkull.connect("toggled(bool)", self._edit)

    def refresh(self) -> None:
        """What the input allows."""
        parameters = self.session.parameters
        if parameters is None:
            return
        volume = parameters.volume if parameters.source == Source.volume else None
        is_ct = volume is not None and not volume.IsA("vtkMRMLLabelMapVolumeNode")
        self.ui.automaticThreshold.enabled = is_ct
        self.ui.threshold.enabled = is_ct and not parameters.automatic_threshold
        self.ui.previewButton.enabled = is_ct
        self.ui.segmentButton.enabled = not self.session.busy and self._has_input()
        self.ui.editSkull.enabled = parameters.skull.segmentation is not None
        if self._preview is not None:
            self._preview.show(parameters.threshold)

    def leave(self) -> None:
        """Close the editor, and take the preview off the slices."""
        self.ui.previewButton.checked = False
        self.ui.editSkull.checked = False

    def _has_input(self) -> bool:
        parameters = self.session.parameters
        if parameters is None:
            return False
        if parameters.source == Source.volume:
            return parameters.volume is not None
        return parameters.input_segment.segmentation is not None and bool(parameters.input_segment.segment)

    def _show_threshold(self, shown: bool) -> None:
        if self._preview is not None:
            self._preview.remove()
            self._preview = None
        parameters = self.session.parameters
        if shown and parameters is not None and parameters.volume is not None:
            self._preview = ThresholdPreview(parameters.volume)
            self._preview.show(parameters.threshold)

    def _segment(self) -> None:
        self.ui.previewButton.checked = False
        self.do(self._begin)

    def _begin(self) -> None:
        parameters = self.session.parameters
        if parameters is None:
            return
        if parameters.source == Source.segment:
            choice = parameters.input_segment
            parameters.skull = SegmentChoice(*_checked(choice))
            return
        volume, case = parameters.volume, self.session.case
        if volume is None:
            raise UserError("there is no input", where="step 1", remedy="Choose a CT, a label map or a segment.")
        # A mask that was loaded as a scalar volume is as good as a label map.
        if volume.IsA("vtkMRMLLabelMapVolumeNode") or not describe_volume(volume).is_ct:
            self._take(skull_of_labelmap(case, volume))
            return
        threshold = None if parameters.automatic_threshold else parameters.threshold
        self.run(lambda: segment_skull(self.session.tasks, case, volume, threshold), self._take)

    def _take(self, found: SegmentedSkull) -> None:
        parameters = self.session.parameters_of(found.segment.segmentation)
        if parameters is None:
            return
        first = parameters.skull.segmentation is None
        parameters.skull = SegmentChoice(found.segment.segmentation, found.segment.segment_id)
        if first:
            # Later results lie where it lies: the view that the user has chosen by then stays.
            slicer.util.resetThreeDViews()
        if found.threshold is not None:
            parameters.threshold = found.threshold
        if found.warnings:
            self.session.tell("\n".join(found.warnings))

    def _edit(self, opened: bool) -> None:
        if not opened:
            self._editor.close()
            return
        parameters = self.session.parameters
        segment = self.do(lambda: Segment(*_checked(parameters.skull if parameters else None)))
        if segment is None or parameters is None:
            self.ui.editSkull.checked = False
            return
        self._editor.open(segment, parameters.volume)


def _checked(choice: Any) -> tuple[Any, str]:
    """The parts of a segment's choice.

    Raises:
        UserError: nothing is chosen.
    """
    if choice is None or choice.segmentation is None or not choice.segment:
        raise UserError("no segment is chosen", where="skull", remedy="Choose a segment that holds the skull.")
    return choice.segmentation, choice.segment
