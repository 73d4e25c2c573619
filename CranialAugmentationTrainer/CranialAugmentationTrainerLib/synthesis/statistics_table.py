"""Sets side by side, a column each, beside their reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from CranialAugmentationTrainerLib.synthesis.case_measures import MEASURES
from CranialAugmentationTrainerLib.synthesis.set_statistics import SetStatistics

KS = "KS"


@dataclass(frozen=True)
class StatisticsRow:
    """One figure of all columns, the sets and then their reference.

    Attributes:
        words: what it is.
        cells: a text for each column.
        distances: KS distance of each column to the reference; None where there is none.
    """

    words: str
    cells: tuple[str, ...]
    distances: tuple[float | None, ...]


def statistics_rows(sets: Sequence[SetStatistics], reference: SetStatistics | None) -> Iterator[StatisticsRow]:
    """Median and quartiles of each measure, counts, and likeness."""
    columns = _columns(sets, reference)

    def row(words: str, cells: Iterator[str]) -> StatisticsRow:
        return StatisticsRow(words, tuple(cells), (None,) * len(columns))

    yield row("cases", (str(len(column.names)) for column in columns))
    yield row("rejected", (_rejected(column) for column in columns))
    for name, (words, decimals) in MEASURES.items():
        distances = tuple(
            column.apart_from(reference, name) if reference and column is not reference else None for column in columns
        )
        yield StatisticsRow(words, tuple(_quartiles(column, name, decimals) for column in columns), distances)
    yield row("diversity of skulls, 1 - Dice", (_number(column.diversity) for column in columns))
    yield row("diversity of defects, 1 - Dice", (_number(column.defect_diversity) for column in columns))
    if any(column.nearest for column in columns):
        yield row("Dice with the nearest training skull", (_nearest(column) for column in columns))
        yield row("remembered training skulls", (_remembered(column) for column in columns))


def statistics_table(sets: Sequence[SetStatistics], reference: SetStatistics | None) -> Table:
    """The rows for a terminal, KS distances beside their figures."""
    table = Table("", title="median (quartiles); KS: distance to the reference, 0 alike to 1 apart")
    for column in _columns(sets, reference):
        table.add_column(_title(column, reference), justify="right")
    for row in statistics_rows(sets, reference):
        told = (f"  {KS} {distance:.2f}" if distance is not None else "" for distance in row.distances)
        table.add_row(row.words, *(cell + more for cell, more in zip(row.cells, told, strict=True)))
    return table


def table_as_json(sets: Sequence[SetStatistics], reference: SetStatistics | None) -> dict[str, Any]:
    """The rows for whoever shows them, distances in fields of their own."""
    titles = [_title(column, reference) for column in _columns(sets, reference)]
    rows = [
        {"figure": row.words, "cells": row.cells, "ks_distance": row.distances}
        for row in statistics_rows(sets, reference)
    ]
    return {"columns": titles, "rows": rows}


def _columns(sets: Sequence[SetStatistics], reference: SetStatistics | None) -> list[SetStatistics]:
    return [*sets, *([reference] if reference else [])]


def _title(column: SetStatistics, reference: SetStatistics | None) -> str:
    return column.name + (" (reference)" if column is reference else "")


def _quartiles(column: SetStatistics, name: str, decimals: int) -> str:
    found = column.quartiles(name)
    if found is None:
        return "-"
    low, middle, high = (f"{value:z.{decimals}f}" for value in found)
    return f"{middle} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"


def _rejected(column: SetStatistics) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in column.rejected.items()) or "-"


def _nearest(column: SetStatistics) -> str:
    if not column.nearest:
        return "-"
    best = [near.dice for near in column.nearest]
    return f"{np.median(best):.2f} (highest {max(best):.2f})"


def _remembered(column: SetStatistics) -> str:
    if not column.nearest:
        return "-"
    return f"{sum(near.remembered for near in column.nearest)} of {len(column.nearest)}"
