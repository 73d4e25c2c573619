"""Turn, shift and scale a head."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import monai.transforms
import torch

from CranialAugmentationTrainerLib.augmentation.spatial import rotation_about
from CranialAugmentationTrainerLib.augmentation.transform import CaseTransform, Images, RandomCaseTransform

Triple = tuple[float, float, float]

# The grid whose voxels the paper's shifts are stated in.
PAPER_EDGE = 256


@dataclass(frozen=True)
class Affine(CaseTransform):
    """A head turned and scaled about the middle of its grid, then shifted.

    Attributes:
        rotation: degrees about the axes (R, A, S), applied S first.
        translation: voxels along (R, A, S).
        scale: magnification; above 1 the head grows.
    """

    rotation: Triple = (0.0, 0.0, 0.0)
    translation: Triple = (0.0, 0.0, 0.0)
    scale: float = 1.0

    @property
    def matrix(self) -> torch.Tensor:
        """4x4: where a place (R, A, S, 1), voxels from the grid's middle, goes."""
        linear = torch.eye(3, dtype=torch.float64) * self.scale
        for axis, angle in enumerate(self.rotation):
            linear = linear @ rotation_about(axis, math.radians(angle)).to(torch.float64)
        matrix = torch.eye(4, dtype=torch.float64)
        matrix[:3, :3] = linear
        matrix[:3, 3] = torch.tensor(self.translation, dtype=torch.float64)
        return matrix

    def apply(self, images: Images) -> Images:
        """The images, moved; linear interpolation, zero where nothing comes from."""
        # MONAI wants the way back, along the tensor's axes (S, A, R).
        order = [2, 1, 0, 3]
        back = torch.linalg.inv(self.matrix)[order][:, order]
        move = monai.transforms.Affine(affine=back, mode="bilinear", padding_mode="zeros", image_only=True)
        moved = move(torch.cat(list(images.values()))).as_tensor()
        return dict(zip(images, torch.split(moved, 1), strict=True))


class RandomAffine(RandomCaseTransform):
    """Draws an ``Affine``.

    Args:
        rotation: largest angle about each axis, degrees.
        translation: largest shift along each axis, voxels of a 256^3 grid; on N^3 it is N / 256 of that.
        scale: smallest and largest magnification, one for all axes: heads keep their proportions (ours).
        probability: of moving at all.
    """

    def __init__(
        self, rotation: float, translation: float, scale: tuple[float, float], probability: float = 0.75
    ) -> None:
        super().__init__(probability)
        self.rotation = rotation
        self.translation = translation
        self.scale = scale

    def draw(self, case: Mapping[str, Any]) -> Affine:
        """Three angles, three shifts and a magnification."""
        edge = max(next(case[key] for key in self.keys if key in case).shape[1:])
        furthest = self.translation * edge / PAPER_EDGE

        def triple(limit: float) -> Triple:
            return self.uniform(-limit, limit), self.uniform(-limit, limit), self.uniform(-limit, limit)

        return Affine(triple(self.rotation), triple(furthest), self.uniform(*self.scale))
