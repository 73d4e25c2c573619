"""Sets side by side, a column each, beside their reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from CranialAugmentationTrainerLib.synthesis.case_measures import MEASURES
from CranialAugmentationTrainerLib.synthesis.set_statistics import SetStatistics

KS = "KS"


def statistics_table(sets: Sequence[SetStatistics], reference: SetStatistics | None) -> Table:
    """Median and quartiles of each measure and, in a column of its own kind, KS distances to the reference."""
    table = Table("", title="median (quartiles); KS: distance to the reference, 0 alike to 1 apart")
    columns = [*sets, *([reference] if reference else [])]
    for column in columns:
        table.add_column(column.name + (" (reference)" if column is reference else ""), justify="right")
    table.add_row("cases", *(str(len(column.names)) for column in columns))
    table.add_row("rejected", *(_rejected(column) for column in columns))
    for name, (words, decimals) in MEASURES.items():
        cells = []
        for column in columns:
            distance = column.apart_from(reference, name) if reference and column is not reference else None
            told = f"  {KS} {distance:.2f}" if distance is not None else ""
            cells.append(_quartiles(column, name, decimals) + told)
        table.add_row(words, *cells)
    table.add_row("diversity of skulls, 1 - Dice", *(_number(column.diversity) for column in columns))
    table.add_row("diversity of defects, 1 - Dice", *(_number(column.defect_diversity) for column in columns))
    if any(column.nearest for column in columns):
        table.add_row("Dice with the nearest training skull", *(_nearest(column) for column in columns))
        table.add_row("remembered training skulls", *(_remembered(column) for column in columns))
    return table


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
