"""Step 4: a closed curve on the bone limits the missing bone, or moves its rim."""

from __future__ import annotations

from typing import Any

import numpy as np

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.scene.markups import region_inside
from CranialReconstructionLib.scene.segments import make_surfaces, put_segment
from CranialReconstructionLib.workflow.segment import Segment


def keep_inside(defect: Segment, curve: Any, skull: Segment) -> float:
    """Take away what of ``defect`` lies outside of the closed curve; the millilitres that went.

    Raises:
        UserError: the curve encloses nothing, or nothing of the missing bone.
    """
    mask = defect.mask()
    region = region_of(curve, skull, defect)
    kept = mask.voxels.astype(bool) & region.voxels.astype(bool)
    if not kept.any():
        raise UserError(
            "nothing of the missing bone lies inside of the curve",
            where=curve.GetName(),
            remedy="Draw the curve about the missing bone.",
        )
    lost = int(mask.voxels.astype(bool).sum()) - int(kept.sum())
    segment = defect.segmentation.GetSegmentation().GetSegment(defect.segment_id)
    put_segment(
        defect.segmentation,
        mask.with_voxels(kept.astype(np.uint8)),
        defect.name,
        segment.GetColor(),
        segment_id=defect.segment_id,
    )
    make_surfaces(defect.segmentation)
    return lost * mask.grid.voxel_volume / 1000.0


def region_of(curve: Any, *segments: Segment) -> Volume:
    """The voxels inside of the closed curve, through the whole thickness of the vault.

    Args:
        curve: closed curve node.
        segments: on one grid, the skull first; the curve lies on them.

    Raises:
        UserError: no curve, or one that encloses nothing, or that lies on none of them.
    """
    if curve is None:
        raise UserError("there is no curve", where="curve", remedy="Draw a closed curve on the bone.")
    masks = [segment.mask() for segment in segments]
    together = np.logical_or.reduce([mask.voxels > 0 for mask in masks])
    return region_inside(curve, masks[0].with_voxels(together.view(np.uint8)))
