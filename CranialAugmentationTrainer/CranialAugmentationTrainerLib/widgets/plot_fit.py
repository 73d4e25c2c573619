"""Axes of Slicer's plot views that follow points as they come."""

from __future__ import annotations

from typing import Any

import slicer


class PlotFit:
    """Keeps a chart's points in sight: a plot view by itself fits its axes once, when it begins to show a chart.

    Who zooms in is left alone, until the chart is fitted anew.
    """

    def __init__(self) -> None:
        self._ranges: dict[str, tuple[float, ...]] = {}

    def fit(self, chart: Any, anew: bool = False) -> None:
        """Fit the views that show a chart.

        Args:
            anew: even if someone has zoomed.
        """
        # A view tells its chart of every zoom, and of every fit.
        if not anew and self._ranges.get(chart.GetID(), _ranges(chart)) != _ranges(chart):
            return
        manager = slicer.app.layoutManager()
        for number in range(manager.plotViewCount):
            widget = manager.plotWidget(number)
            node = widget.mrmlPlotViewNode()
            if node is None or node.GetPlotChartNodeID() != chart.GetID():
                continue
            view = widget.plotView()
            plots = view.chart()
            # Bounds are otherwise those of the points that were painted last.
            for place in range(plots.GetNumberOfPlots()):
                plots.GetPlot(place).Update()
            view.fitToContent()
            self._ranges[chart.GetID()] = _ranges(chart)


def _ranges(chart: Any) -> tuple[float, ...]:
    return (*chart.GetXAxisRange(), *chart.GetYAxisRange())
