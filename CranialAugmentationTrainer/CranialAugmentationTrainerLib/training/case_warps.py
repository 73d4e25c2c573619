"""Registered pairs of training cases, kept, so that a case can be warped towards others as it is drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from CranialAugmentationTrainerLib.augmentation.registration import register
from CranialAugmentationTrainerLib.augmentation.registration_schedule import RegistrationSchedule
from CranialAugmentationTrainerLib.training.case_numbers import Warps
from CranialAugmentationTrainerLib.training.case_store import StoredCase
from CranialAugmentationTrainerLib.training.kept_array import kept_array
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training_settings import OnlineAugmentation
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Array


def warps_of(
    cases: Sequence[StoredCase], augmentation: OnlineAugmentation, seed: int, cache: Path, run: RunFolder
) -> Warps:
    """Displacements, as ``Warp`` takes them, of each case that is not synthetic towards cases of other people.

    Raises:
        UserError: there are no two people among the cases.
    """
    real = [index for index, case in enumerate(cases) if not case.synthetic]
    warps = Warps()
    for done, index in enumerate(real):
        others = [other for other in real if cases[other].skull != cases[index].skull]
        if not others:
            raise UserError(
                "registration needs the skulls of two people at least",
                where="augmentation",
                remedy="Add skulls, or leave out registration.",
            )
        order = np.random.default_rng([seed, index]).permutation(len(others))[: augmentation.warps]
        warps[index] = [
            _kept_warp(cases[index], cases[others[place]], augmentation.registration, cache) for place in order
        ]
        if (done + 1) % 20 == 0:
            run.log("registered", cases=done + 1, of=len(real))
    return warps


def _kept_warp(moving: StoredCase, fixed: StoredCase, schedule: RegistrationSchedule, cache: Path) -> torch.Tensor:
    side = moving.shares.shape[-1]
    recipe = hashlib.sha256(repr((asdict(schedule), moving.digest, fixed.digest)).encode()).hexdigest()[:12]

    def made() -> Array:
        field: Array = register(_small(moving), _small(fixed), schedule).numpy().astype(np.float16)
        return field

    kept = kept_array(cache / f"towards-{recipe}-{side}.npy", made)
    return torch.from_numpy(kept.astype(np.float32))


def _small(case: StoredCase) -> torch.Tensor:
    """The whole skull on half the grid, which is enough for a smooth warp."""
    whole = torch.from_numpy(np.array(case.shares)).float().sum(0) / 255.0
    return functional.avg_pool3d(whole[None, None].clamp_max(1.0), 2)[0, 0]
