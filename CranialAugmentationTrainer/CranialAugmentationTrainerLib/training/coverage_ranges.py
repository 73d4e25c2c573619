"""What the heads that a network learned from are like, for the ranges that its package warns outside of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from CranialReconstructionLib.imaging.head_grid import HeadBox, place_head
from CranialReconstructionLib.imaging.resampling import occupancy
from CranialReconstructionLib.imaging.volume import Volume

Interval = tuple[float, float]
HeadStatistics = tuple[float, float, float]

# A case may lie this much of the training range beyond its ends before it is warned about.
COVERAGE_SLACK = 0.1


def head_statistics(skull: Volume, box: HeadBox, spacing: float) -> HeadStatistics:
    """Likeness to a vault, size of the head, and millilitres of bone in the box, as ``case_statistics`` tells them."""
    placement = place_head(skull)
    share = occupancy(skull, box.grid(placement.centre, spacing))
    return placement.likeness, placement.scale, float(share.voxels.sum()) * share.grid.voxel_volume / 1000.0


def head_ranges(heads: Sequence[HeadStatistics], smallest: float, largest: float) -> dict[str, Interval]:
    """Ranges of ``likeness``, ``head_scale`` and ``bone_ml``; training drew heads from ``smallest`` to ``largest``
    of their size."""
    likeness, scale, bone = np.array(heads).T
    return {
        "likeness": (float(likeness.min()) * (1.0 - COVERAGE_SLACK), 1.0),
        "head_scale": (float(scale.min()) / largest, float(scale.max()) / smallest),
        "bone_ml": (float(bone.min()) / largest**3, float(bone.max()) / smallest**3),
    }
