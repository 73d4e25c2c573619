"""Seconds and memory of ``cranial reconstruct``, from the file to the written results, each run a fresh process.

    python Testing/benchmarks/speed.py SKULL [--runs 5] [--device cpu]

``cold`` is the whole command; ``warm`` is a second skull in a process that has its model loaded, which
is what a service or an open Slicer does. The stages are those of ``report.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.reconstruction.catalogue import DEFAULT_MODEL, find_package
from CranialReconstructionLib.reconstruction.devices import choose_device
from CranialReconstructionLib.reconstruction.model_package import load_package
from CranialReconstructionLib.reconstruction.predictor import Predictor


@dataclass(frozen=True)
class ColdRun:
    """One fresh process: wall seconds, peak resident gigabytes, seconds of each stage."""

    seconds: float
    gigabytes: float
    stages: dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("skull", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    runs = [cold_run(options.skull, options.model, options.device) for _ in range(options.runs)]
    warm = warm_seconds(options.skull, options.model, options.device, options.runs)

    table = Table(title=f"{options.skull.name}, {os.cpu_count()} cores, {options.device}, {options.runs} runs")
    for heading in ("", "median", "lowest", "highest"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows: dict[str, list[float]] = {
        "cold, file to results, s": [run.seconds for run in runs],
        "warm, mask to defect, s": warm,
        "peak memory, GB": [run.gigabytes for run in runs],
    }
    for stage in runs[0].stages:
        rows[f"  {stage}, s"] = [run.stages[stage] for run in runs]
    for name, values in rows.items():
        table.add_row(name, *(f"{figure(values):.2f}" for figure in (np.median, np.min, np.max)))
    Console(width=110).print(table)
    return 0


def cold_run(skull: Path, model: str, device: str) -> ColdRun:
    """Run the command in a process of its own."""
    command = Path(sys.executable).with_name("cranial")
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        words = [str(command), "reconstruct", str(skull), "-o", str(results), "--model", model, "--device", device]
        since = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - since
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"cranial reconstruct ended with status {process.returncode}")
        stages = json.loads((results / "report.json").read_text())["seconds"]
    # Linux counts kilobytes, macOS bytes.
    return ColdRun(seconds, usage.ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0) / 1e9, stages)


def warm_seconds(skull: Path, model: str, device: str, runs: int) -> list[float]:
    """Seconds from a mask in memory to its defect, after a first one that does not count."""
    predictor = Predictor(load_package(find_package(model)), choose_device(device))
    volume = read_volume(skull)
    seconds = []
    for _ in range(runs + 1):
        since = time.perf_counter()
        predictor.reconstruct(volume)
        seconds.append(time.perf_counter() - since)
    return seconds[1:]


if __name__ == "__main__":
    sys.exit(main())
