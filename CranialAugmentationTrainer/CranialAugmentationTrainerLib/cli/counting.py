"""Work that is counted, on one line of standard error."""

from __future__ import annotations

import sys
import time


class CountingLine:
    """Tells what is done of how much, and the time left; a pipe gets the last word only.

    Args:
        what: is being done, "reading cases".
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._start = time.monotonic()
        self._told = 0.0

    def __call__(self, done: int, of: int) -> None:
        now = time.monotonic()
        if done < of and (not sys.stderr.isatty() or now - self._told < 0.1):
            return
        self._told = now
        left = (now - self._start) / done * (of - done) if done else 0.0
        words = f"{self._what}: {done} of {of}" + (f", {left:.0f} s left" if done < of else "")
        print(f"\r{words:<60}" if sys.stderr.isatty() else words, end="", file=sys.stderr, flush=True)
        if done >= of:
            print(file=sys.stderr)
