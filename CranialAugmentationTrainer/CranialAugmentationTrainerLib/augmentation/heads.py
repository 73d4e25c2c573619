"""Heads to augment, each read when it is asked for, so that a set may be larger than the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import overload

import numpy as np
import torch

from CranialAugmentationTrainerLib.augmentation.canonical_head import canonical_shares
from CranialAugmentationTrainerLib.augmentation.case import case_of
from CranialAugmentationTrainerLib.augmentation.transform import Images
from CranialAugmentationTrainerLib.datasets.case_contents import contents_of
from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialAugmentationTrainerLib.training.kept_array import kept_array
from CranialReconstructionLib.imaging.head_grid import HeadBox
from CranialReconstructionLib.imaging.volume import Array, Grid


@dataclass(frozen=True)
class Heads(Sequence[Images]):
    """Cases on one canonical head grid; item n is skull, defect and complete skull, shares of bone.

    Attributes:
        names: of the cases.
        people: of whom each is.
        box, spacing: of the grid; voxel edge in millimetres.
        load: the case of a number.
    """

    names: tuple[str, ...]
    people: tuple[str, ...]
    box: HeadBox
    spacing: float
    load: Callable[[int], Images]

    @property
    def grid(self) -> Grid:
        """The grid of all cases: millimetres (RAS) from the vault's centre."""
        return self.box.grid(np.zeros(3), self.spacing)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Images: ...

    @overload
    def __getitem__(self, index: slice) -> list[Images]: ...

    def __getitem__(self, index: int | slice) -> Images | list[Images]:
        if isinstance(index, slice):
            return [self.load(number) for number in range(*index.indices(len(self)))]
        return self.load(range(len(self))[index])


def heads_from_files(cases: Iterable[SkullCase], box: HeadBox, spacing: float, kept: Path) -> Heads:
    """Heads that are resampled when they are first asked for and kept in folder ``kept`` from then on.

    Several data sets may keep theirs in one folder, and a file that has changed is read anew. Cases whose
    complete skull is not known are left out.
    """
    whole = tuple(case for case in cases if case.paired or case.complete is not None)
    names, people = tuple(case.name for case in whole), tuple(case.skull for case in whole)
    return Heads(names, people, box, spacing, partial(_load, whole, box, spacing, kept))


def _load(cases: tuple[SkullCase, ...], box: HeadBox, spacing: float, kept: Path, number: int) -> Images:
    case = cases[number]
    edges = "x".join(f"{length:g}" for length in box.size)
    path = kept / f"{case.name.replace('/', '_')}-{contents_of(case)}-{edges}-{spacing:g}mm.npy"
    complete, defect = kept_array(path, partial(canonical_shares, case, box, spacing))
    return case_of(_shares(complete), _shares(defect))


def _shares(stored: Array) -> torch.Tensor:
    return torch.from_numpy(stored)[None].to(torch.float32) / 255.0
