"""Cases augmented as they are asked for: the online form, a data set for a data loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monai.transforms import Randomizable
from torch.utils.data import Dataset

from CranialAugmentationTrainerLib.augmentation.case import CaseItems
from CranialAugmentationTrainerLib.augmentation.drawing import item_seed
from CranialAugmentationTrainerLib.augmentation.transform import HISTORY, CaseTransform

Case = dict[str, Any]


class AugmentedCases(Dataset[Case]):
    """The cases of a sequence, each put through a random transform; the same seed and epoch, the same cases,
    however many workers load them.

    Args:
        cases: by number, from 0.
        transform: a random transform, or MONAI's Compose or RandomOrder of several.
        seed: of all draws.
        length: number of items; more than there are cases goes round again with other draws.
    """

    def __init__(
        self, cases: CaseItems, transform: Callable[[Case], Case], seed: int = 0, length: int | None = None
    ) -> None:
        self.cases = cases
        self.transform = transform
        self.seed = seed
        self.length = len(cases) if length is None else length
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Other draws from here on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Case:
        case = self._transformed(index)
        case.pop(HISTORY, None)
        return case

    def history(self, index: int) -> tuple[CaseTransform, ...]:
        """What was applied to an item, for ``replay``."""
        applied: tuple[CaseTransform, ...] = self._transformed(index).get(HISTORY, ())
        return applied

    def _transformed(self, index: int) -> Case:
        if not 0 <= index < self.length:
            raise IndexError(index)
        if isinstance(self.transform, Randomizable):
            self.transform.set_random_state(seed=item_seed(self.seed, self.epoch, index))
        return self.transform(dict(self.cases[index % len(self.cases)]))
