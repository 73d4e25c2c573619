"""Clicks on points of Slicer's plot views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk

from CranialAugmentationTrainerLib.scene.latent_plot import PLOT, Selection, newly_selected

SIGNAL = "dataSelected(vtkStringArray*, vtkCollection*)"


class PlotClicks:
    """Tells which point of a latent space was clicked, and marks one.

    Args:
        clicked: is told of the series and the row.
    """

    def __init__(self, clicked: Callable[[Any, int], None]) -> None:
        self._clicked = clicked
        self._views: list[Any] = []
        self._former: Selection = {}

    def listen(self) -> None:
        """To every plot view that is there; they come with the first layout that has one."""
        manager = slicer.app.layoutManager()
        for number in range(manager.plotViewCount):
            view = manager.plotWidget(number).plotView()
            if view not in self._views:
                view.connect(SIGNAL, self._take)
                self._views.append(view)

    def stop(self) -> None:
        """Listen no more."""
        for view in self._views:
            view.disconnect(SIGNAL, self._take)
        self._views = []

    def mark(self, series: Any, row: int) -> None:
        """Select this point and no other one."""
        self._former = {series.GetID(): (row,)}
        for view in self._views:
            chart = view.chart()
            for number in range(chart.GetNumberOfPlots()):
                plot, selected = chart.GetPlot(number), vtk.vtkIdTypeArray()
                if plot.GetLabel() == series.GetName():
                    selected.InsertNextValue(row)
                plot.SetSelection(selected)
            view.scene().SetDirty(True)
            view.update()

    def _take(self, identifiers: Any, selections: Any) -> None:
        now = {}
        for number in range(min(identifiers.GetNumberOfValues(), selections.GetNumberOfItems())):
            rows = selections.GetItemAsObject(number)
            now[identifiers.GetValue(number)] = [rows.GetValue(place) for place in range(rows.GetNumberOfValues())]
        found = newly_selected(self._former, now)
        self._former = now
        series = None if found is None else slicer.mrmlScene.GetNodeByID(found[0])
        if found is not None and series is not None and series.GetAttribute(PLOT) is not None:
            self._clicked(series, found[1])
