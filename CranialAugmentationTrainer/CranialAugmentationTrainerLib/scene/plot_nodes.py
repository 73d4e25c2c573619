"""Tables and plots of the Trainer, made once and then kept up to date in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import vtkStringArray

from CranialReconstructionLib.scene.case import adopt, case_nodes

Column = npt.NDArray[np.float64] | list[str]

# Okabe and Ito's colours, which the colour-blind tell apart; on white and on black.
COLOURS = (
    (0.000, 0.447, 0.698),
    (0.902, 0.624, 0.000),
    (0.000, 0.620, 0.451),
    (0.800, 0.475, 0.655),
    (0.835, 0.369, 0.000),
    (0.337, 0.706, 0.914),
    (0.941, 0.894, 0.259),
)


def owned(trainer: Any, kind: str, attribute: str) -> Iterator[Any]:
    """The trainer's nodes of a class that carry an attribute."""
    return (node for node in case_nodes(trainer) if node.IsA(kind) and node.GetAttribute(attribute) is not None)


def new_node(trainer: Any, kind: str, name: str, **attributes: str) -> Any:
    """A new node of the trainer's; attributes are named after this module."""
    node = trainer.GetScene().AddNewNodeByClass(kind, name)
    for key, value in attributes.items():
        node.SetAttribute(attribute_name(key), value)
    adopt(trainer, node)
    return node


def attribute_name(key: str) -> str:
    """The name that an attribute has on a node."""
    return f"CranialAugmentationTrainer.{key}"


def fill_table(table: Any, columns: Mapping[str, Column]) -> None:
    """Make the columns of a table node these; what refers to a column that stays goes on to."""
    content = table.GetTable()
    was_modifying = table.StartModify()
    if [content.GetColumnName(number) for number in range(content.GetNumberOfColumns())] != list(columns):
        table.RemoveAllColumns()
        for name, values in columns.items():
            column = _array(values)
            column.SetName(name)
            table.AddColumn(column)
    else:
        for name, values in columns.items():
            array = _array(values)
            # A copy takes the name along.
            array.SetName(name)
            content.GetColumnByName(name).DeepCopy(array)
    content.Modified()
    table.SetUseColumnTitleAsColumnHeader(True)
    table.SetLocked(True)
    table.EndModify(was_modifying)


def column_of(table: Any, name: str) -> npt.NDArray[np.float64]:
    """The numbers of a column."""
    return np.array(slicer.util.arrayFromTableColumn(table, name), dtype=np.float64)


def set_series(chart: Any, series: list[Any]) -> None:
    """Make a chart show these, in this order."""
    wanted = [node.GetID() for node in series]
    if [chart.GetNthPlotSeriesNodeID(number) for number in range(chart.GetNumberOfPlotSeriesNodes())] == wanted:
        return
    was_modifying = chart.StartModify()
    chart.RemoveAllPlotSeriesNodeIDs()
    for identifier in wanted:
        chart.AddAndObservePlotSeriesNodeID(identifier)
    chart.EndModify(was_modifying)


def _array(values: Column) -> Any:
    if isinstance(values, list):
        texts = vtkStringArray()
        for text in values:
            texts.InsertNextValue(text)
        return texts
    return numpy_to_vtk(np.ascontiguousarray(values, dtype=np.float64), deep=True)
