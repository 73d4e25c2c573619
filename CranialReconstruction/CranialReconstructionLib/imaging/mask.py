"""Is it a skull mask, is it a CT, or neither?

Constants of this file are ours. Measured on 80 skulls without their vault's back, three whole heads
and a phantom: 360 to 760 ml, boxes of 124 mm and more, 0.10 to 0.17 of the box filled, one piece.
"""

from __future__ import annotations

import logging
import math

import numpy as np
import scipy

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Array, Volume

# More distinct values than this are grey values and no labels.
MOST_LABELS = 20
# Hounsfield units: a CT holds something below the one (air) and something above the other (bone).
AIR_BELOW = -500.0
BONE_ABOVE = 300.0
# Millilitres of bone, from a newborn's vault in part to a head with neck and shoulders.
BONE_LIMITS = (30.0, 2500.0)
# Millimetres: the shortest side of the box around the bone; an implant or a lone jaw has less.
SHORTEST_SIDE = 60.0
# A brain or a whole head fills 0.5 to 0.65 of its box, a skull 0.1 to 0.2.
MOST_FILLED = 0.4
# Share of the bone in its largest piece; noise has none.
LARGEST_PIECE = 0.5

# Grey values are judged on about this many voxels, shapes on a lattice of this many millimetres.
_SAMPLE = 2_000_000
_LATTICE = 2.0

_log = logging.getLogger(__name__)


def looks_like_ct(volume: Volume) -> bool:
    """Whether the voxels are grey values, as in a CT, and not the labels of a mask.

    They are if they reach from air to bone in Hounsfield units, if there are more than ``MOST_LABELS``
    different ones, or if they are fractions.
    """
    return _are_grey(volume.voxels.min(), volume.voxels.max(), _distinct(volume.voxels))


def as_skull_mask(volume: Volume) -> Volume:
    """The skull in a mask: uint8 (K, J, I), 1 where the given value is above 0, on the same grid.

    A label map counts as bone wherever it has a label; that is said in the log.

    Raises:
        UserError: empty, without background, grey values, or not the shape of a skull, with the measure.
    """
    low, high, distinct = volume.voxels.min(), volume.voxels.max(), _distinct(volume.voxels)
    if _are_grey(low, high, distinct):
        raise UserError(
            "it has grey values where a skull mask was expected",
            where=volume.name,
            remedy="Segment the skull first, or give it as a mask of 0 and 1.",
        )
    if high <= 0:
        raise UserError(
            "the mask is empty: no voxel is above 0",
            where=volume.name,
            remedy="Check that the skull was segmented and that its segment was the one exported.",
        )
    if low > 0:
        raise UserError(
            "the mask is all bone: no voxel is 0",
            where=volume.name,
            remedy="Export the skull as a mask of 1 on a background of 0.",
        )
    labels = [int(value) for value in distinct if value > 0]
    if len(labels) > 1:
        _log.warning("%s: labels %s were all taken as bone", volume.name, ", ".join(map(str, labels)))
    mask = volume.with_voxels((volume.voxels > 0).view(np.uint8))
    _refuse_what_is_no_skull(mask)
    return mask


def _distinct(voxels: Array) -> Array:
    """The different values on an even sample of the voxels."""
    step = max(1, math.ceil((voxels.size / _SAMPLE) ** (1 / 3)))
    return np.unique(voxels[::step, ::step, ::step])


def _are_grey(low: float, high: float, distinct: Array) -> bool:
    from_air_to_bone = low < AIR_BELOW and high > BONE_ABOVE
    return bool(from_air_to_bone) or len(distinct) > MOST_LABELS or bool((np.rint(distinct) != distinct).any())


def _refuse_what_is_no_skull(mask: Volume) -> None:
    bone = float(np.count_nonzero(mask.voxels)) * mask.grid.voxel_volume / 1000.0
    if not BONE_LIMITS[0] <= bone <= BONE_LIMITS[1]:
        raise _no_skull(f"{bone:.3g} ml of bone, where {BONE_LIMITS[0]:g} to {BONE_LIMITS[1]:g} are usual", mask)
    steps = [max(1, round(_LATTICE / length)) for length in mask.spacing[::-1]]
    coarse = mask.voxels[:: steps[0], :: steps[1], :: steps[2]]
    pieces, count = scipy.ndimage.label(coarse, np.ones((3, 3, 3)))
    largest = np.bincount(pieces.ravel())[1:].max() / np.count_nonzero(coarse) if count else 0.0
    if largest < LARGEST_PIECE:
        raise _no_skull(f"scattered pieces, the largest {largest:.0%} of the whole", mask)
    lengths = np.array(mask.spacing[::-1]) * steps
    # Without the last half per cent on either side, so that a speck far away does not count.
    sides = np.array([np.ptp(np.percentile(places, (0.5, 99.5))) for places in np.nonzero(coarse)]) + 1.0
    sides *= lengths
    if sides.min() < SHORTEST_SIDE:
        raise _no_skull(f"a side of {sides.min():.0f} mm, where at least {SHORTEST_SIDE:g} are needed", mask)
    filled = bone * 1000.0 / float(sides.prod())
    if filled > MOST_FILLED:
        raise _no_skull(f"{filled:.0%} of the box around it filled: it is solid, not a shell", mask)


def _no_skull(measure: str, mask: Volume) -> UserError:
    return UserError(
        f"it does not look like a skull ({measure})",
        where=mask.name,
        remedy="Check that it is the mask of the skull's bone, and that its voxel spacing is in millimetres.",
    )
