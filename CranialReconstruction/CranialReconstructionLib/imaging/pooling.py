"""A mask on a coarser grid of its own, at the price of one pass over its voxels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.imaging.volume import Volume

Box = tuple[tuple[int, int, int], tuple[int, int, int]]


def bone_box(mask: Volume) -> Box | None:
    """First and one-past-last voxel (k, j, i) of what is above zero; None if nothing is."""
    # The largest voxel of a line tells of all, without an array of flags as large as the mask.
    columns = mask.voxels.max(axis=0) > 0
    if not columns.any():
        return None
    slices = mask.voxels.max(axis=(1, 2)) > 0
    ranges = [np.flatnonzero(line) for line in (slices, np.any(columns, axis=1), np.any(columns, axis=0))]
    k, j, i = ((int(line[0]), int(line[-1]) + 1) for line in ranges)
    return (k[0], j[0], i[0]), (k[1], j[1], i[1])


def pooled(mask: Volume, spacing: float) -> Volume:
    """The share of bone, 0 to 1, in blocks of voxels no longer than ``spacing`` mm (float32).

    The blocks are whole voxels of the mask, so the axes keep their directions, and the spacing that
    comes out is the largest multiple of the mask's that is not above ``spacing``. The volume reaches
    one block beyond the bone on every side.

    Raises:
        ValueError: the mask is empty.
    """
    box = bone_box(mask)
    if box is None:
        raise ValueError("an empty mask has nothing to pool")
    part = mask.cropped(*box)
    factors = np.array([max(1, int(spacing / s + 1e-6)) for s in mask.spacing[::-1]])
    blocks = -(-np.array(part.voxels.shape) // factors) + 2
    counts = np.zeros(blocks, dtype=np.uint16)
    foreground = part.voxels > 0
    for offset in np.ndindex(*factors):
        share = foreground[tuple(slice(o, None, f) for o, f in zip(offset, factors, strict=True))]
        counts[tuple(slice(1, 1 + n) for n in share.shape)] += share
    matrix = mask.ijk_to_ras.copy()
    matrix[:3, :3] *= factors[::-1]
    first: npt.NDArray[np.float64] = np.array(box[0]) + (factors - 1) / 2.0 - factors
    matrix[:3, 3] = mask.grid.ras_of(first[::-1])[0]
    return Volume(counts.astype(np.float32) / float(factors.prod()), matrix, mask.name)
