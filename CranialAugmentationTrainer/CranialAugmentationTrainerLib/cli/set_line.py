"""How far a set is, on one line of standard error, and what came of it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from CranialAugmentationTrainerLib.synthesis.set_progress import SetProgress


class SetLine:
    """The progress, at most ten times a second; a pipe gets the last state only."""

    def __init__(self) -> None:
        self._told = 0.0
        self._last = ""

    def __call__(self, progress: SetProgress) -> None:
        self._last = progress.line
        if sys.stderr.isatty() and time.monotonic() - self._told >= 0.1:
            self._told = time.monotonic()
            print(f"\r{self._last:<78}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """The last state, which stays."""
        if self._last:
            print(("\r" if sys.stderr.isatty() else "") + f"{self._last:<78}".rstrip(), file=sys.stderr)


def tell_counts(progress: SetProgress, folder: Path, as_json: bool) -> None:
    """Print what a set holds, and what was not let in."""
    if as_json:
        counts = {
            "folder": str(folder),
            "accepted": progress.accepted,
            "rejected": dict(progress.rejected),
            "new": progress.made,
            "cases_a_second": round(progress.rate, 3),
        }
        print(json.dumps(counts, indent=2))
        return
    print(f"{progress.accepted} cases are in {folder}; {progress.made} are new.")
    for reason, cases in progress.rejected.most_common():
        print(f"rejected: {cases}: {reason}")
