"""Generated cases a second, with post-processing, quality and writing, beside the decoding alone; and the memory.

    python Testing/benchmarks/generation_speed.py RUN [RUN ...] [-n 60] [--workers 1]

RUN is a training run or a generator's package. The memory is this process's at its most, after a tenth of the cases
and after all of them: with one worker it makes the cases itself, and a set may be as long as one likes if the two
are the same.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from CranialAugmentationTrainerLib.sampling.sampler import LatentSampler
from CranialAugmentationTrainerLib.sampling.settings import SamplingSettings
from CranialAugmentationTrainerLib.synthesis.generator_package import generator_source
from CranialAugmentationTrainerLib.synthesis.making import MakingSettings
from CranialAugmentationTrainerLib.synthesis.source import GeneratorSource
from CranialAugmentationTrainerLib.synthesis.writing import SetWriter, write_set
from CranialAugmentationTrainerLib.training.peak_memory import peak_main_memory


def main() -> None:
    """Time them and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("-n", type=int, default=60, dest="count", help="cases (60)")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    table = Table(title=f"{options.count} cases, {options.workers} worker(s), {torch.get_num_threads()} thread(s)")
    for title in ("generator", "decoding, s", "cases/s, decoded", "cases/s, written", "written/decoded", "memory, MB"):
        table.add_column(title, justify="left" if title == "generator" else "right")
    for run in options.runs:
        source = generator_source(run, "cpu")
        seconds = _decoding(source, max(4, options.count // 10))
        rate, before, after = _writing(source, options.count, options.workers)
        memory = f"{before / 1e6:.0f}, then {after / 1e6:.0f}"
        row = (f"{seconds:.3f}", f"{1 / seconds:.2f}", f"{rate:.2f}", f"{rate * seconds:.2f}", memory)
        table.add_row(run.name, *row)
    Console(width=120).print(table)


def _decoding(source: GeneratorSource, count: int) -> float:
    """Seconds that a case's latent and its decoding take."""
    generator = source.load()
    sampler = LatentSampler(SamplingSettings(), generator.latent_shape)
    with torch.inference_mode():
        generator.decode(sampler.latents([0]))
        begun = time.perf_counter()
        for number in range(count):
            generator.decode(sampler.latents([number]))
    return (time.perf_counter() - begun) / count


def _writing(source: GeneratorSource, count: int, workers: int) -> tuple[float, int, int]:
    """Cases a second into a set, the generator's loading included; memory after a tenth, and at the end."""
    # A rejected case costs what an accepted one does, but for its file.
    settings = MakingSettings(limits=None)
    with tempfile.TemporaryDirectory() as folder:
        writer = SetWriter(source, settings, Path(folder), ".nrrd")
        write_set(writer, max(1, count // 10), workers)
        before = peak_main_memory()
        begun = time.perf_counter()
        progress = write_set(writer, count, workers)
        return progress.made / (time.perf_counter() - begun), before, peak_main_memory()


if __name__ == "__main__":
    main()
