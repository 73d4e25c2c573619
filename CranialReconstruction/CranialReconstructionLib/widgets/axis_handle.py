"""The way in as a line with a handle in the views."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import slicer

from CranialReconstructionLib.scene.markups import axis_node, axis_of, move_axis

if TYPE_CHECKING:
    from CranialReconstructionLib.widgets.parameters import CaseParameters

Vector = tuple[float, float, float]

# A turn of the handle below this is no wish of the user's.
STILL_DEGREES = 0.5


class AxisHandle:
    """Shows the axis that was found, and takes the user's where the handle is moved."""

    def __init__(self) -> None:
        self._parameters: CaseParameters | None = None
        self._node: Any = None
        self._tag: int | None = None
        self._moving = False

    def show(self, parameters: CaseParameters, centre: Vector, direction: Vector) -> None:
        """Put the handle through ``centre`` (RAS) along ``direction``; make it if there is none."""
        self._moving = True
        try:
            if parameters.axis is None:
                name = f"{parameters.design.name} way in"
                parameters.axis = axis_node(parameters.parameterNode, centre, direction, name)
            elif parameters.automatic_axis:
                move_axis(parameters.axis, centre, direction)
        finally:
            self._moving = False
        self._watch(parameters)
        parameters.axis.SetDisplayVisibility(True)

    def hide(self) -> None:
        """Take it from the views; where it points is kept."""
        node = self._node
        self._unwatch()
        if node is not None and node.GetScene() is not None:
            node.SetDisplayVisibility(False)

    def _watch(self, parameters: CaseParameters) -> None:
        if self._node is parameters.axis:
            return
        self._unwatch()
        self._parameters, self._node = parameters, parameters.axis
        self._direction = axis_of(self._node)
        self._tag = self._node.AddObserver(slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self._moved)

    def _unwatch(self) -> None:
        if self._node is not None and self._tag is not None:
            self._node.RemoveObserver(self._tag)
        self._parameters = self._node = self._tag = None

    def _moved(self, caller: Any, event: Any) -> None:
        direction = axis_of(self._node)
        if self._moving:
            self._direction = direction
            return
        turned = math.degrees(math.acos(min(1.0, sum(a * b for a, b in zip(direction, self._direction, strict=True)))))
        if turned > STILL_DEGREES and self._parameters is not None:
            self._direction = direction
            self._parameters.automatic_axis = False
            self._parameters.Modified()
