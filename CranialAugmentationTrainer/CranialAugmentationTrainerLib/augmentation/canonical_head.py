"""A skull of any data set on the canonical head grid, as shares of bone."""

from __future__ import annotations

import numpy as np

from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialAugmentationTrainerLib.datasets.synthetic_set import DEFECT_LABEL
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.head_grid import HeadBox, place_head
from CranialReconstructionLib.imaging.resampling import occupancy
from CranialReconstructionLib.imaging.volume import Array, Volume


def canonical_shares(case: SkullCase, box: HeadBox, spacing: float) -> Array:
    """Shares of bone (2, K, J, I), uint8 0 to 255, of the whole skull and of the defect alone, in ``box`` at
    ``spacing`` millimetres. A case without a defect has none there.

    The grid is placed from the defective skull, as it is when a patient comes.

    Args:
        case: paired, or with its complete skull.

    Raises:
        UserError: a file cannot be read, the defect lies on another grid than its skull, or there is no bone.
    """
    skull, defect = _skull_and_defect(case)
    grid = box.grid(place_head(skull).centre, spacing)
    if defect is None:
        whole = occupancy(skull, grid).voxels
        return _bytes(np.stack((whole, np.zeros_like(whole))))
    complete = Volume((skull.voxels > 0) | (defect.voxels > 0), skull.ijk_to_ras, case.name)
    return _bytes(np.stack([occupancy(volume, grid).voxels for volume in (complete, defect)]))


def _skull_and_defect(case: SkullCase) -> tuple[Volume, Volume | None]:
    """The skull with its hole and the missing bone; a whole skull has none."""
    if case.labels is not None:
        labels = read_volume(case.labels)
        missing = labels.voxels == DEFECT_LABEL
        return labels.with_voxels((labels.voxels > 0) & ~missing), labels.with_voxels(missing)
    if case.defective is not None and case.implant is not None:
        skull, defect = read_volume(case.defective), read_volume(case.implant)
        if not skull.grid.same_as(defect.grid):
            raise UserError(
                "the implant lies on another grid than its skull",
                where=str(case.implant),
                remedy="Resample the implant onto the grid of the defective skull.",
            )
        return skull, defect
    if case.complete is None:
        raise ValueError(f"case {case.name} has neither a complete skull nor a defect")
    return read_volume(case.complete), None


def _bytes(shares: Array) -> Array:
    rounded: Array = np.round(255.0 * shares).astype(np.uint8)
    return rounded
