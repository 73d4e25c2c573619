"""Seconds and memory of one command.

The system counts the peak of whoever starts a process into that process's own, so a small one starts it: this file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One process: seconds on the clock and of the processors, peak resident gigabytes, its last line of errors."""

    seconds: float
    busy: float
    gigabytes: float
    said: str


def timed(words: list[str | Path]) -> Run:
    """Run a command, whose standard output is thrown away."""
    starter = [sys.executable, "-S", __file__, *map(str, words)]
    done = subprocess.run(starter, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    last = done.stderr.strip().splitlines()[-1:] or [f"status {figures['status']}"]
    return Run(figures["seconds"], figures["busy"], figures["gigabytes"], last[0])


def _measure(words: list[str]) -> None:
    since = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    figures = {
        "seconds": time.perf_counter() - since,
        "busy": usage.ru_utime + usage.ru_stime,
        # Linux counts kilobytes, macOS bytes.
        "gigabytes": usage.ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0) / 1e9,
        "status": process.returncode,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    _measure(sys.argv[1:])
