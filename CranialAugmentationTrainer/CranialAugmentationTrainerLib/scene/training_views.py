"""Slicer's views as training needs them: the 3D view beside a plot, and no slices."""

from __future__ import annotations

from typing import Any

# Of no layout of Slicer's own, which go up to a few hundred.
LAYOUT = 20847
_DESCRIPTION = """
<layout type="vertical" split="true">
 <item splitSize="600">
  <view class="vtkMRMLViewNode" singletontag="1"><property name="viewlabel" action="default">1</property></view>
 </item>
 <item splitSize="400">
  <view class="vtkMRMLPlotViewNode" singletontag="PlotView1">
   <property name="viewlabel" action="default">P</property>
  </view>
 </item>
</layout>
"""


def add_layout(layout: Any) -> None:
    """Make the arrangement known to a ``vtkMRMLLayoutNode``; scenes that were saved with it then open with it."""
    if not layout.IsLayoutDescription(LAYOUT):
        layout.AddLayoutDescription(LAYOUT, _DESCRIPTION)


def show_chart(scene: Any, chart: Any) -> None:
    """Show a chart in every plot view that is there, and in those that come."""
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    if selection is not None:
        selection.SetActivePlotChartID(chart.GetID())
    views = scene.GetNodesByClass("vtkMRMLPlotViewNode")
    for number in range(views.GetNumberOfItems()):
        views.GetItemAsObject(number).SetPlotChartNodeID(chart.GetID())
