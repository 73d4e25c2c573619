"""How much of two masks is the same: Dice, whole and near the bone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.evaluation.box import bounding_box, widened
from CranialReconstructionLib.imaging.distance import distance_to

Mask = npt.NDArray[np.bool_]

# Missing bone further than this from the defective skull does not count for the boundary Dice.
BOUNDARY_MM = 10.0

# Distances come in single precision: a voxel at exactly the limit must not fall out by rounding.
_ROUNDING_MM = 1e-5


def dice(prediction: Mask, truth: Mask) -> float:
    """Dice similarity coefficient ``2|A.B| / (|A| + |B|)`` of two masks of one shape (DSC).

    Two empty masks agree: 1. One empty mask: 0.
    """
    size = int(np.count_nonzero(prediction) + np.count_nonzero(truth))
    if size == 0:
        return 1.0
    return 2.0 * int(np.count_nonzero(prediction & truth)) / size


def boundary_dice(
    prediction: Mask,
    truth: Mask,
    skull: Mask,
    spacing: tuple[float, float, float],
    distance: float = BOUNDARY_MM,
) -> float | None:
    """Dice of what lies within ``distance`` millimetres of the defective skull (bDSC).

    Both implants are set to zero where the Euclidean distance to the nearest skull voxel, centre to
    centre, exceeds ``distance``; the Dice of what is left is the result. This is the definition of
    the AutoImplant 2021 challenge.

    Args:
        prediction: predicted missing bone (K, J, I).
        truth: true missing bone, same shape.
        skull: defective skull, same shape.
        spacing: voxel edges along (K, J, I) in millimetres.
        distance: millimetres.

    Returns:
        1 for two empty implants, 0 for one; ``None`` where both hold bone and none of it is near the skull.
    """
    box = bounding_box(prediction, truth)
    if box is None:
        return 1.0
    if not prediction.any() or not truth.any():
        return 0.0
    # Only bone this close to the implants can be the nearest bone that counts.
    box = widened(box, distance, spacing)
    near = distance_to(skull[box], spacing) <= distance + _ROUNDING_MM
    prediction_near, truth_near = prediction[box] & near, truth[box] & near
    if not prediction_near.any() and not truth_near.any():
        return None
    return dice(prediction_near, truth_near)
