"""The 3D view, looking at skulls from the front."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import slicer
import vtk

from CranialAugmentationTrainerLib.scene.training_views import LAYOUT

# As qMRMLThreeDView counts the axes: -x, +x, -y, +y, -z, +z.
ANTERIOR = 3
CLOSER = 1.3


class FrontView:
    """Turns the view when the first skull comes; from then on it is the user's."""

    def __init__(self) -> None:
        self._looked_at = False

    def forget(self) -> None:
        """The next skull is a first one again."""
        self._looked_at = False

    def look(self, models: Collection[Any] = ()) -> None:
        """From the front at all that is there, the first time; always with the 3D view beside the plot.

        Args:
            models: to look at alone. Without any, hidden ones count too: the view's box lies about them all.
        """
        manager = slicer.app.layoutManager()
        if manager.layout != LAYOUT:
            manager.setLayout(LAYOUT)
        if self._looked_at or manager.threeDViewCount == 0:
            return
        self._looked_at = True
        view = manager.threeDWidget(0).threeDView()
        # The view's box follows what is there.
        view.resetFocalPoint()
        bounds = vtk.vtkBoundingBox()
        ends = [0.0] * 6
        for model in models:
            # Those of an empty model are turned inside out, and add nothing.
            model.GetRASBounds(ends)
            bounds.AddBounds(ends)
        if bounds.IsValid():
            bounds.GetBounds(ends)
            view.renderWindow().GetRenderers().GetFirstRenderer().ResetCamera(ends)
            # The camera keeps a ball about them in view; heads are not that large, and rows are low.
            view.cameraNode().GetCamera().Dolly(CLOSER)
        else:
            view.resetCamera(False, True, True)
        # Last, as it turns about the point that the camera looks at.
        view.rotateToViewAxis(ANTERIOR)
        view.renderWindow().GetRenderers().GetFirstRenderer().ResetCameraClippingRange()
