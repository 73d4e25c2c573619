"""The checks of an implant as a table node, and the places that its rows lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vtkmodules.vtkCommonCore import vtkStringArray

from CranialReconstructionLib.scene.case import adopt, unique_name

TEXTS = {"Check": "name", "Value": "value", "Limit": "limit", "Verdict": "verdict"}
PLACE = "Place (R A S, mm)"


@dataclass(frozen=True)
class CheckRow:
    """One row: as ``implant.checks.Check``; ``at`` is the place that it is about (RAS, mm), or None."""

    name: str
    value: str
    limit: str
    verdict: str
    at: tuple[float, float, float] | None


def checks_table(case: Any, name: str, checks: Sequence[Mapping[str, Any]]) -> Any:
    """A new table node with a row a check.

    Args:
        case: the parameter node.
        name: of the node.
        checks: each with ``name``, ``value``, ``limit``, ``verdict``, and ``at`` (RAS mm) where it is about a place.
    """
    scene = case.GetScene()
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", unique_name(scene, name))
    columns = {title: [str(check[key]) for check in checks] for title, key in TEXTS.items()}
    columns[PLACE] = [" ".join(f"{part:.2f}" for part in check.get("at") or ()) for check in checks]
    for title, texts in columns.items():
        column = vtkStringArray()
        column.SetName(title)
        for text in texts:
            column.InsertNextValue(text)
        node.AddColumn(column)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
    adopt(case, node)
    return node


def place_of_check(table: Any, row: int) -> tuple[float, float, float] | None:
    """Where the check of a row is about (RAS mm); None where it is about the whole."""
    parts = [float(part) for part in table.GetTable().GetValueByName(row, PLACE).ToString().split()]
    return (parts[0], parts[1], parts[2]) if parts else None


def check_rows(table: Any) -> list[CheckRow]:
    """The rows of a table node that ``checks_table`` made; empty for another table."""
    content = table.GetTable()
    if any(content.GetColumnByName(title) is None for title in (*TEXTS, PLACE)):
        return []
    rows = []
    for row in range(content.GetNumberOfRows()):
        name, value, limit, verdict = (content.GetValueByName(row, title).ToString() for title in TEXTS)
        rows.append(CheckRow(name, value, limit, verdict, place_of_check(table, row)))
    return rows
