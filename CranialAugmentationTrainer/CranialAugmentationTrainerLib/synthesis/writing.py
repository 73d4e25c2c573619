"""A synthetic set written from a generator: several workers, resumed after a kill, memory flat.

Numbers are tried in rounds: the first of as many as are wanted, each further one of as many as are
still missing. So the set holds the first numbers that pass, whoever made them and in what order, and
no accepted case is ever thrown away. Only the process that called writes the index; workers write
volumes, whole or not at all.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Container, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.datasets.synthetic_set import FORMATS, ORIGIN, SetRecord, SyntheticSet
from CranialAugmentationTrainerLib.synthesis.generator_package import generator_source
from CranialAugmentationTrainerLib.synthesis.making import CaseMaker, MadeCase, MakingSettings
from CranialAugmentationTrainerLib.synthesis.set_progress import SetProgress
from CranialAugmentationTrainerLib.synthesis.source import GeneratorSource
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume

# Without a good case among this many a generator is taken to have learned nothing.
HOPELESS = 256
# A set may take this many tries a wanted case before it is given up.
MOST_TRIES = 20
# Batches that wait for a worker, each: enough that none is idle, few enough that memory stays flat.
AHEAD = 2

Hands = Callable[[Iterator[list[int]]], Iterator[SetRecord]]


@dataclass(frozen=True)
class SetWriter:
    """How cases become files of a set.

    Attributes:
        source: of the generator.
        settings: what makes its cases.
        folder: of the set.
        suffix: of the volumes, one of ``FORMATS``.
    """

    source: GeneratorSource
    settings: MakingSettings
    folder: Path
    suffix: str = ".nrrd"

    def __post_init__(self) -> None:
        if self.suffix not in FORMATS:
            raise UserError(
                f"format {self.suffix!r} is unknown", where="format", remedy=f"Choose one of {', '.join(FORMATS)}."
            )

    def maker(self) -> CaseMaker:
        """Loads the generator.

        Raises:
            UserError: it has changed since the set was begun, as a run does that is being trained.
        """
        maker = CaseMaker(self.source.load(), self.settings)
        if self.source.recipe() != SyntheticSet(self.folder).recipe()["generator"]:
            raise UserError(
                "the generator has changed since the set was begun",
                where=self.source.origin,
                remedy="Wait for the end of its training, or make a package of it and generate from that.",
            )
        return maker

    def write(self, case: MadeCase) -> SetRecord:
        """Write the volume of an accepted case; its record, with the file."""
        if case.record.rejected:
            return case.record
        path = SyntheticSet(self.folder).volume(case.record.number, self.suffix)
        grid = case_grid(case.labels.shape[0])
        write_volume(Volume(case.labels, grid.ijk_to_ras), path)
        return replace(case.record, file=path.relative_to(self.folder).as_posix())


def write_set(
    writer: SetWriter, count: int, workers: int = 1, report: Callable[[SetProgress], None] = lambda progress: None
) -> SetProgress:
    """Make cases until ``count`` good ones are in the set; go on with a set that a kill or an end left.

    Args:
        workers: processes; each loads the generator. With 1, this process makes the cases itself.
        report: is told after every case.

    Returns:
        What was accepted and rejected, for which reasons.

    Raises:
        UserError: another set is in the folder, the generator's cases are no good, or a worker died.
    """
    if count < 1 or workers < 1:
        raise UserError(
            "there is nothing to make, or no one to make it",
            where="generate",
            remedy="Ask for 1 case and 1 worker or more.",
        )
    made = SyntheticSet(writer.folder)
    recipe = {"generator": writer.source.recipe(), "making": writer.settings.recipe(), "suffix": writer.suffix}
    made.begin(recipe, writer.source.origin)
    done = {number: record.rejected for number, record in made.records().items()}
    progress = SetProgress(count)
    with _hands(writer, workers) as hands:
        tried = 0
        while progress.accepted < count:
            numbers = range(tried, tried + count - progress.accepted)
            for number in numbers:
                if number in done:
                    progress.count(done[number], made=False)
            for record in hands(_batches(numbers, writer.settings.batch, done)):
                made.append(record)
                progress.count(record.rejected)
                report(progress)
                _refuse_hopeless(progress, writer.folder)
            tried = numbers.stop
    made.finish()
    return progress


def make_again(folder: Path, number: int, source: GeneratorSource | None = None) -> MadeCase:
    """Make one case of a set again, alone, from the set's recipe.

    Args:
        source: of the generator; None for the one that ``set.json`` names.

    Raises:
        UserError: not a set, the generator is no longer what it was, or the case comes out otherwise.
    """
    made = SyntheticSet(folder)
    recipe = made.recipe()
    if "making" not in recipe:
        raise UserError(
            "the set was not made by a generator", where=str(folder), remedy="Run the command again that made it."
        )
    source = source or generator_source(Path(recipe.get(ORIGIN, "")))
    if source.recipe() != recipe["generator"]:
        raise UserError(
            "the generator is not the one that made this set",
            where=str(folder),
            remedy="Give the run or package as it was then; set.json has its SHA256.",
        )
    case = CaseMaker(source.load(), MakingSettings.from_recipe(recipe["making"])).make(number)
    former = made.index_entry(number)
    if former is not None and dict(former.facts) != dict(case.record.facts):
        raise UserError(
            f"case {number} is made from another latent now",
            where=str(folder),
            remedy="Use the version of this software and of numpy that made the set.",
        )
    return case


def remake(folder: Path, number: int, source: GeneratorSource | None = None) -> SetRecord:
    """Make one case of a set again, alone, and write its volume anew where the set has one.

    Raises:
        UserError: as ``make_again``; or the set has no such case.
    """
    former = SyntheticSet(folder).index_entry(number)
    if former is None:
        raise UserError(f"the set has no case {number}", where=str(folder), remedy="Look into its index.jsonl.")
    case = make_again(folder, number, source)
    if former.file:
        write_volume(Volume(case.labels, case_grid(case.labels.shape[0]).ijk_to_ras), folder / former.file)
    return former


def _batches(numbers: range, size: int, done: Container[int]) -> Iterator[list[int]]:
    """The numbers still to be made, in groups that are decoded together."""
    for first in range(numbers.start // size * size, numbers.stop, size):
        group = [number for number in range(first, first + size) if number in numbers and number not in done]
        if group:
            yield group


def _refuse_hopeless(progress: SetProgress, folder: Path) -> None:
    most = HOPELESS if progress.accepted == 0 else MOST_TRIES * progress.wanted
    if progress.accepted < progress.wanted and progress.tried >= most:
        reasons = ", ".join(f"{reason}: {number}" for reason, number in progress.rejected.most_common())
        raise UserError(
            f"only {progress.accepted} of {progress.tried} generated cases are good ({reasons})",
            where=str(folder),
            remedy="Train the generator longer, or choose another sampling.",
        )


@contextmanager
def _hands(writer: SetWriter, workers: int) -> Iterator[Hands]:
    """Who makes cases: this process, or a pool of others."""
    if workers == 1:
        maker = writer.maker()
        yield lambda batches: (writer.write(case) for batch in batches for case in maker.make_several(batch))
        return
    threads = max(1, torch.get_num_threads() // workers)
    # Spawned, as a forked process must not use CUDA or the threads of its parent.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (writer, threads))
    try:
        yield partial(_shared_out, pool, AHEAD * workers)
    except BrokenProcessPool as error:
        raise UserError(
            "a worker died, of too little memory perhaps; what it had written is kept",
            where=str(writer.folder),
            remedy="Ask for the same set again to go on, with fewer workers.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _shared_out(pool: ProcessPoolExecutor, ahead: int, batches: Iterator[list[int]]) -> Iterator[SetRecord]:
    """Records in the order in which they come, no more than ``ahead`` batches under way."""
    under_way = {pool.submit(_make, batch) for batch in islice(batches, ahead)}
    while under_way:
        finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        for future in finished:
            yield from future.result()
        under_way |= {pool.submit(_make, batch) for batch in islice(batches, len(finished))}


# What a worker process keeps from one batch to the next.
_own_writer: list[SetWriter] = []


@cache
def _own_maker() -> CaseMaker:
    # Not in ``_start``: an error there would break the pool without a word, here it reaches the parent.
    return _own_writer[0].maker()


def _start(writer: SetWriter, threads: int) -> None:
    """A worker begins: it leaves Ctrl-C to its parent, and ends if the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    torch.set_num_threads(threads)
    _own_writer.append(writer)


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _make(numbers: list[int]) -> list[SetRecord]:
    """One batch, written."""
    return [_own_writer[0].write(case) for case in _own_maker().make_several(numbers)]
