"""Transforms of cases, in pairs: one draws parameters, its deterministic twin applies them.

Both are MONAI transforms: they go into ``Compose``, take and give dictionaries, and the random ones
obey ``set_random_state``. Every twin that was applied is left in the case under ``history``, so that
what was drawn can be applied again, to the same case or to another. (The pattern is torchio's.)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from monai.transforms import Compose, MapTransform, RandomizableTransform

CASE_KEYS = ("skull", "defect", "complete")
HISTORY = "history"

Images = dict[str, torch.Tensor]


@dataclass(frozen=True)
class CaseTransform(MapTransform):
    """The deterministic twin: a value, whose fields are all that there is to know of what it does."""

    keys: ClassVar[tuple[str, ...]] = CASE_KEYS
    allow_missing_keys: ClassVar[bool] = True

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The case with its images transformed and this transform at the end of its history."""
        case = dict(data)
        case.update(self.apply({key: case[key] for key in self.key_iterator(case)}))
        case[HISTORY] = (*case.get(HISTORY, ()), self)
        return case

    @abstractmethod
    def apply(self, images: Images) -> Images:
        """The images (1, K, J, I) of a case, those that there are, all put through the same."""


class RandomCaseTransform(RandomizableTransform, MapTransform):
    """Draws a twin for each case, or leaves the case alone.

    Args:
        probability: of doing anything (W24: 0.75 for each).
    """

    def __init__(self, probability: float) -> None:
        RandomizableTransform.__init__(self, probability)
        MapTransform.__init__(self, CASE_KEYS, allow_missing_keys=True)
        self.drawn: CaseTransform | None = None

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The case, put through what was drawn for it."""
        self.randomize(data)
        return dict(data) if self.drawn is None else self.drawn(data)

    def randomize(self, data: Mapping[str, Any]) -> None:
        """Draw, from ``R`` alone, into ``drawn``."""
        super().randomize(None)
        self.drawn = self.draw(data) if self._do_transform else None

    @abstractmethod
    def draw(self, case: Mapping[str, Any]) -> CaseTransform:
        """A twin for ``case``; all chance comes from ``R``."""

    def uniform(self, low: float, high: float) -> float:
        """One number, evenly drawn."""
        return float(self.R.uniform(low, high))

    def draw_seed(self) -> int:
        """A seed for what draws with a generator of its own."""
        return int(self.R.randint(np.iinfo(np.int32).max))


def replay(history: Iterable[CaseTransform], case: Mapping[str, Any]) -> dict[str, Any]:
    """Put ``case`` through what was drawn for another one, in the same order."""
    replayed: dict[str, Any] = Compose(list(history))(dict(case))
    return replayed
