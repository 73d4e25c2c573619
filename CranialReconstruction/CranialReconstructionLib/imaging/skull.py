"""A clean skull out of a head CT, its holes as open as they are.

The skull is bone above a threshold inside the head. Nothing is closed, filled or wrapped on the way,
so a craniectomy stays open, and so do fontanelles, sutures and burr holes. Mandible and cervical
spine are bone of the head and stay: the canonical head grid is placed without minding them. Metal
that is screwed to the bone stays with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_otsu

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.bone_components import keep_skull
from CranialReconstructionLib.imaging.bone_threshold import (
    METAL_HU,
    SKIN_HU,
    BoneLevels,
    find_bone_levels,
    find_hounsfield_scale,
)
from CranialReconstructionLib.imaging.head_mask import find_head
from CranialReconstructionLib.imaging.scan_warnings import cut_warnings, metal_warnings
from CranialReconstructionLib.imaging.volume import Array, Volume
from CranialReconstructionLib.imaging.voxel_blocks import VoxelBlocks

Mask = npt.NDArray[np.bool_]

# The head is found on blocks of about this many millimetres.
BLOCK_EDGE = 2.5
# Less bone than this, mm3, is no skull.
LEAST_SKULL_VOLUME = 20_000.0


@dataclass(frozen=True)
class SkullSegmentation:
    """A skull and how it was found.

    Attributes:
        skull: uint8, 1 where there is bone, on the grid of the CT.
        threshold: HU from which a voxel counts as bone; in the image's own units if given by hand.
        warnings: sentences that the user should read.
    """

    skull: Volume
    threshold: float
    warnings: tuple[str, ...]


def segment_skull(ct: Volume, threshold: float | None = None) -> SkullSegmentation:
    """The skull in a head CT, without table, head rest, tubes and jewellery.

    Args:
        ct: a head CT (K, J, I), any orientation, in Hounsfield units (also with 1024 or 1000 added),
            or in any unit if a threshold is given.
        threshold: from which value a voxel counts as bone, in the units of ``ct``; without it, it is
            adapted to the scan.

    Raises:
        UserError: the values are not HU and no threshold is given; voxels or threshold are not numbers;
            the image is a mask already; there is no skull in it.
    """
    if threshold is not None and not math.isfinite(threshold):
        raise UserError(
            f"a threshold of {threshold:g} is no number",
            where="threshold",
            remedy="Give a value between soft tissue and bone.",
        )
    blocks = VoxelBlocks.of_about(BLOCK_EDGE, ct.grid)
    sample = blocks.samples(ct.voxels)
    _refuse_what_is_no_ct(ct, sample)
    scale = find_hounsfield_scale(sample)
    offset = scale.offset if scale else 0
    means = blocks.means(ct.voxels)
    if scale is not None:
        skin_level = SKIN_HU + offset
    elif threshold is not None:
        skin_level = float(threshold_otsu(np.minimum(means, threshold)))
    else:
        raise UserError(
            f"the grey values, {_value_range(ct)}, are not Hounsfield units: air near -1000 and soft "
            "tissue near 0 to 80 are missing",
            where=ct.name,
            remedy="Give the value from which a voxel counts as bone, as the threshold.",
        )
    surroundings = find_head(means, blocks.spacing, skin_level)
    if threshold is not None:
        levels = BoneLevels(threshold - offset, threshold - offset)
    else:
        assert scale is not None
        levels = find_bone_levels(sample[surroundings.head].astype(np.float32) - offset, scale)
    head = blocks.expanded(surroundings.head)
    candidates = _at_least(levels.threshold + offset, ct.voxels) & head
    _refuse_without_skull(candidates, ct, levels.threshold + offset)
    skull = keep_skull(candidates, ct.voxels, blocks, surroundings, levels.dense + offset)
    warnings = cut_warnings(skull, ct)
    if scale is not None:
        warnings += metal_warnings(_at_least(METAL_HU + offset, ct.voxels) & skull, ct)
    if offset and threshold is None:
        warnings.append(f"The grey values are Hounsfield units with {offset} added; this was corrected.")
    used = levels.threshold if threshold is None else float(threshold)
    return SkullSegmentation(ct.with_voxels(skull.view(np.uint8)), used, tuple(warnings))


def _at_least(level: float, voxels: Array) -> Mask:
    # A whole number keeps a comparison of integers from making a copy in floating point.
    return np.asarray(voxels >= (math.ceil(level) if np.issubdtype(voxels.dtype, np.integer) else level))


def _value_range(ct: Volume) -> str:
    return f"{ct.voxels.min():g} to {ct.voxels.max():g}"


def _refuse_what_is_no_ct(ct: Volume, sample: Array) -> None:
    if np.issubdtype(ct.voxels.dtype, np.floating) and not np.isfinite(ct.voxels).all():
        raise UserError(
            "some voxels are not a number",
            where=ct.name,
            remedy="Export the CT again, or replace those voxels by the value of air.",
        )
    if np.unique(sample).size <= 2:
        raise UserError(
            f"the image holds no grey values, only {_value_range(ct)}",
            where=ct.name,
            remedy="Give a head CT; a skull mask needs no segmentation.",
        )


def _refuse_without_skull(bone: Mask, ct: Volume, level: float) -> None:
    volume = float(np.count_nonzero(bone)) * ct.grid.voxel_volume
    if volume < LEAST_SKULL_VOLUME:
        raise UserError(
            f"no skull was found: {volume / 1000.0:.1f} ml of bone in a head above {level:.0f}, in grey "
            f"values of {_value_range(ct)}",
            where=ct.name,
            remedy="Check that this is a CT of a head, or give another threshold.",
        )
