"""Cases of any data set on the cubic grid that generators know: (2, K, J, I) along (S, A, R).

The grid fills the papers' box of 256 mm about the middle of the vault, which is the origin of RAS.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialAugmentationTrainerLib.datasets.synthetic_set import DEFECT_LABEL, SKULL_LABEL
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.head_grid import PAPER_BOX, place_head
from CranialReconstructionLib.imaging.resampling import occupancy
from CranialReconstructionLib.imaging.volume import Array, Grid, Volume

Shares = npt.NDArray[np.float32]


def case_grid(side: int) -> Grid:
    """The grid of ``side`` voxels along each edge."""
    return PAPER_BOX.grid(np.zeros(3), PAPER_BOX.size[0] / side)


def read_case(case: SkullCase, side: int) -> Shares:
    """Shares of bone (2, K, J, I), 0 to 1: the defective skull, the missing bone, ``side`` voxels an edge.

    A head is placed by its defective skull, as it is when a patient comes; a label volume that fills
    the box already, as synthetic ones do, stays in its place. A whole skull misses nothing.

    Raises:
        UserError: a file cannot be read, or the skull is empty.
    """
    skull, defect = read_masks(case)
    centre = np.zeros(3) if _fills_the_box(skull.grid) else place_head(skull).centre
    grid = PAPER_BOX.grid(centre, PAPER_BOX.size[0] / side)
    return np.stack([_shares(mask, grid) for mask in (skull, defect)]).astype(np.float32)


def read_masks(case: SkullCase) -> tuple[Volume, Volume]:
    """Skull and missing bone of a case, masks on its own grid; a whole skull misses nothing.

    Raises:
        UserError: a file cannot be read.
    """
    if case.labels is not None:
        return read_labels(case.labels)
    if case.defective is None:
        if case.complete is None:
            raise ValueError(f"case {case.name} has no skull")
        skull = read_volume(case.complete)
        return skull, skull.with_voxels(np.zeros(skull.voxels.shape, dtype=bool))
    skull = read_volume(case.defective)
    if case.implant is not None:
        return skull, read_volume(case.implant)
    return skull, skull.with_voxels(np.zeros(skull.voxels.shape, dtype=bool))


def read_labels(path: Path) -> tuple[Volume, Volume]:
    """Skull and missing bone, masks on one grid, of a label volume.

    Raises:
        UserError: it cannot be read, or holds other labels.
    """
    volume = read_volume(path)
    others = sorted({int(value) for value in np.unique(volume.voxels)} - {0, SKULL_LABEL, DEFECT_LABEL})
    if others:
        raise UserError(
            f"it holds the labels {', '.join(map(str, others[:5]))}",
            where=str(path),
            remedy=f"Give a label volume of {SKULL_LABEL} for the skull and {DEFECT_LABEL} for missing bone.",
        )
    return volume.with_voxels(volume.voxels == SKULL_LABEL), volume.with_voxels(volume.voxels == DEFECT_LABEL)


def _shares(mask: Volume, grid: Grid) -> Array:
    if mask.grid.same_as(grid, tolerance=1e-2):
        return mask.voxels > 0
    return occupancy(mask, grid).voxels if mask.voxels.any() else np.zeros(grid.shape)


def _fills_the_box(grid: Grid) -> bool:
    """Whether a grid of any voxel size fills the papers' box about the origin, along RAS."""
    cubic = len(set(grid.shape)) == 1
    return cubic and grid.same_as(case_grid(grid.shape[0]), tolerance=1e-2)
