"""Leading the eye to a place."""

from __future__ import annotations

from typing import Any

import slicer


def show_place(scene: Any, place: tuple[float, float, float]) -> None:
    """Move every slice view, and the crosshair, to ``place`` (RAS, mm)."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(scene, *place)
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is not None:
        crosshair.SetCrosshairRAS(*place)
