"""Cases as points of a latent space: what ``cranial embed`` writes, in Slicer's plot view, and back to the case."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from CranialAugmentationTrainerLib.scene.plot_nodes import (
    COLOURS,
    attribute_name,
    column_of,
    fill_table,
    new_node,
    owned,
    set_series,
)
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.scene.case import remove_nodes

METHODS = {"tsne": "t-SNE", "umap": "UMAP"}
NAME = "name"
MARKER_SIZE = 9.0

# On the charts, series and tables of embeddings, and no others: the folder.
PLOT = attribute_name("LatentPlot")
_SOURCE, _FOLDER = attribute_name("Source"), attribute_name("Folder")

# Rows that are selected, by the id of their series.
Selection = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class LatentPoint:
    """One case in the plot.

    Attributes:
        source: "real: FOLDER" or "synthetic: FOLDER".
        name: of the case in its data set.
        folder: of the data set; None where the file does not tell.
        place: in the plot, which has no unit.
    """

    source: str
    name: str
    folder: Path | None
    place: tuple[float, float]

    @property
    def synthetic(self) -> bool:
        """Whether a generator made it."""
        return self.source.startswith("synthetic")


@dataclass(frozen=True)
class _Source:
    folder: str
    points: tuple[LatentPoint, ...]


def show_embedding(trainer: Any, folder: Path) -> Any:
    """Put an embedding into the scene: a table and a series of points for each source, and their chart.

    Shown again, it replaces what it was.

    Args:
        trainer: the parameter node.
        folder: that ``cranial embed`` wrote.

    Returns:
        The chart.

    Raises:
        UserError: it is no such folder.
    """
    method, sources = _read(folder / "embedding.json")
    chart = next((node for node in owned(trainer, "vtkMRMLPlotChartNode", PLOT) if _of(node, folder)), None)
    if chart is None:
        chart = new_node(trainer, "vtkMRMLPlotChartNode", f"Latent space {folder.name}", LatentPlot=str(folder))
    # Neither method gives its axes a unit.
    chart.SetTitle(f"Latent space, {METHODS.get(method, method)}")
    chart.SetXAxisTitle("")
    chart.SetYAxisTitle("")
    former = [
        node
        for kind in ("vtkMRMLPlotSeriesNode", "vtkMRMLTableNode")
        for node in owned(trainer, kind, PLOT)
        if _of(node, folder)
    ]
    series = [_series(trainer, folder, name, source, place) for place, (name, source) in enumerate(sources.items())]
    set_series(chart, series)
    remove_nodes(trainer, former)
    return chart


def point_of(series: Any, row: int) -> LatentPoint:
    """The case that a point of a series is: what the plot view tells when one is clicked."""
    table = series.GetTableNode()
    folder = table.GetAttribute(_FOLDER)
    return LatentPoint(
        table.GetAttribute(_SOURCE),
        table.GetTable().GetColumnByName(NAME).GetValue(row),
        Path(folder) if folder else None,
        (float(column_of(table, "x")[row]), float(column_of(table, "y")[row])),
    )


def restore_points(trainer: Any) -> None:
    """Give every chart all of its series back, after a scene was loaded.

    A plot view that shows a chart before its series are loaded takes them for unchecked in its menu, and out of
    the chart.
    """
    series = list(owned(trainer, "vtkMRMLPlotSeriesNode", PLOT))
    for chart in owned(trainer, "vtkMRMLPlotChartNode", PLOT):
        set_series(chart, [node for node in series if _of(node, Path(chart.GetAttribute(PLOT)))])


def points_of(chart: Any) -> dict[str, tuple[LatentPoint, ...]]:
    """All cases of a chart by source."""
    found = {}
    for number in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(number)
        rows = range(series.GetTableNode().GetNumberOfRows())
        found[series.GetAttribute(_SOURCE)] = tuple(point_of(series, row) for row in rows)
    return found


def place_of(chart: Any, point: LatentPoint) -> tuple[Any, int] | None:
    """The series and the row of a case; None if the chart has it not."""
    for number in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(number)
        names = series.GetTableNode().GetTable().GetColumnByName(NAME)
        if series.GetAttribute(_SOURCE) == point.source and (row := names.LookupValue(point.name)) >= 0:
            return series, int(row)
    return None


def newly_selected(former: Selection, now: Selection) -> tuple[str, int] | None:
    """Series and row of the point that was clicked; None if none was.

    The plot view tells of all points that are selected, before a click and after it, and of points that were
    clicked long ago.
    """
    for series, rows in now.items():
        new = [row for row in rows if row not in former.get(series, ())]
        if new:
            return series, new[0]
    return None


def nearest_point(chart: Any, place: tuple[float, float]) -> LatentPoint:
    """The case nearest to a place of the plot."""
    best: tuple[float, Any, int] | None = None
    for number in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(number)
        distances = np.hypot(*(column_of(series.GetTableNode(), axis) - place["xy".index(axis)] for axis in "xy"))
        row = int(distances.argmin())
        if best is None or distances[row] < best[0]:
            best = float(distances[row]), series, row
    if best is None:
        raise ValueError("the chart has no points")
    return point_of(best[1], best[2])


def _series(trainer: Any, folder: Path, name: str, source: _Source, place: int) -> Any:
    about = {"LatentPlot": str(folder), "Source": name}
    table = new_node(trainer, "vtkMRMLTableNode", f"Latent space {name}", Folder=source.folder, **about)
    places = np.array([point.place for point in source.points])
    fill_table(table, {NAME: [point.name for point in source.points], "x": places[:, 0], "y": places[:, 1]})
    series = new_node(trainer, "vtkMRMLPlotSeriesNode", f"{name} ({len(places)})", **about)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("x")
    series.SetYColumnName("y")
    series.SetLabelColumnName(NAME)
    known = slicer.vtkMRMLPlotSeriesNode
    series.SetPlotType(known.PlotTypeScatter)
    series.SetLineStyle(known.LineStyleNone)
    # Told apart in grey too.
    marks = (known.MarkerStyleCircle, known.MarkerStyleDiamond, known.MarkerStyleSquare, known.MarkerStyleCross)
    series.SetMarkerStyle(marks[place % len(marks)])
    series.SetMarkerSize(MARKER_SIZE)
    series.SetColor(*COLOURS[place % len(COLOURS)])
    return series


def _of(node: Any, folder: Path) -> bool:
    return bool(node.GetAttribute(PLOT) == str(folder))


def _read(path: Path) -> tuple[str, dict[str, _Source]]:
    try:
        content = json.loads(path.read_text())
        folders = content.get("folders", {})
        points = [
            LatentPoint(
                str(case["source"]),
                str(case["name"]),
                Path(folders[case["source"]]) if case["source"] in folders else None,
                (float(case["x"]), float(case["y"])),
            )
            for case in content["cases"]
        ]
        method = str(content["method"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            "no picture of a latent space is there: no readable embedding.json",
            where=str(path.parent),
            remedy="Choose a folder that `cranial embed` wrote.",
        ) from error
    sources = {
        name: _Source(str(folders.get(name, "")), tuple(point for point in points if point.source == name))
        for name in dict.fromkeys(point.source for point in points)
    }
    return method, sources
