"""Heads warped towards one another (W24): a data set whose items are registered when they are asked for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from torch.utils.data import Dataset

from CranialAugmentationTrainerLib.augmentation.case import Binarise
from CranialAugmentationTrainerLib.augmentation.heads import Heads
from CranialAugmentationTrainerLib.augmentation.pairs import draw_pairs
from CranialAugmentationTrainerLib.augmentation.registration import (
    RegistrationSchedule,
    folding_fraction,
    registration_states,
)
from CranialAugmentationTrainerLib.augmentation.warp import Warp


class RegisteredPairs(Dataset[dict[str, Any]]):
    """Item n is the moving head of pair ``n // states``, warped towards the fixed one, all three images
    together and made binary together; and a ``record`` of where it came from.

    Args:
        heads: the heads that pairs are drawn from.
        count: number of items.
        schedule: how a pair is registered.
        seed: of the draw of pairs, each of which comes once.
        states: items a pair: its registration stopped at so many stages, evenly over the iterations.
        device: where to register.

    Raises:
        UserError: the heads do not give so many pairs.
    """

    def __init__(
        self,
        heads: Heads,
        count: int,
        schedule: RegistrationSchedule,
        seed: int = 0,
        states: int = 1,
        device: str = "cpu",
    ) -> None:
        self.heads = heads
        self.count = count
        self.schedule = schedule
        self.seed = seed
        self.states = states
        self.device = device
        self.pairs = draw_pairs(heads.people, -(-count // states), seed)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        moving, fixed = self.pairs[index // self.states]
        head, other = self.heads[moving], self.heads[fixed]
        stages = registration_states(
            head["complete"][0].to(self.device), other["complete"][0].to(self.device), self.schedule, self.states
        )
        state = next(state for number, state in enumerate(stages) if number == index % self.states)
        displacement = state.displacement
        warped = Binarise().apply(Warp(displacement.cpu()).apply(head))
        record = {
            "seed": self.seed,
            "skull": self.heads.people[moving],
            "sources": [self.heads.names[moving], self.heads.names[fixed]],
            "alpha": self.schedule.alpha,
            "iterations": state.iteration,
            "folding_fraction": folding_fraction(displacement),
            "mismatch": state.mismatch,
        }
        return {**warped, "record": record}

    def settings(self) -> dict[str, Any]:
        """All that the items depend on besides their number, for a set's configuration."""
        return {
            "method": "registration",
            "seed": self.seed,
            "states": self.states,
            "schedule": asdict(self.schedule),
            "heads": list(self.heads.names),
            "spacing": self.heads.spacing,
        }
