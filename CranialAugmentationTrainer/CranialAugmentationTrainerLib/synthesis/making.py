"""Cases by number: latent, decoding, post-processing, quality; each the same whenever it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.datasets.synthetic_set import DEFECT_LABEL, SKULL_LABEL, SetRecord
from CranialAugmentationTrainerLib.sampling.sampler import LatentSampler, latent_digest
from CranialAugmentationTrainerLib.sampling.settings import SamplingSettings
from CranialAugmentationTrainerLib.synthesis.post_processing import PostProcessing, post_process
from CranialAugmentationTrainerLib.synthesis.quality import QualityLimits, reason_to_reject
from CranialAugmentationTrainerLib.synthesis.source import CaseGenerator, device_of
from CranialReconstructionLib.errors import UserError


@dataclass(frozen=True)
class MakingSettings:
    """All that makes a case out of a generator and a number.

    Attributes:
        sampling: where its latent comes from.
        post_processing: None scales K23's to the generator's grid.
        limits: what a case must keep to; with None every case is kept.
        batch: cases that are decoded together. Numbers 0 to batch-1 go together, and so on: rounding
            differs from one size of batch to another, and a case made again alone must not.
    """

    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    post_processing: PostProcessing | None = None
    limits: QualityLimits | None = field(default_factory=QualityLimits)
    batch: int = 1

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UserError("a batch of no cases makes none", where="batch", remedy="Give 1 or more.")

    def recipe(self) -> dict[str, Any]:
        """For ``set.json``."""
        return asdict(self)

    @classmethod
    def from_recipe(cls, content: Mapping[str, Any]) -> MakingSettings:
        """What ``recipe`` gave, back from its file.

        Raises:
            UserError: settings that this version does not know.
        """
        try:
            constants, limits = content["post_processing"], content["limits"]
            return cls(
                SamplingSettings(**content["sampling"]),
                PostProcessing(**constants) if constants else None,
                QualityLimits(**limits) if limits else None,
                content["batch"],
            )
        except (KeyError, TypeError) as error:
            raise UserError(
                f"the recipe holds settings that this version does not know ({error})",
                where="set.json",
                remedy="Use the version of this software that made the set.",
            ) from error


@dataclass(frozen=True, eq=False)
class MadeCase:
    """One case that was tried.

    Attributes:
        labels: (K, J, I), 1 skull, 2 missing bone, on ``case_grid``.
        record: its line of the index, without a file yet.
    """

    labels: npt.NDArray[np.uint8]
    record: SetRecord


class CaseMaker:
    """Makes any case of a set."""

    def __init__(self, generator: CaseGenerator, settings: MakingSettings) -> None:
        self._generator = generator
        self._settings = settings
        self._sampler = LatentSampler(settings.sampling, generator.latent_shape)
        self._device = device_of(generator)

    def make(self, number: int) -> MadeCase:
        """The case of a number, alone."""
        return next(self.make_several([number]))

    def make_several(self, numbers: Sequence[int]) -> Iterator[MadeCase]:
        """The cases of several numbers, in order; batches of which nothing is asked for are not decoded."""
        wanted = set(numbers)
        batch = self._settings.batch
        for first in sorted({number // batch * batch for number in wanted}):
            together = range(first, first + batch)
            latents = self._sampler.latents(together)
            with torch.inference_mode():
                cases = self._generator.decode(latents.to(self._device)).float().cpu().numpy()
            for number, latent, case in zip(together, latents, cases, strict=True):
                if number in wanted:
                    yield self._finished(number, latent, case)

    def _finished(self, number: int, latent: torch.Tensor, case: npt.NDArray[np.float32]) -> MadeCase:
        if not np.isfinite(case).all():
            raise UserError(
                f"the generator gave values that are not numbers for case {number}",
                where="generator",
                remedy="Take an earlier checkpoint, or train the run again.",
            )
        side = case.shape[-1]
        constants = self._settings.post_processing or PostProcessing.for_side(side)
        labels = post_process(case, constants)
        millilitres = case_grid(side).voxel_volume / 1000.0
        record = SetRecord(
            number,
            rejected=reason_to_reject(labels, limits) if (limits := self._settings.limits) else "",
            skull_ml=round(np.count_nonzero(labels == SKULL_LABEL) * millilitres, 3),
            defect_ml=round(np.count_nonzero(labels == DEFECT_LABEL) * millilitres, 3),
            facts={"seed": self._settings.sampling.seed, "latent": latent_digest(latent)},
        )
        return MadeCase(labels, record)
