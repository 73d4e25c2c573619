"""Cut bone out of a whole skull on its canonical grid: deformable masking as a transform (M24)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from CranialAugmentationTrainerLib.augmentation.case import COMPLETE, case_of
from CranialAugmentationTrainerLib.augmentation.deformable_masking import (
    DeformableCut,
    MaskingRange,
    draw_cut,
    vault_of,
)
from CranialAugmentationTrainerLib.augmentation.transform import CaseTransform, Images, RandomCaseTransform
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame


@dataclass(frozen=True, eq=False)
class Cut(CaseTransform):
    """A cut made into the complete skull; a defect that was there is filled by it.

    Attributes:
        cut: where, in millimetres on the head's frame.
        spacing: voxel edge of the case's grid, which fills that frame, millimetres.
    """

    cut: DeformableCut
    spacing: float

    def apply(self, images: Images) -> Images:
        """Skull, defect and complete skull (1, K, J, I), whichever were there."""
        complete = images[COMPLETE]
        # The cut is asked where bone is, which is one voxel in thirty.
        bone = complete[0] > 0.0
        places = self.cut.frame.places(self.spacing)[bone.cpu()]
        share = torch.zeros_like(complete[0])
        share[bone] = self.cut.share(places[None, None], self.spacing)[0, 0].to(complete)
        return case_of(complete, complete * share[None])


class RandomCut(RandomCaseTransform):
    """Draws a cut over the vault of a case's complete skull.

    Args:
        extent: what cuts may look like.
        frame: the box that the case's grid fills.
        spacing: its voxel edge, millimetres.
        probability: of cutting at all.
    """

    def __init__(self, extent: MaskingRange, frame: HeadFrame, spacing: float, probability: float = 1.0) -> None:
        super().__init__(probability)
        self.extent = extent
        self.frame = frame
        self.spacing = spacing

    def draw(self, case: Mapping[str, Any]) -> Cut:
        """Patches, their deformation and the cut's rim."""
        generator = torch.Generator().manual_seed(self.draw_seed())
        vault = vault_of(case[COMPLETE][0].cpu(), self.frame)
        return Cut(draw_cut(self.extent, vault, self.frame, generator), self.spacing)
