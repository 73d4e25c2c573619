"""What a threshold takes as bone, laid over the slices while it is chosen."""

from __future__ import annotations

from typing import Any

import slicer

OPACITY = 0.5
_COLOURS = "vtkMRMLColorTableNodeRed"


class ThresholdPreview:
    """A second display of a volume, of its bone alone, as the foreground of every slice view.

    The voxels are shared with the volume, not copied, and nothing of it is saved with the scene.

    Args:
        volume: ``vtkMRMLScalarVolumeNode`` in a scene.
    """

    def __init__(self, volume: Any) -> None:
        scene = volume.GetScene()
        self._display = scene.AddNode(_hidden(slicer.vtkMRMLScalarVolumeDisplayNode()))
        self._display.SetAutoWindowLevel(False)
        self._display.SetAndObserveColorNodeID(_COLOURS)
        self._display.SetApplyThreshold(True)
        self._display.SetAutoThreshold(False)
        # Everything that is shown has the colour table's last colour.
        self._display.SetWindowLevelMinMax(-32768.0, -32767.0)
        self._overlay = scene.AddNode(_hidden(slicer.vtkMRMLScalarVolumeNode()))
        self._overlay.SetName(f"{volume.GetName()} bone")
        self._overlay.CopyOrientation(volume)
        self._overlay.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        self._overlay.SetAndObserveImageData(volume.GetImageData())
        self._overlay.SetAndObserveDisplayNodeID(self._display.GetID())
        self._before: list[tuple[Any, str | None, float]] = []
        for composite in _composites(scene):
            self._before.append((composite, composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()))
            composite.SetForegroundVolumeID(self._overlay.GetID())
            composite.SetForegroundOpacity(OPACITY)

    def show(self, threshold: float) -> None:
        """Show what lies at ``threshold`` and above."""
        self._display.SetThreshold(threshold, 1.0e6)

    def remove(self) -> None:
        """Give the slice views back what they showed before."""
        for composite, volume, opacity in self._before:
            if composite.GetForegroundVolumeID() == self._overlay.GetID():
                composite.SetForegroundVolumeID(volume)
                composite.SetForegroundOpacity(opacity)
        self._before = []
        # A scene that was closed meanwhile has taken them along.
        for node in (self._overlay, self._display):
            if node.GetScene() is not None:
                node.GetScene().RemoveNode(node)


def _hidden(node: Any) -> Any:
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return node


def _composites(scene: Any) -> list[Any]:
    kind = "vtkMRMLSliceCompositeNode"
    return [scene.GetNthNodeByClass(count, kind) for count in range(scene.GetNumberOfNodesByClass(kind))]
