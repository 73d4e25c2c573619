"""Mirror a head: left for right, front for back, or top for bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from CranialAugmentationTrainerLib.augmentation.transform import CaseTransform, Images, RandomCaseTransform

# W24's words, and the axis of (C, K, J, I) that each reverses.
FLIP_AXES = {"sagittal": 3, "frontal": 2, "longitudinal": 1}


@dataclass(frozen=True)
class Flip(CaseTransform):
    """A mirrored head; ``axis`` is one of ``FLIP_AXES``: sagittal swaps left and right, frontal front and
    back, longitudinal top and bottom."""

    axis: str = "sagittal"

    def apply(self, images: Images) -> Images:
        """The images, reversed along the axis."""
        return {name: image.flip(FLIP_AXES[self.axis]) for name, image in images.items()}


class RandomFlip(RandomCaseTransform):
    """Flips along one axis, or does not."""

    def __init__(self, axis: str = "sagittal", probability: float = 0.75) -> None:
        super().__init__(probability)
        self.axis = axis

    def draw(self, case: Mapping[str, Any]) -> Flip:
        """There is one flip along an axis."""
        return Flip(self.axis)
