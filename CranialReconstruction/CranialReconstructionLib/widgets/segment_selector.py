"""How a segment selector shows and changes a parameter."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.parameterNodeWrapper import GuiConnector, unannotatedType

from CranialReconstructionLib.widgets.parameters import SegmentChoice


class SegmentSelectorConnector(GuiConnector):
    """Connects a ``qMRMLSegmentSelectorWidget`` with a ``SegmentChoice``."""

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        """Asked by Slicer which connector fits."""
        return type(widget) is slicer.qMRMLSegmentSelectorWidget and unannotatedType(datatype) is SegmentChoice

    @staticmethod
    def create(widget: Any, datatype: Any) -> SegmentSelectorConnector | None:
        """A connector, or None where it does not fit."""
        fits = SegmentSelectorConnector.canRepresent(widget, datatype)
        return SegmentSelectorConnector(widget) if fits else None

    def __init__(self, widget: Any) -> None:
        super().__init__()
        self._widget = widget

    def _connect(self) -> None:
        self._widget.connect("currentNodeChanged(vtkMRMLNode*)", self._told)
        self._widget.connect("currentSegmentChanged(QString)", self._told)

    def _disconnect(self) -> None:
        self._widget.disconnect("currentNodeChanged(vtkMRMLNode*)", self._told)
        self._widget.disconnect("currentSegmentChanged(QString)", self._told)

    def _told(self, *_arguments: Any) -> None:
        self.changed()

    def widget(self) -> Any:
        """The selector."""
        return self._widget

    def read(self) -> SegmentChoice:
        """What is selected."""
        return SegmentChoice(self._widget.currentNode(), self._widget.currentSegmentID())

    def write(self, value: SegmentChoice) -> None:
        """Select it."""
        self._widget.setCurrentNode(value.segmentation)
        if value.segment != self._widget.currentSegmentID():
            self._widget.setCurrentSegmentID(value.segment)
