"""What came of making an implant, on standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.delivery.results import Outcome

FAILED = 1


def tell(outcome: Outcome, folder: Path) -> None:
    """The checks and where the files are."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for check in outcome.checks:
        table.add_row(check.name, check.value, check.limit, check.verdict.upper())
    # A pipe has no width of its own; the table must not lose columns in it.
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
    implants = len(outcome.implants)
    count = "1 implant" if implants == 1 else f"{implants} implants"
    where = f"Results are in {folder}." if outcome.written else "Nothing was written."
    failed = (
        "no check failed" if not outcome.failed else f"{len(outcome.failed)} of {len(outcome.checks)} checks failed"
    )
    print(f"{count}, {failed}. {where} Research use only.")
