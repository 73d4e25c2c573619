"""The 3D view, looking at skulls from the front."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

import slicer
import vtk

from CranialAugmentationTrainerLib.scene.training_views import LAYOUT

# As qMRMLThreeDView counts the axes: -x, +x, -y, +y, -z, +z.
ANTERIOR = 3
CLOSER = 1.3


class FrontView:
    """Turns the view when the first skull of a page comes; from then on it is the user's, until another page's
    skulls have been looked at: a row needs more room than a single one."""

    _last: ClassVar[FrontView | None] = None

    def forget(self) -> None:
        """The next skull is a first one again."""
        if FrontView._last is self:
            FrontView._last = None

    def look(self, models: Collection[Any] = ()) -> None:
        """From the front at all that is there, the first time; always with the 3D view beside the plot.

        Args:
            models: to look at alone. Without any, hidden ones count too: the view's box lies about them all.
        """
        manager = slicer.app.layoutManager()
        if manager.layout != LAYOUT:
            manager.setLayout(LAYOUT)
        if FrontView._last is self or manager.threeDViewCount == 0:
            return
        FrontView._last = self
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
