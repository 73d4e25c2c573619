"""Slicer's segment editor inside of a step."""

from __future__ import annotations

from typing import Any

import slicer

from CranialReconstructionLib.workflow.segment import Segment

# Of Slicer's effects those that bone is edited with, in this order; others would clutter a narrow panel.
EFFECTS = (
    "Paint",
    "Erase",
    "Draw",
    "Scissors",
    "Islands",
    "Smoothing",
    "Margin",
    "Threshold",
    "Fill between slices",
    "Logical operators",
)


class EmbeddedSegmentEditor:
    """One ``qMRMLSegmentEditorWidget``, which edits one segment while it is open.

    Args:
        widget: the editor's widget.
        tag: of the scene's node that keeps its settings; one for each editor.
    """

    def __init__(self, widget: Any, tag: str) -> None:
        self._widget = widget
        self._tag = tag
        self._widget.setEffectNameOrder(EFFECTS)
        self._widget.unorderedEffectsVisible = False
        self._widget.undoEnabled = True
        self._widget.visible = False

    @property
    def is_open(self) -> bool:
        """Whether it edits something."""
        return bool(self._widget.visible)

    def remember(self, segment: Segment) -> None:
        """Keep the segment as it is, for the editor's undo, before something else changes it."""
        self._take(segment)
        self._widget.saveStateForUndo()

    def open(self, segment: Segment, volume: Any = None) -> None:
        """Edit ``segment``; ``volume`` is what the effects that look at intensities see."""
        self._take(segment)
        if volume is not None:
            self._widget.setSourceVolumeNode(volume)
        self._widget.setupViewObservations()
        self._widget.installKeyboardShortcuts()
        self._widget.visible = True

    def close(self) -> None:
        """Put down the tools; the views are the user's again."""
        if not self._widget.visible:
            return
        self._widget.setActiveEffect(None)
        self._widget.uninstallKeyboardShortcuts()
        self._widget.removeViewObservations()
        self._widget.visible = False

    def _take(self, segment: Segment) -> None:
        # Given again it would forget what can be undone.
        if self._widget.segmentationNode() is not segment.segmentation:
            self._widget.setMRMLSegmentEditorNode(self._node())
            self._widget.setMRMLScene(slicer.mrmlScene)
            self._widget.setSegmentationNode(segment.segmentation)
        self._widget.setCurrentSegmentID(segment.segment_id)

    def _node(self) -> Any:
        node = slicer.mrmlScene.GetSingletonNode(self._tag, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(self._tag)
            node = slicer.mrmlScene.AddNode(node)
        return node
