"""What a waiting user sees on standard error."""

from __future__ import annotations

import sys
import time


class StageLine:
    """Tells each stage on standard error as it begins, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def __call__(self, stage: str) -> None:
        print(f"[{time.perf_counter() - self._start:5.1f} s] {stage}", file=sys.stderr, flush=True)
