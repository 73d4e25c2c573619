"""Losses and validation figures of several runs in one plot.

Each run has a table of its losses and one of its figures, which know its folder: a run that is watched again, after
the scene was loaded elsewhere or later, finds its own. A chart shows what is chosen of all of them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import Any, Literal

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
from CranialReconstructionLib.scene.case import remove_nodes

Kind = Literal["losses", "figures"]
Curves = Mapping[str, tuple[Sequence[int], Sequence[float]]]

STEP = "step"
FIRST_SHOWN = ("loss",)

_RUN, _KIND, _COLOUR = attribute_name("Run"), attribute_name("Kind"), attribute_name("Colour")
_CHART, _CURVE, _HIDDEN = attribute_name("LossChart"), attribute_name("Curve"), attribute_name("HiddenRuns")
_TABLE, _SERIES, _PLOT = "vtkMRMLTableNode", "vtkMRMLPlotSeriesNode", "vtkMRMLPlotChartNode"


def show_run(trainer: Any, run: str, name: str, losses: Curves, figures: Curves) -> None:
    """Put the curves of a run into the scene, or bring those that are there up to date.

    Args:
        trainer: the parameter node.
        run: the run's folder, by which it is known.
        name: for a person.
        losses, figures: by name, steps and values each; steps rise.
    """
    kinds: tuple[tuple[Kind, Curves], ...] = (("losses", losses), ("figures", figures))
    changed = False
    for kind, curves in kinds:
        table = _table(trainer, run, kind)
        if table is None:
            if not any(len(steps) for steps, _ in curves.values()):
                continue
            colour = str(_colour(trainer, run))
            table = new_node(trainer, _TABLE, f"{name} {kind}", Run=run, Kind=kind, Colour=colour)
            changed = True
        former = _drawn(table)
        fill_table(table, _columns(curves))
        changed |= former != _drawn(table)
    if changed:
        _arrange(trainer)


def runs_shown(trainer: Any) -> dict[str, str]:
    """The runs that have curves: name by folder."""
    return {
        table.GetAttribute(_RUN): table.GetName().removesuffix(f" {table.GetAttribute(_KIND)}")
        for table in owned(trainer, _TABLE, _RUN)
    }


def curve_names(trainer: Any) -> tuple[str, ...]:
    """All curves that any run has, in the order in which they came."""
    return tuple(dict.fromkeys(name for table in owned(trainer, _TABLE, _RUN) for name in _names(table)))


def curve(trainer: Any, run: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of a curve as the scene has them; empty where it has none."""
    for table in owned(trainer, _TABLE, _RUN):
        if table.GetAttribute(_RUN) == run and name in _names(table):
            values = column_of(table, name)
            there = ~np.isnan(values)
            return column_of(table, STEP)[there], values[there]
    return np.empty(0), np.empty(0)


def choose_curves(trainer: Any, names: Collection[str], hidden_runs: Collection[str] = ()) -> None:
    """Show these curves, of all runs but the hidden ones; of runs that come later, too."""
    chart = loss_chart(trainer)
    chart.SetAttribute(_CHART, json.dumps(list(names)))
    chart.SetAttribute(_HIDDEN, json.dumps(sorted(hidden_runs)))
    _arrange(trainer)


def chosen_curves(trainer: Any) -> tuple[tuple[str, ...], frozenset[str]]:
    """What the chart shows: the curves by name, and the runs that are hidden."""
    chart = _known_chart(trainer)
    if chart is None:
        return FIRST_SHOWN, frozenset()
    return tuple(json.loads(chart.GetAttribute(_CHART))), frozenset(json.loads(chart.GetAttribute(_HIDDEN)))


def loss_chart(trainer: Any) -> Any:
    """The chart node; it is made when it is first asked for."""
    chart = _known_chart(trainer)
    if chart is None:
        chart = new_node(trainer, _PLOT, "Training", LossChart=json.dumps(FIRST_SHOWN), HiddenRuns="[]")
        chart.SetTitle("Training")
        chart.SetXAxisTitle("Step")
        chart.SetYAxisTitle("Loss")
    return chart


def restore_chart(trainer: Any) -> None:
    """Show again what is chosen: while a scene is loaded, a plot view takes series that have not come yet out."""
    if _known_chart(trainer) is not None:
        _arrange(trainer)


def remove_run(trainer: Any, run: str) -> None:
    """Take the curves of a run out of the scene."""
    nodes = [
        node for kind in (_SERIES, _TABLE) for node in owned(trainer, kind, _RUN) if node.GetAttribute(_RUN) == run
    ]
    remove_nodes(trainer, nodes)
    _arrange(trainer)


def _known_chart(trainer: Any) -> Any:
    return next(owned(trainer, _PLOT, _CHART), None)


def _arrange(trainer: Any) -> None:
    """Make the chart's series those that are chosen."""
    chart = loss_chart(trainer)
    chosen, hidden = chosen_curves(trainer)
    there = {(node.GetAttribute(_RUN), node.GetAttribute(_CURVE)): node for node in owned(trainer, _SERIES, _RUN)}
    shown = []
    for table in list(owned(trainer, _TABLE, _RUN)):
        run = table.GetAttribute(_RUN)
        for name in _drawn(table):
            if name in chosen and run not in hidden:
                node = there.pop((run, name), None)
                shown.append(_new_series(trainer, table, name, chosen.index(name)) if node is None else node)
    set_series(chart, shown)
    remove_nodes(trainer, list(there.values()))


def _new_series(trainer: Any, table: Any, name: str, place: int) -> Any:
    run, kind = table.GetAttribute(_RUN), table.GetAttribute(_KIND)
    title = f"{runs_shown(trainer)[run]}: {name.replace('_', ' ')}"
    series = new_node(trainer, _SERIES, title, Run=run, Curve=name)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName(STEP)
    series.SetYColumnName(name)
    known = slicer.vtkMRMLPlotSeriesNode
    series.SetPlotType(known.PlotTypeScatter)
    # Runs are told apart by colour, the figures of a run by the kind of line.
    lines = (known.LineStyleSolid, known.LineStyleDash, known.LineStyleDot, known.LineStyleDashDot)
    series.SetLineStyle(lines[place % len(lines)])
    # Validations are few: each is marked.
    series.SetMarkerStyle(known.MarkerStyleCircle if kind == "figures" else known.MarkerStyleNone)
    series.SetColor(*COLOURS[int(table.GetAttribute(_COLOUR)) % len(COLOURS)])
    return series


def _table(trainer: Any, run: str, kind: Kind) -> Any:
    tables = (table for table in owned(trainer, _TABLE, _RUN) if table.GetAttribute(_RUN) == run)
    return next((table for table in tables if table.GetAttribute(_KIND) == kind), None)


def _colour(trainer: Any, run: str) -> int:
    """The run's own number, or the first that no run has."""
    taken = {table.GetAttribute(_RUN): int(table.GetAttribute(_COLOUR)) for table in owned(trainer, _TABLE, _RUN)}
    return taken[run] if run in taken else next(number for number in count() if number not in taken.values())


def _columns(curves: Curves) -> dict[str, np.ndarray]:
    """The steps of all curves, and each curve's values, NaN where it has none."""
    steps = np.unique(np.concatenate([np.empty(0), *(np.asarray(own, dtype=float) for own, _ in curves.values())]))
    columns = {STEP: steps}
    for name, (own, values) in curves.items():
        columns[name] = np.full(len(steps), np.nan)
        columns[name][np.searchsorted(steps, np.asarray(own, dtype=float))] = values
    return columns


def _drawn(table: Any) -> list[str]:
    """The curves of a table that can be drawn: VTK reports a line of a single point as an error."""
    return _names(table) if table.GetNumberOfRows() > 1 else []


def _names(table: Any) -> list[str]:
    content = table.GetTable()
    names = [str(content.GetColumnName(number)) for number in range(content.GetNumberOfColumns())]
    return [name for name in names if name != STEP]
