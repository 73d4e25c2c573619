"""K23's post-processing of generated cases, in its order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialAugmentationTrainerLib.datasets.synthetic_set import DEFECT_LABEL, SKULL_LABEL
from CranialReconstructionLib.errors import UserError

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint8]

# K23 removes components under 100 voxels on a grid of 128.
K23_SIDE = 128
K23_SMALLEST = 100


@dataclass(frozen=True)
class PostProcessing:
    """Constants of K23.

    Attributes:
        threshold: what is above it is bone.
        smallest: components under this number of voxels go, from both channels.
    """

    threshold: float = 0.5
    smallest: int = K23_SMALLEST

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold < 1.0:
            raise UserError(
                f"a threshold of {self.threshold:g} makes no sense",
                where="post-processing",
                remedy="Give a number between 0 and 1.",
            )
        if self.smallest < 0:
            raise UserError(
                "the smallest component is below 0 voxels", where="post-processing", remedy="Give 0 or more."
            )

    @classmethod
    def for_side(cls, side: int) -> PostProcessing:
        """K23's constants on another grid of the same box: a component of the same volume goes (ours)."""
        return cls(smallest=round(K23_SMALLEST * (side / K23_SIDE) ** 3))


def post_process(case: npt.NDArray[np.float32], constants: PostProcessing) -> Labels:
    """Binarise, separate, remove small components.

    Args:
        case: (2, K, J, I) in [0, 1]: defective skull, missing bone.

    Returns:
        Labels (K, J, I): 1 skull, 2 missing bone.
    """
    skull, defect = binarise(case, constants.threshold)
    defect = separate(skull, defect)
    labels = np.zeros(skull.shape, dtype=np.uint8)
    labels[without_small_components(skull, constants.smallest)] = SKULL_LABEL
    labels[without_small_components(defect, constants.smallest)] = DEFECT_LABEL
    return labels


def binarise(case: npt.NDArray[np.float32], threshold: float) -> tuple[Mask, Mask]:
    """Skull and missing bone (K, J, I) where the channels are above ``threshold``."""
    skull, defect = case > threshold
    return skull, defect


def separate(skull: Mask, defect: Mask) -> Mask:
    """K23's ``I = I xor (I and S)``: missing bone where there is no skull."""
    return np.asarray(defect ^ (defect & skull))


def without_small_components(mask: Mask, smallest: int) -> Mask:
    """The mask without its 6-connected components of fewer than ``smallest`` voxels."""
    components, _ = ndimage.label(mask)
    large = np.bincount(components.ravel()) >= smallest
    large[0] = False
    return np.asarray(large[components])
