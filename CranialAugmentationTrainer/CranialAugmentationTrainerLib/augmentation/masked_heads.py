"""Heads with bone cut away (M24): a data set whose items are drawn when they are asked for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from CranialAugmentationTrainerLib.augmentation.case import Binarise
from CranialAugmentationTrainerLib.augmentation.cut import RandomCut
from CranialAugmentationTrainerLib.augmentation.defect_places import measure_defect
from CranialAugmentationTrainerLib.augmentation.deformable_masking import MaskingRange
from CranialAugmentationTrainerLib.augmentation.drawing import item_seed
from CranialAugmentationTrainerLib.augmentation.heads import Heads
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame

# A cut may fall where there is no bone (an open skull, a cropped scan); then another is drawn; ml.
LEAST_DEFECT = 0.2
ATTEMPTS = 20


class MaskedHeads(Dataset[dict[str, Any]]):
    """Item n is a head with a cut of its own, made binary, and a ``record`` of where it came from.

    Every head is used once before any is used again, in an order drawn anew for each round. The cuts lie
    in the complete skull: defects that came with the heads are filled.

    Args:
        heads: the heads to cut.
        count: number of items.
        extent: what cuts may look like.
        seed: of heads and cuts.
    """

    def __init__(self, heads: Heads, count: int, extent: MaskingRange, seed: int = 0) -> None:
        self.heads = heads
        self.count = count
        self.extent = extent
        self.seed = seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        turn, place = divmod(index, len(self.heads))
        number = int(np.random.default_rng([self.seed, turn]).permutation(len(self.heads))[place])
        head = self.heads[number]
        cutting = RandomCut(self.extent, HeadFrame(self.heads.box), self.heads.spacing)
        for attempt in range(ATTEMPTS):
            seed = item_seed(self.seed, index, attempt)
            cutting.set_random_state(seed=seed)
            cut_head = cutting(head)
            masked = Binarise().apply({key: cut_head[key] for key in head})
            defect = measure_defect(masked["defect"][0], self.heads.grid)
            if defect is not None and defect.millilitres >= LEAST_DEFECT:
                record = {
                    "seed": seed,
                    "skull": self.heads.people[number],
                    "sources": [self.heads.names[number]],
                    "attempt": attempt,
                }
                return {**masked, "record": record}
        raise UserError(
            f"none of {ATTEMPTS} cuts met {LEAST_DEFECT:g} ml of bone",
            where=self.heads.names[number],
            remedy="Check that it is a skull with its vault, or widen the masking settings.",
        )

    def settings(self) -> dict[str, Any]:
        """All that the items depend on besides their number, for a set's configuration."""
        return {
            "method": "masking",
            "seed": self.seed,
            "extent": asdict(self.extent),
            "heads": list(self.heads.names),
            "spacing": self.heads.spacing,
        }
