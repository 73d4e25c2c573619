"""The cases of a run: read from its data sets, divided by skull, resampled once, and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from CranialAugmentationTrainerLib.datasets.case_contents import contents_of
from CranialAugmentationTrainerLib.datasets.case_grid import read_case
from CranialAugmentationTrainerLib.datasets.reading import read_data_set
from CranialAugmentationTrainerLib.datasets.skull_case import BrokenCase, SkullCase
from CranialAugmentationTrainerLib.datasets.split import Split, split_by_skull
from CranialAugmentationTrainerLib.training.kept_array import kept_array
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training_settings import SplitShares, TrainingSettings
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Array
from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.reconstruction.main_memory import available_main_memory

SYNTHETIC = "synthetic"
# Cases larger than this share of the free memory stay in their files.
MEMORY_SHARE = 0.25
# Broken cases that get an event of their own.
NAMED = 50


@dataclass(frozen=True, eq=False)
class StoredCase:
    """One case on the run's grid.

    Attributes:
        name: of the case.
        skull: the person.
        digest: of its files, which the grid's side completes.
        synthetic: whether it comes from a synthetic set.
        shares: (2, K, J, I), uint8: skull and missing bone, 255 for a voxel full of bone.
    """

    name: str
    skull: str
    digest: str
    synthetic: bool
    shares: Array


@dataclass(frozen=True)
class StoredCases:
    """Cases for training, and those that it is looked at with."""

    training: tuple[StoredCase, ...]
    validation: tuple[StoredCase, ...]

    @property
    def digest(self) -> str:
        """Tells these cases, in this order, from any others."""
        names = "\n".join(case.digest for case in (*self.training, *self.validation))
        return hashlib.sha256(names.encode()).hexdigest()[:16]


def gather_cases(
    folders: Sequence[Path], settings: TrainingSettings, run: RunFolder, cache: Path, split: Path | None = None
) -> StoredCases:
    """Read the data sets, write the run's ``split.json``, and resample what training needs of them.

    What cannot be used is left out and told. Test skulls are not read.

    Args:
        cache: where resampled cases are kept.
        split: a given division; the run's own counts if it has one.

    Raises:
        UserError: no folder, no case, or a split of other skulls.
    """
    found = _usable(folders, "masking" in settings.augmentation.chosen, run)
    division = _division(found, settings.split, run, split)
    held, tested = set(division.validation), set(division.test)
    training = [entry for entry in found if entry.case.skull not in held | tested]
    # Synthetic cases say nothing of how well real ones are done.
    validation = [entry for entry in found if entry.case.skull in held and not entry.synthetic and entry.case.paired]
    if not training:
        raise UserError(
            "the split leaves no case for training", where=str(split or run.split), remedy="Give another split."
        )
    size = 2 * settings.side**3 * (len(training) + len(validation))
    mapped = size > MEMORY_SHARE * available_main_memory()

    def keep(entry: _Found) -> StoredCase | BrokenCase:
        return store_case(entry.case, settings.side, cache, synthetic=entry.synthetic, mapped=mapped)

    run.log("reading", cases=len(training) + len(validation), in_memory=not mapped)
    with ThreadPoolExecutor(max(1, settings.workers)) as pool:
        kept = [list(pool.map(keep, entries)) for entries in (training, validation)]
    _tell([reason for cases in kept for reason in cases if isinstance(reason, BrokenCase)], run)
    good = [tuple(case for case in cases if isinstance(case, StoredCase)) for cases in kept]
    if not good[0]:
        raise UserError("no training case can be read", where=str(folders[0]), remedy="See the run's events.")
    return StoredCases(*good)


@dataclass(frozen=True)
class _Found:
    """A case of one of the data sets."""

    case: SkullCase
    synthetic: bool


def _usable(folders: Sequence[Path], whole_skulls: bool, run: RunFolder) -> list[_Found]:
    """The cases that can teach; the others are told."""
    found: list[_Found] = []
    left_out: list[BrokenCase] = []
    for folder in folders:
        data = read_data_set(folder)
        left_out += data.broken
        for case in data.usable().cases:
            if case.paired or (whole_skulls and case.complete is not None):
                found.append(_Found(case, data.kind == SYNTHETIC))
            else:
                left_out.append(BrokenCase(case.name, case.masks[0], "its missing bone is not known"))
    _tell(left_out, run)
    if not found:
        raise UserError(
            "no case has a skull and its missing bone",
            where=", ".join(map(str, folders)),
            remedy="Give paired cases, or whole skulls and the augmentation masking.",
        )
    return found


def _tell(left_out: Sequence[BrokenCase], run: RunFolder) -> None:
    for broken in left_out[:NAMED]:
        run.log("left_out", case=broken.name, path=str(broken.path), reason=broken.reason)
    if len(left_out) > NAMED:
        run.log("left_out", cases=len(left_out) - NAMED, reason="as those before, or otherwise broken")


def _division(found: Sequence[_Found], shares: SplitShares, run: RunFolder, given: Path | None) -> Split:
    """The run's split: its own, or the given one, or one that is drawn; written down.

    Cases of a skull that a given split does not name are for training: of generated cases each is a
    skull of its own, and what was made from a real skull carries its name.
    """
    real = sorted({entry.case.skull for entry in found if not entry.synthetic})
    if run.split.exists():
        return Split.read(run.split)
    if given is not None:
        named = Split.read(given)
        held = {*named.validation, *named.test}
        if real and not {*named.train, *held} & set(real):
            raise UserError(
                "it names none of the skulls of the data",
                where=str(given),
                remedy=f"Give a split of the skulls {', '.join(real[:3])} ...",
            )
        division = Split(tuple(name for name in real if name not in held), named.validation, named.test)
    else:
        validation, test = (min(round(share * len(real)), len(real) - 1) for share in (shares.validation, shares.test))
        if shares.validation and len(real) > 1:
            validation = max(1, validation)
        if validation + test < len(real):
            division = split_by_skull(real, shares.seed, validation, test, shares.same_person)
        else:
            division = Split(tuple(real), (), ())
    with whole_file(run.split) as part:
        division.write(part)
    return division


def store_case(
    case: SkullCase, side: int, cache: Path, *, synthetic: bool = False, mapped: bool = False
) -> StoredCase | BrokenCase:
    """A case on the grid of ``side`` voxels an edge, from ``cache`` where it lies already.

    Args:
        mapped: its voxels stay in their file.
    """
    try:
        digest = contents_of(case)
        path = cache / f"{case.name.replace('/', '_')}-{digest}-{side}.npy"
        shares = kept_array(path, lambda: np.round(255.0 * read_case(case, side)).astype(np.uint8), mapped)
    except UserError as error:
        return BrokenCase(case.name, case.masks[0], error.problem)
    return StoredCase(case.name, case.skull, digest, synthetic, shares)
