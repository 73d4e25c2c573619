"""Step 1: what the skull comes from."""

from __future__ import annotations

from typing import ClassVar

import slicer
from slicer.i18n import tr as _

from CranialReconstructionLib.scene.volumes import describe_volume
from CranialReconstructionLib.widgets.parameters import Source
from CranialReconstructionLib.widgets.sample_data import load_demo_head
from CranialReconstructionLib.widgets.session import Session
from CranialReconstructionLib.widgets.step import Step


class InputStep(Step):
    """A CT, a label map or a segment, with what is to be known about it."""

    PAGE = "Input"
    WIDGETS: ClassVar = {
        "sourceSelector": "QComboBox",
        "volumeSelector": "qMRMLNodeComboBox",
        "volumeSelectorLabel": "QLabel",
        "segmentSelector": "qMRMLSegmentSelectorWidget",
        "segmentSelectorLabel": "QLabel",
        "inputFacts": "QLabel",
        "dicomButton": "QPushButton",
        "fileButton": "QPushButton",
        "sampleButton": "QPushButton",
    }

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._described: tuple[str, int] | None = None
        self.ui.dicomButton.connect("clicked()", lambda: slicer.util.selectModule("DICOM"))
        self.ui.fileButton.connect("clicked()", slicer.util.openAddDataDialog)
        self.ui.sampleButton.connect("clicked()", self._load_sample)

    def refresh(self) -> None:
        """Show the selector that belongs to the kind of input, and what is to be known about it."""
        parameters = self.session.parameters
        if parameters is None:
            return
        of_volume = parameters.source == Source.volume
        for widget, shown in (
            (self.ui.volumeSelector, of_volume),
            (self.ui.volumeSelectorLabel, of_volume),
            (self.ui.segmentSelector, not of_volume),
            (self.ui.segmentSelectorLabel, not of_volume),
        ):
            widget.visible = shown
        if of_volume:
            self._describe(parameters.volume)
        elif parameters.input_segment.segmentation is None:
            self.ui.inputFacts.text = _("Choose a segment that holds the skull.")
        else:
            self.ui.inputFacts.text = ""

    def _describe(self, volume: object) -> None:
        if volume is None:
            self._described = None
            self.ui.inputFacts.text = _(
                "Load a head CT: from the DICOM database where it came from a scanner, or from a file."
            )
            return
        state = (volume.GetID(), volume.GetMTime())  # type: ignore[attr-defined]
        if state == self._described:
            return
        self._described = state
        facts = self.session.do(lambda: describe_volume(volume))
        if facts is not None:
            size = " x ".join(str(count) for count in reversed(facts.shape))
            spacing = " x ".join(f"{side:.2f}" for side in facts.spacing)
            what = _("CT") if facts.is_ct else _("Mask or label map")
            text = _("{what}, {size} voxels of {spacing} mm").format(what=what, size=size, spacing=spacing)
            self.ui.inputFacts.text = "\n".join([text, *facts.warnings])

    def _load_sample(self) -> None:
        parameters = self.session.parameters
        node = load_demo_head()
        if parameters is not None and node is not None:
            parameters.source = Source.volume
            parameters.volume = node
