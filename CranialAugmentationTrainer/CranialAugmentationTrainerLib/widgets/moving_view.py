"""3D views that keep up with skulls that change many times a second, on computers that draw slowly."""

from __future__ import annotations

from typing import Any

import qt
import slicer

# Seconds that a picture may take before it is simplified: twenty a second.
SLOW = 0.05
# Milliseconds without a change after which a picture is drawn in full again.
REST = 400


class MovingView:
    """Draws what is translucent unsorted as long as it changes, where sorting it takes too long.

    Without a graphics card sorting (depth peeling) takes five times as long as all the rest; unsorted, the surfaces
    lie in another order, and nothing is missing.
    """

    def __init__(self) -> None:
        self._simplified: list[Any] = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST)
        self._timer.connect("timeout()", self.rest)

    def moved(self) -> None:
        """Something has changed, and will perhaps change again soon."""
        manager = slicer.app.layoutManager()
        for number in range(manager.threeDViewCount):
            view = manager.threeDWidget(number).threeDView()
            node, renderer = view.mrmlViewNode(), view.renderWindow().GetRenderers().GetFirstRenderer()
            if node.GetUseDepthPeeling() and renderer.GetLastRenderTimeInSeconds() > SLOW:
                node.SetUseDepthPeeling(False)
                self._simplified.append(node)
        self._timer.start()

    def rest(self) -> None:
        """Draw in full again."""
        self._timer.stop()
        for node in self._simplified:
            node.SetUseDepthPeeling(True)
        self._simplified = []
