"""``cranial evaluate``: predictions against the truth."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from CranialReconstructionLib.cli.command import Command
from CranialReconstructionLib.errors import UserError


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Compare predicted missing bone with the truth, at the resolution of the files: Dice, boundary Dice, "
        "surface Dice, both definitions of HD95, mean surface distance. Prediction and truth are two files, "
        "or two folders whose files (or subfolders with a defect file) have the same names."
    )
    parser.add_argument("prediction", type=Path, metavar="PREDICTION", help="predicted missing bone")
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="true missing bone")
    parser.add_argument(
        "--skull",
        type=Path,
        metavar="SKULL",
        help="defective skull, file or folder, for the boundary Dice",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE as JSON")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a row for every case to FILE as CSV")
    parser.add_argument(
        "--tolerance", type=float, default=1.0, metavar="MM", help="of the surface Dice, in mm (default: 1)"
    )


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from CranialReconstructionLib.evaluation.cohort import evaluate_cohort
    from CranialReconstructionLib.evaluation.matching import match_cases
    from CranialReconstructionLib.evaluation.tables import remarks, scores_table, write_csv, write_json

    if not (math.isfinite(options.tolerance) and options.tolerance >= 0.0):
        raise UserError(
            f"a tolerance of {options.tolerance:g} mm makes no sense",
            where="--tolerance",
            remedy="Give a length in millimetres, 0 or more.",
        )
    matching = match_cases(options.prediction, options.truth, options.skull)
    waiting = Console(stderr=True)
    with Progress(console=waiting, transient=True, disable=not waiting.is_terminal) as progress:
        task = progress.add_task("evaluating", total=len(matching.cases))
        cohort = evaluate_cohort(matching.cases, options.tolerance, lambda name: progress.advance(task))
    if options.json is not None:
        write_json(cohort, matching, options.json)
    if options.csv is not None:
        write_csv(cohort, options.csv)
    # A pipe has no width of its own; the table must not lose columns in it.
    width = None if sys.stdout.isatty() else 200
    console = Console(markup=False, highlight=False, soft_wrap=True, width=width)
    console.print(scores_table(cohort))
    for line in remarks(cohort, matching):
        console.print(line)
    return 0


COMMAND = Command(
    summary="Compare predicted missing bone with the truth.",
    add_arguments=_add_arguments,
    run=_run,
)
