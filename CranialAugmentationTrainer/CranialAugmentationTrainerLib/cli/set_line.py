"""How far a set is, on one line of standard error."""

from __future__ import annotations

import sys
import time
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
