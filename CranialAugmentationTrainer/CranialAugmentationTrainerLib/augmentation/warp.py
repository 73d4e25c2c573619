"""Warp a head by a displacement field, as registration gives it, all of the way or a part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from CranialAugmentationTrainerLib.augmentation.transform import CaseTransform, Images, RandomCaseTransform


@dataclass(frozen=True, eq=False)
class Warp(CaseTransform):
    """A head warped by a part of a displacement.

    Attributes:
        displacement: (3, k, j, i) along (I, J, K) in [-1, 1] units of the grid, at any resolution.
        part: how much of it.
    """

    displacement: torch.Tensor
    part: float = 1.0

    def apply(self, images: Images) -> Images:
        """The images (1, K, J, I), warped together; linear interpolation, zero where nothing comes from."""
        stack = torch.cat(list(images.values()))[None]
        still = torch.eye(3, 4, device=stack.device)[None]
        identity = functional.affine_grid(still, [1, 1, *stack.shape[2:]], align_corners=False)
        field = self.displacement[None].to(stack)
        if field.shape[2:] != stack.shape[2:]:
            field = functional.interpolate(field, size=stack.shape[2:], mode="trilinear", align_corners=False)
        places = identity + self.part * field.movedim(1, -1)
        warped = functional.grid_sample(stack, places, align_corners=False)[0]
        return dict(zip(images, torch.split(warped, 1), strict=True))


class RandomWarp(RandomCaseTransform):
    """Draws one of several displacements, and how much of it: for heads whose warps are kept.

    Args:
        displacements: each as ``Warp`` takes it.
        part: smallest and largest part of the way; below 1 the result lies between two heads.
        probability: of warping at all.
    """

    def __init__(
        self,
        displacements: Sequence[torch.Tensor],
        part: tuple[float, float] = (0.0, 1.0),
        probability: float = 0.75,
    ) -> None:
        super().__init__(probability)
        self.displacements = displacements
        self.part = part

    def draw(self, case: Mapping[str, Any]) -> Warp:
        """A displacement and a part of it."""
        return Warp(self.displacements[int(self.R.randint(len(self.displacements)))], self.uniform(*self.part))
