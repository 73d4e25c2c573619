"""What is augmented: a skull with a hole, the bone that is missing, and the two together.

A *case* is a dictionary of tensors (1, K, J, I), float32 shares of bone from 0 to 1, on one canonical
head grid, whose axes run along (S, A, R). A case may lack some of the three; whatever else it holds is
passed on. The three belong together: ``complete = skull + defect`` in every voxel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from CranialAugmentationTrainerLib.augmentation.transform import CaseTransform, Images
from CranialReconstructionLib.imaging.volume import Array

SKULL, DEFECT, COMPLETE = "skull", "defect", "complete"
# The key of a case under which volumes are that are kept beside it: by what they are, each with its place in the set,
# without an ending, and its voxels (K, J, I) on the case's grid.
BESIDE = "beside"
Beside = Mapping[str, tuple[str, Array]]


class CaseItems(Protocol):
    """Cases by number; the same number gives the same case. A list of them, or a data set of this room."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Binarise(CaseTransform):
    """Bone or none, decided once for all three, so that ``defect = complete - skull`` holds exactly.

    A voxel is bone where half of it is; it is missing where more of its bone is the defect's than the
    skull's. (Deciding skull and defect apart would lose the voxels that both share at the hole's wall.)
    """

    def apply(self, images: Images) -> Images:
        """Binary images of those there are."""
        whole = whole_of(images) >= 0.5
        missing = torch.zeros_like(whole)
        if DEFECT in images:
            left = images[SKULL] if SKULL in images else images[COMPLETE] - images[DEFECT]
            missing = whole & (images[DEFECT] > left)
        decided = {SKULL: whole & ~missing, DEFECT: missing, COMPLETE: whole}
        return {name: decided[name].to(torch.float32) for name in images}


def whole_of(images: Images) -> torch.Tensor:
    """The complete skull (1, K, J, I) of a case, put together from its parts where it is not there."""
    if COMPLETE in images:
        return images[COMPLETE]
    return images[SKULL] + images[DEFECT] if DEFECT in images else images[SKULL]


def case_of(complete: torch.Tensor, defect: torch.Tensor) -> Images:
    """A case from shares of bone (1, K, J, I) of the whole skull and of its missing part."""
    defect = torch.minimum(defect, complete)
    return {SKULL: complete - defect, DEFECT: defect, COMPLETE: complete}


def labels_of(case: Mapping[str, Any]) -> Array:
    """Label volume (K, J, I), uint8, of a binary case: 1 skull, 2 defect."""
    labels: Array = (case[SKULL][0] + 2.0 * case[DEFECT][0]).round().to(torch.uint8).cpu().numpy()
    return np.ascontiguousarray(labels)
