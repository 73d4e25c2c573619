"""Cut slabs off the sides of the field of view, as a scan does that ends too early.

W24 names crops without their size. Ours: the grid stays and what is cut off becomes empty, so that cases
of one size stay of one size; at most 15 % of an edge goes at either end; and the defect stays whole, since
a network cannot be asked for bone that the truth has lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from CranialAugmentationTrainerLib.augmentation.transform import CaseTransform, Images, RandomCaseTransform

Voxels = tuple[int, int, int]


@dataclass(frozen=True)
class Crop(CaseTransform):
    """An emptied border: ``low`` and ``high`` voxels along (K, J, I) at the two ends of each axis."""

    low: Voxels
    high: Voxels

    def apply(self, images: Images) -> Images:
        """The images, zero in the border."""
        return {name: self._cropped(image) for name, image in images.items()}

    def _cropped(self, image: torch.Tensor) -> torch.Tensor:
        ends = zip(self.low, self.high, image.shape[1:], strict=True)
        window = (slice(None), *(slice(low, size - high) for low, high, size in ends))
        cropped = torch.zeros_like(image)
        cropped[window] = image[window]
        return cropped


class RandomCrop(RandomCaseTransform):
    """Draws a border of up to ``share`` of each edge that spares the defect."""

    def __init__(self, share: float = 0.15, probability: float = 0.75) -> None:
        super().__init__(probability)
        self.share = share

    def draw(self, case: Mapping[str, Any]) -> Crop:
        """A border for each of the six sides, each on its own."""
        shape = next(case[key] for key in self.keys if key in case).shape[1:]
        room = [(size, size) for size in shape]
        if "defect" in case:
            missing = case["defect"][0] > 0.0
            for axis, size in enumerate(shape):
                others = [other for other in range(missing.ndim) if other != axis]
                places = missing.any(dim=others).nonzero()
                if len(places):
                    room[axis] = (int(places[0, 0]), size - 1 - int(places[-1, 0]))
        widths = [
            tuple(min(free, int(self.uniform(0.0, self.share) * size)) for free in ends)
            for size, ends in zip(shape, room, strict=True)
        ]
        low, high = zip(*widths, strict=True)
        return Crop((low[0], low[1], low[2]), (high[0], high[1], high[2]))
