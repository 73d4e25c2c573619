"""Figures of a set beside those of real skulls, as a table of the scene; what ``cranial set-statistics`` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.scene.plot_nodes import Column, attribute_name, fill_table, new_node, owned
from CranialReconstructionLib.errors import UserError

FIGURE = "figure"

_KIND, _SET = "vtkMRMLTableNode", attribute_name("Set")


def show_statistics(trainer: Any, made: Path, figures: Path) -> Any:
    """Put the figures of a set into the scene, or bring those that are there up to date.

    Args:
        trainer: the parameter node.
        made: the set's folder, by which its table is known.
        figures: the file of ``cranial set-statistics --figures``.

    Returns:
        The table: a row for each figure, a column for each set and for the reference, and with a reference the
        distance of each set's distribution to it.

    Raises:
        UserError: it is no such file.
    """
    columns = _columns(figures)
    table = statistics_of(trainer, made)
    if table is None:
        table = new_node(trainer, _KIND, f"{made.name} statistics", Set=str(made))
    fill_table(table, columns)
    return table


def statistics_of(trainer: Any, made: Path) -> Any:
    """The table of a set's figures; None if there is none in the scene."""
    return next((table for table in owned(trainer, _KIND, _SET) if table.GetAttribute(_SET) == str(made)), None)


def rows_of_table(table: Any) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of a table, as texts, for whoever shows them."""
    content = table.GetTable()
    columns = [content.GetColumn(number) for number in range(content.GetNumberOfColumns())]
    rows = [[column.GetValue(row) for column in columns] for row in range(content.GetNumberOfRows())]
    return [column.GetName() for column in columns], rows


def _columns(figures: Path) -> dict[str, Column]:
    try:
        table = json.loads(figures.read_text(encoding="utf-8"))["table"]
        columns: dict[str, Column] = {FIGURE: [str(row["figure"]) for row in table["rows"]]}
        for number, title in enumerate(table["columns"]):
            name = str(title) if title not in columns else f"{title} {number + 1}"
            columns[name] = [str(row["cells"][number]) for row in table["rows"]]
            distances = [row["ks_distance"][number] for row in table["rows"]]
            if any(distance is not None for distance in distances):
                columns[f"{name}: distance (KS)"] = [
                    "" if distance is None else f"{distance:.2f}" for distance in distances
                ]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(
            "no figures of a set are there",
            where=str(figures),
            remedy="Measure the set again, with `cranial set-statistics --figures`.",
        ) from error
    return columns
