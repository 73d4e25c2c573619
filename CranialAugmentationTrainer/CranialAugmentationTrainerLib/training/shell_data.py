"""Batches for the shell network: unrolled vaults with a hole cut into them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.data import Dataset

from CranialAugmentationTrainerLib.augmentation.deformable_masking import (
    DeformableCut,
    PlacesOnVault,
    draw_cut,
)
from CranialAugmentationTrainerLib.training.cases import CaseMixture
from CranialAugmentationTrainerLib.training.reconstruction_data import Item
from CranialAugmentationTrainerLib.training.vault_pool import UnrolledHead
from CranialReconstructionLib.reconstruction.continuation import continue_tables
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame
from CranialReconstructionLib.reconstruction.shape_model import ShapeModel
from CranialReconstructionLib.reconstruction.vault_map import Tables, VaultMap

# How many depths of the bone a cut is asked about, so that an oblique rim leaves a wedge.
DEPTHS = 7
# Thickness that a ray must keep, millimetres, to count as bone.
LEAST_KEPT = 0.5


class ShellCases(Dataset[Item]):
    """Cases ``first`` to ``first + count`` of the endless sequence that a seed stands for.

    Each item has the fields of ``ContinuedTables`` of the defective skull, ``whole_outer`` and ``whole_inner``
    of the complete one, ``whole_present``, and ``missing``; all (V, U).
    """

    def __init__(
        self,
        mixture: CaseMixture,
        pool: Sequence[UnrolledHead],
        frame: HeadFrame,
        vault: VaultMap,
        shape: ShapeModel,
        seed: int,
        first: int,
        count: int,
    ) -> None:
        self.mixture = mixture
        self.pool = pool
        self.frame = frame
        self.vault = vault
        self.shape = shape
        self.seed = seed
        self.first = first
        self.count = count
        self.directions = vault.directions()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Item:
        generator = torch.Generator().manual_seed(self.seed * 100_000_007 + self.first + index)

        def chance() -> float:
            return float(torch.rand(1, generator=generator))

        head = self.pool[int(torch.randint(len(self.pool), (1,), generator=generator))]
        whole = Tables(head.complete.outer.float(), head.complete.inner.float(), head.complete.present.float())
        kind, flip = chance(), chance() < 0.5
        left, missing = whole, torch.zeros_like(whole.present)
        if self.mixture.healthy <= kind < self.mixture.healthy + self.mixture.paired:
            left = Tables(head.defective.outer.float(), head.defective.inner.float(), head.defective.present.float())
            missing = head.missing.float()
        elif kind >= self.mixture.healthy:
            cut = draw_cut(self.mixture.masking, self._vault_of(whole), self.frame, generator)
            left, missing = self._cut(whole, cut)
        continued = continue_tables(left, self.vault, self.shape)
        item = {
            **vars(continued),
            "whole_outer": whole.outer,
            "whole_inner": whole.inner,
            "whole_present": whole.present,
            "missing": missing,
        }
        return {name: image.flip(-1) if flip else image for name, image in item.items()}

    def _vault_of(self, whole: Tables) -> PlacesOnVault:
        def place(direction: torch.Tensor) -> torch.Tensor:
            u, v = self.vault.pixels(direction)
            size = self.vault.size
            row, column = (min(size - 1, max(0, int((float(x) + 1.0) / 2.0 * size))) for x in (v, u))
            radius = float(whole.outer[row, column])
            return (radius if radius > 0.0 else 80.0) * direction

        return place

    def _cut(self, whole: Tables, cut: DeformableCut) -> tuple[Tables, torch.Tensor]:
        """What a cut leaves of the tables, and where it took bone."""
        depth = torch.linspace(0.0, 1.0, DEPTHS)[:, None, None]
        radii = whole.inner + depth * (whole.outer - whole.inner)
        kept = cut.share(radii[..., None] * self.directions, 1.0) < 0.5
        kept &= whole.present > 0.5
        share = kept.float().mean(0)
        outer = torch.where(kept, radii, torch.zeros_like(radii)).amax(0)
        inner = torch.where(kept, radii, torch.full_like(radii, 1e3)).amin(0)
        thickness = whole.outer - whole.inner
        present = ((share > 0.0) & (outer - inner + thickness / DEPTHS > LEAST_KEPT)).float()
        missing = ((1.0 - share) * thickness > LEAST_KEPT).float() * whole.present
        return Tables(outer * present, torch.minimum(inner, outer - 0.3) * present, present), missing
