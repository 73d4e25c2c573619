"""Heads warped towards one another (W24): a data set whose items are registered when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from CranialAugmentationTrainerLib.augmentation.case import BESIDE, Beside, Binarise, labels_of
from CranialAugmentationTrainerLib.augmentation.heads import Heads
from CranialAugmentationTrainerLib.augmentation.pairs import draw_pairs
from CranialAugmentationTrainerLib.augmentation.registration import (
    RegistrationState,
    folding_fraction,
    jacobian_determinant,
    registration_states,
)
from CranialAugmentationTrainerLib.augmentation.registration_schedule import RegistrationSchedule
from CranialAugmentationTrainerLib.augmentation.warp import Warp

# Of local volumes that are kept: finer ones cannot be seen, and the file would be several times as large.
VOLUME_STEP = 1.0 / 32.0


class RegisteredPairs(Dataset[dict[str, Any]]):
    """Item n is the moving head of pair ``n // states``, warped towards the fixed one, all three images
    together and made binary together; and a ``record`` of where it came from.

    Items asked for in order share the registration of their pair.

    Args:
        heads: the heads that pairs are drawn from.
        count: number of items.
        schedule: how a pair is registered.
        seed: of the draw of pairs, each of which comes once.
        states: items a pair: its registration stopped at so many stages, evenly over the iterations.
        device: where to register.
        keep_pairs: whether items bring along, for looking at, what they were made of: the moving and the fixed
            head, label volumes each, and the determinant of the warp's Jacobian, in steps of ``VOLUME_STEP``.

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
        keep_pairs: bool = False,
    ) -> None:
        self.heads = heads
        self.count = count
        self.schedule = schedule
        self.seed = seed
        self.states = states
        self.device = device
        self.keep_pairs = keep_pairs
        self.pairs = draw_pairs(heads.people, -(-count // states), seed)
        self._running: tuple[int, Iterator[tuple[int, RegistrationState]]] | None = None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        moving, fixed = self.pairs[index // self.states]
        state = self._state(index)
        displacement = state.displacement
        warped = Binarise().apply(Warp(displacement.cpu()).apply(self.heads[moving]))
        record = {
            "seed": self.seed,
            "skull": self.heads.people[moving],
            "sources": [self.heads.names[moving], self.heads.names[fixed]],
            "alpha": self.schedule.alpha,
            "iterations": state.iteration,
            "folding_fraction": folding_fraction(displacement),
            "mismatch": state.mismatch,
        }
        beside = {BESIDE: self._beside(index, displacement)} if self.keep_pairs else {}
        return {**warped, "record": record, **beside}

    def _beside(self, index: int, displacement: torch.Tensor) -> Beside:
        """What the states of one pair share lies in one place."""
        pair = index // self.states
        heads = {
            role: (f"pairs/{pair:06d}-{role}", labels_of(Binarise().apply(self.heads[number])))
            for role, number in zip(("moving", "fixed"), self.pairs[pair], strict=True)
        }
        steps = jacobian_determinant(displacement).cpu().numpy() / VOLUME_STEP
        # Away from 0, so that rounding neither folds anything nor unfolds it.
        rounded = (np.sign(steps) * np.ceil(np.abs(steps)) * VOLUME_STEP).astype(np.float32)
        return {**heads, "determinant": (f"pairs/{index:06d}-determinant", rounded)}

    def __getstate__(self) -> dict[str, Any]:
        # A registration under way stays in its process.
        return {**self.__dict__, "_running": None}

    def _state(self, index: int) -> RegistrationState:
        """The state of an item, from the registration that the item before it has begun if there is one."""
        begun, self._running = self._running, None
        if begun is None or begun[0] >= index or begun[0] // self.states != index // self.states:
            moving, fixed = (self.heads[number]["complete"][0] for number in self.pairs[index // self.states])
            stages = registration_states(moving.to(self.device), fixed.to(self.device), self.schedule, self.states)
            begun = index, enumerate(stages, start=index - index % self.states)
        state = next(state for number, state in begun[1] if number == index)
        if (index + 1) % self.states:
            self._running = index, begun[1]
        return state

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
