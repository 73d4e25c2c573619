"""Training cases made on the fly: a head, moved and warped, with a hole cut into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from CranialAugmentationTrainerLib.augmentation.deformable_masking import (
    DeformableCut,
    MaskingRange,
    draw_cut,
    vault_of,
)
from CranialAugmentationTrainerLib.augmentation.spatial import (
    SpatialRange,
    SpatialTransform,
    draw_spatial,
)
from CranialAugmentationTrainerLib.training.head_cache import CachedHead
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame


@dataclass(frozen=True)
class CaseMixture:
    """What training cases are made of.

    Attributes:
        paired: share of cases with the data set's own defect.
        healthy: share of cases with no defect at all.
        towards: share of cases warped towards another head (registration augmentation).
        spatial: rotation, scaling, bending; None leaves heads as they are.
        masking: cuts into complete skulls, for what is neither paired nor healthy.
    """

    paired: float = 0.3
    healthy: float = 0.04
    towards: float = 0.6
    spatial: SpatialRange | None = field(default_factory=SpatialRange)
    masking: MaskingRange = field(default_factory=MaskingRange)


@dataclass(frozen=True)
class WarpTowards:
    """A registered pair: ``displacement`` (3, k, j, i) millimetres warps head ``moving``."""

    moving: int
    displacement: torch.Tensor


@dataclass(frozen=True)
class DrawnCase:
    """All that makes one training case; it can be looked at on any grid.

    Attributes:
        head: the original.
        transform: where the head was moved.
        cut: the hole, or None where the head's own implant (or nothing) is missing.
        healthy: nothing is missing.
    """

    frame: HeadFrame
    head: CachedHead
    transform: SpatialTransform | None
    cut: DeformableCut | None
    healthy: bool

    def on(self, places: torch.Tensor, spacing: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Defective skull and defect, shares of bone (K, J, I), at ``places`` (K, J, I, 3)."""
        source = places if self.transform is None else self.transform.source(places)
        own_cut = self.cut is None and not self.healthy
        images = (self.head.complete, self.head.implant) if own_cut else (self.head.complete,)
        stack = torch.stack(images).to(torch.float32) / 255.0
        sampled = self.frame.sample(stack, source)
        complete = sampled[0]
        if self.cut is not None:
            defect = complete * self.cut.share(places, spacing)
        elif own_cut:
            defect = torch.minimum(sampled[1], complete)
        else:
            defect = torch.zeros_like(complete)
        return complete - defect, defect


def draw_case(
    mixture: CaseMixture,
    heads: Sequence[CachedHead],
    warps: Sequence[WarpTowards],
    frame: HeadFrame,
    places: torch.Tensor,
    seed: int,
) -> DrawnCase:
    """Draw one case; the same seed gives the same case.

    Args:
        places: of a coarse grid, where the vault of the moved head is looked for.
    """
    generator = torch.Generator().manual_seed(seed)

    def chance() -> float:
        return float(torch.rand(1, generator=generator))

    head, displacement = int(torch.randint(len(heads), (1,), generator=generator)), None
    if warps and chance() < mixture.towards:
        warp = warps[int(torch.randint(len(warps), (1,), generator=generator))]
        # A part of the way lies between the two heads, as a registration stopped early does.
        head, displacement = warp.moving, chance() * warp.displacement
    transform = None
    if mixture.spatial is not None:
        transform = draw_spatial(mixture.spatial, frame, generator, displacement)
    kind = chance()
    healthy = kind < mixture.healthy
    case = DrawnCase(frame, heads[head], transform, None, healthy)
    if healthy or kind < mixture.healthy + mixture.paired:
        return case
    complete = DrawnCase(frame, heads[head], transform, None, True).on(places, 0.0)[0]
    cut = draw_cut(mixture.masking, vault_of(complete, frame), frame, generator)
    return DrawnCase(frame, heads[head], transform, cut, False)
