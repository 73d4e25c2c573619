"""Augmented cases written as a set: the offline form, of any data set of this room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from CranialAugmentationTrainerLib.augmentation.case import BESIDE, CaseItems, labels_of
from CranialAugmentationTrainerLib.augmentation.defect_places import measure_defect
from CranialAugmentationTrainerLib.datasets.synthetic_set import (
    DEFECT_LABEL,
    SKULL_LABEL,
    SetRecord,
    SyntheticSet,
)
from CranialAugmentationTrainerLib.synthesis.set_progress import SetProgress
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Grid, Volume


@dataclass(frozen=True)
class Shard:
    """One of several runs that share a set's numbers: ``number`` (from 1) of ``of``.

    Each writes into a folder of its own; the numbers are those of the whole set.
    """

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise UserError(
                f"there is no shard {self.number} of {self.of}", where="--shard", remedy="Give it as 1/4 to 4/4."
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """A shard from ``1/4``.

        Raises:
            UserError: it is written otherwise.
        """
        number, _, of = text.partition("/")
        if not (number.isdigit() and of.isdigit()):
            raise UserError(f"{text!r} is no shard", where="--shard", remedy="Give it as 1/4 to 4/4.")
        return cls(int(number), int(of))

    def numbers(self, count: int) -> range:
        """Its numbers of 0 to ``count``: every ``of``-th."""
        return range(self.number - 1, count, self.of)


def write_set(
    items: CaseItems,
    grid: Grid,
    made: SyntheticSet,
    recipe: Mapping[str, Any],
    *,
    needs_defect: bool = True,
    ending: str = ".nrrd",
    shard: Shard | None = None,
    workers: int = 0,
    report: Callable[[SetProgress], None] = lambda progress: None,
) -> SetProgress:
    """Write the items that the set does not have yet; after a kill, the same call goes on.

    Args:
        items: binary cases, each with a ``record`` of where it came from, and some with what is kept beside
            them (``BESIDE``), which is compressed. Workers make them too, so it must be possible to pickle them.
        grid: where their voxels lie.
        made: the set's folder.
        recipe: all that the items depend on besides their number; the set keeps to it.
        needs_defect: whether a case that lost its defect is rejected.
        ending: of the label volumes, one of ``FORMATS``.
        shard: which of the numbers; all of them without.
        workers: processes; 0 makes the cases in this one.
        report: is told at the start and after each case.

    Raises:
        UserError: another recipe's set is in the folder, or it cannot be written.
    """
    shard = shard or Shard()
    made.begin({**recipe, "ending": ending, "shard": f"{shard.number}/{shard.of}"})
    there = made.records()
    numbers = shard.numbers(len(items))
    missing = [number for number in numbers if number not in there]
    progress = SetProgress(len(numbers))
    for number in set(numbers) & there.keys():
        progress.count(there[number].rejected, made=False)
    report(progress)
    writing = _WrittenCases(items, grid, made, needs_defect, ending)
    # Workers write the volumes; lines are appended here alone, each after its volume is whole.
    for outcome in DataLoader(writing, batch_size=None, sampler=missing, num_workers=workers):
        if isinstance(outcome, _Refusal):
            raise UserError(outcome.problem, where=outcome.where, remedy=outcome.remedy)
        made.append(outcome)
        progress.count(outcome.rejected)
        report(progress)
    made.finish()
    return progress


@dataclass(frozen=True)
class _Refusal:
    """A ``UserError`` on its way out of a worker."""

    problem: str
    where: str
    remedy: str


@dataclass(frozen=True)
class _WrittenCases(Dataset["SetRecord | _Refusal"]):
    """Item n writes case n and gives its line."""

    items: CaseItems
    grid: Grid
    made: SyntheticSet
    needs_defect: bool
    ending: str

    def __getitem__(self, number: int) -> SetRecord | _Refusal:
        try:
            case = self.items[number]
        except UserError as error:
            # One broken head among many is told in the index and stops nothing.
            return SetRecord(number, rejected=str(error))
        labels = labels_of(case)
        skull = int((labels == SKULL_LABEL).sum())
        defect = measure_defect(torch.from_numpy(labels == DEFECT_LABEL), self.grid)
        facts = case["record"]
        if skull == 0:
            return SetRecord(number, rejected="no skull", facts=facts)
        if defect is None and self.needs_defect:
            return SetRecord(number, rejected="no defect", facts=facts)
        if defect is not None:
            facts = {**facts, "defect_middle": [round(place, 2) for place in defect.middle]}
        beside = {role: (f"{place}{self.ending}", voxels) for role, (place, voxels) in case.get(BESIDE, {}).items()}
        if beside:
            facts = {**facts, BESIDE: {role: place for role, (place, _) in beside.items()}}
        path = self.made.volume(number, self.ending)
        try:
            for place, voxels in beside.values():
                write_volume(Volume(voxels, self.grid.ijk_to_ras), self.made.path / place)
            write_volume(Volume(labels, self.grid.ijk_to_ras), path)
        except UserError as error:
            return _Refusal(error.problem, error.where, error.remedy)
        file = path.relative_to(self.made.path).as_posix()
        skull_ml = skull * self.grid.voxel_volume / 1000.0
        return SetRecord(number, "", file, skull_ml, defect.millilitres if defect else 0.0, facts)
