"""The 3D view, looking at skulls from the front."""

from __future__ import annotations

import slicer

from CranialAugmentationTrainerLib.scene.training_views import LAYOUT

# As qMRMLThreeDView counts the axes: -x, +x, -y, +y, -z, +z.
ANTERIOR = 3


class FrontView:
    """Turns the view when the first skull comes; from then on it is the user's."""

    def __init__(self) -> None:
        self._looked_at = False

    def forget(self) -> None:
        """The next skull is a first one again."""
        self._looked_at = False

    def look(self) -> None:
        """From the front at all that is there, the first time; always with the 3D view beside the plot."""
        manager = slicer.app.layoutManager()
        if manager.layout != LAYOUT:
            manager.setLayout(LAYOUT)
        if self._looked_at or manager.threeDViewCount == 0:
            return
        self._looked_at = True
        view = manager.threeDWidget(0).threeDView()
        view.rotateToViewAxis(ANTERIOR)
        view.resetFocalPoint()
        view.resetCamera(False, True, True)
