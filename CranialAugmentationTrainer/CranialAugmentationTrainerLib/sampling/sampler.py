"""Latents of a generator's own shape, by the strategy of the settings."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from CranialAugmentationTrainerLib.sampling.even_latents import DividedBall, QuantileLatents
from CranialAugmentationTrainerLib.sampling.random_latents import normal_latent, uniform_latent
from CranialAugmentationTrainerLib.sampling.settings import SamplingSettings


class LatentSampler:
    """Any latent of a set by its index, whatever was drawn before and on which machine.

    Args:
        settings: strategy, seed and form.
        shape: of a latent, flat (D,) or volumetric (C, k, j, i), whose values are drawn as D = C k j i.
    """

    def __init__(self, settings: SamplingSettings, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)
        self._draw = _strategy(settings, math.prod(self.shape))

    def latent(self, index: int) -> torch.Tensor:
        """Latent ``index``, float32 of ``shape``, on the CPU."""
        return torch.from_numpy(self._draw(index).astype(np.float32)).reshape(self.shape)

    def latents(self, indices: Sequence[int]) -> torch.Tensor:
        """Several latents (N, *shape)."""
        return torch.stack([self.latent(index) for index in indices])


def latent_digest(latent: torch.Tensor) -> str:
    """Sixteen letters that two latents share only if they are alike in every bit."""
    values = np.ascontiguousarray(latent.detach().cpu().numpy(), dtype="<f4")
    return hashlib.sha256(values.tobytes()).hexdigest()[:16]


def _strategy(settings: SamplingSettings, dimensions: int) -> Callable[[int], npt.NDArray[np.float64]]:
    if settings.strategy == "sd":
        return lambda index: normal_latent(settings.seed, index, dimensions)
    if settings.strategy == "ud":
        return lambda index: uniform_latent(settings.seed, index, dimensions, settings.half_width)
    if settings.literal:
        return DividedBall(dimensions, settings.seed, settings.reach, settings.count).latent
    return QuantileLatents(dimensions, settings.seed, settings.reach).latent
