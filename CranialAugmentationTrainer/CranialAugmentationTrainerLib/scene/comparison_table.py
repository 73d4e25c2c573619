"""What a comparison of networks found, as two tables in the scene: one of summaries, one of all cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from CranialAugmentationTrainerLib.scene.plot_nodes import Column, attribute_name, fill_table, new_node, owned

Which = Literal["summary", "cases"]

_COMPARISON, _WHICH = attribute_name("Comparison"), attribute_name("Table")
_TABLE = "vtkMRMLTableNode"


def show_tables(trainer: Any, key: str, name: str, tables: Mapping[Which, Mapping[str, Column]]) -> dict[Which, Any]:
    """Put the tables of a comparison into the scene, or bring those that are there up to date.

    Args:
        trainer: the parameter node, which owns them.
        key: the comparison's folder, by which they are known.
        name: for a person.
        tables: columns of each; numbers, or texts.

    Returns:
        The nodes.
    """
    there = tables_of(trainer, key)
    for which, columns in tables.items():
        if which not in there:
            there[which] = new_node(trainer, _TABLE, f"{name} {which}", Comparison=key, Table=which)
        fill_table(there[which], columns)
    return there


def tables_of(trainer: Any, key: str) -> dict[Which, Any]:
    """The tables of a comparison that are in the scene."""
    found = (table for table in owned(trainer, _TABLE, _COMPARISON) if table.GetAttribute(_COMPARISON) == key)
    return {table.GetAttribute(_WHICH): table for table in found}
