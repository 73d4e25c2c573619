"""Voxels flipped between bone and none at random (W24).

Our reading: a voxel flips where a field of N(0, sigma) exceeds T, which is a share of
``1 - Phi(T / sigma)``. One field serves the whole case: what appears is skull, what vanishes leaves
the skull or the defect that it was in, so that skull and defect still make up the complete skull.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from CranialAugmentationTrainerLib.augmentation.transform import CaseTransform, Images, RandomCaseTransform


@dataclass(frozen=True)
class BinaryNoise(CaseTransform):
    """One noise field: ``seed`` gives it again.

    Attributes:
        threshold: T, above which a voxel flips.
        sigma: standard deviation of the field.
        seed: of the field.
    """

    threshold: float
    sigma: float
    seed: int

    def apply(self, images: Images) -> Images:
        """The images (1, K, J, I) with the same voxels flipped in all."""
        one = next(iter(images.values()))
        generator = torch.Generator().manual_seed(self.seed)
        flipped = (self.sigma * torch.randn(one.shape, generator=generator) > self.threshold).to(one.device)
        noisy = {name: torch.where(flipped, 1.0 - image, image) for name, image in images.items()}
        if "defect" in images:
            noisy["defect"] = torch.where(flipped, 0.0, images["defect"])
            if "skull" in images:
                noisy["skull"] = torch.where(flipped, 1.0 - images["skull"] - images["defect"], images["skull"])
        return noisy


class RandomBinaryNoise(RandomCaseTransform):
    """Draws a threshold, evenly between ``thresholds``, and a field."""

    def __init__(self, thresholds: tuple[float, float], sigma: float = 1.0, probability: float = 0.75) -> None:
        super().__init__(probability)
        self.thresholds = thresholds
        self.sigma = sigma

    def draw(self, case: Mapping[str, Any]) -> BinaryNoise:
        """A field of its own for each case."""
        return BinaryNoise(self.uniform(*self.thresholds), self.sigma, self.draw_seed())
