"""``cranial set-statistics``: what sets of cases are like, beside the skulls that they were learned from."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from CranialAugmentationTrainerLib.cli.counting import CountingLine
from CranialReconstructionLib.cli.command import Command

if TYPE_CHECKING:
    from CranialAugmentationTrainerLib.datasets.skull_case import DataSet
    from CranialAugmentationTrainerLib.synthesis.set_statistics import SetStatistics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial set-statistics``."""
    parser.description = (
        "Size, place and shape of the defects of one set or several, side by side; how far cases differ from one "
        "another; and with a reference, how near they come to its skulls: whether a generator makes new heads or "
        "remembers. All sets are measured on one grid."
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="a synthetic set, or any data set")
    parser.add_argument("--reference", type=Path, metavar="FOLDER", help="the training skulls")
    parser.add_argument(
        "--split", type=Path, metavar="FILE", help="a run's split.json; only its training skulls are the reference"
    )
    parser.add_argument("--side", type=int, metavar="N", help="voxels an edge to measure on (the sets' own, or 64)")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw all of it")
    parser.add_argument(
        "--figures", type=Path, metavar="FILE", help="write all figures, those of every case too, as JSON"
    )
    parser.add_argument("--json", action="store_true", help="print the same")


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    from CranialAugmentationTrainerLib.datasets.reading import read_data_set
    from CranialAugmentationTrainerLib.synthesis.set_statistics import (
        measure_reference,
        measure_set,
        natural_side,
        statistics_as_json,
    )
    from CranialAugmentationTrainerLib.synthesis.statistics_table import table_as_json
    from CranialReconstructionLib.imaging.whole_file import whole_file

    data = [read_data_set(folder).usable() for folder in options.folders]
    side = options.side or min(natural_side(one) for one in data)
    reference = None
    if options.reference is not None:
        known = _training_part(read_data_set(options.reference), options.split).usable()
        reference = measure_reference(known, side, CountingLine(f"reading {options.reference}"))
    sets = []
    for one in data:
        sets.append(measure_set(one, side, reference, CountingLine(f"reading {one.folder}")))
    itself = reference.statistics if reference else None
    for statistics in [*sets, *([itself] if itself else [])]:
        for broken in statistics.broken:
            print(f"left out: {broken.name}: {broken.reason} ({broken.path})", file=sys.stderr)
    if options.plot is not None:
        from CranialAugmentationTrainerLib.synthesis.statistics_plot import plot_statistics

        plot_statistics(sets, itself, options.plot)
    content = {
        "table": table_as_json(sets, itself),
        "sets": [statistics_as_json(one, itself) for one in sets],
        "reference": statistics_as_json(itself) if itself else None,
    }
    if options.figures is not None:
        with whole_file(options.figures) as part:
            part.write_text(json.dumps(content, indent=1) + "\n")
    if options.json:
        print(json.dumps(content, indent=1))
    else:
        _print_table(sets, itself)
    return 0


def _print_table(sets: list[SetStatistics], reference: SetStatistics | None) -> None:
    from rich.console import Console

    from CranialAugmentationTrainerLib.synthesis.statistics_table import statistics_table

    # A pipe has no width of its own; the table must not lose columns in it.
    width = None if sys.stdout.isatty() else 60 + 40 * (len(sets) + 1)
    Console(markup=False, highlight=False, width=width).print(statistics_table(sets, reference))


def _training_part(data: DataSet, split: Path | None) -> DataSet:
    from dataclasses import replace

    from CranialAugmentationTrainerLib.datasets.split import Split

    if split is None:
        return data
    training = set(Split.read(split).train)
    return replace(data, cases=tuple(case for case in data.cases if case.skull in training))


COMMAND = Command("Size, place, shape, likeness: figures of a set.", add_arguments, run)
