"""Moving voxels from one grid to another."""

from __future__ import annotations

from functools import reduce

import numpy as np
import scipy
import SimpleITK as sitk

from CranialReconstructionLib.imaging.volume import Array, Grid, Volume, set_itk_geometry

INTERPOLATORS = {
    "nearest": sitk.sitkNearestNeighbor,
    "linear": sitk.sitkLinear,
    "bspline": sitk.sitkBSpline3,
}

# A Gaussian of this many target voxels before sampling keeps a binary surface's place to about
# a hundredth of a voxel while suppressing what the target grid cannot hold.
ANTIALIAS_SIGMA = 0.42


def resample(volume: Volume, grid: Grid, interpolator: str = "linear", outside: float = 0.0) -> Volume:
    """``volume`` on ``grid``, without smoothing; ``outside`` where ``volume`` does not reach."""
    reference = sitk.ResampleImageFilter()
    frame = sitk.Image([1, 1, 1], sitk.sitkUInt8)
    set_itk_geometry(frame, grid)
    reference.SetSize([int(n) for n in grid.shape[::-1]])
    reference.SetOutputOrigin(frame.GetOrigin())
    reference.SetOutputSpacing(frame.GetSpacing())
    reference.SetOutputDirection(frame.GetDirection())
    reference.SetInterpolator(INTERPOLATORS[interpolator])
    reference.SetDefaultPixelValue(outside)
    result = reference.Execute(volume.to_itk())
    return Volume(sitk.GetArrayFromImage(result), grid.ijk_to_ras, volume.name)


def occupancy(mask: Volume, grid: Grid) -> Volume:
    """The share of bone, 0 to 1, in each voxel of a coarser ``grid`` (float32).

    The mask is smoothed to the target's voxel size before it is sampled, so that the half level of
    the result lies on the surface of the mask, far below the target's voxel size.
    """
    target = min(grid.spacing)
    part = _around(mask, grid, margin=2.0 * target)
    blocks = [max(1, int(target / (1.5 * edge))) for edge in part.spacing[::-1]]
    share = _block_means(part, (blocks[0], blocks[1], blocks[2]))
    smoothed = share.voxels
    for axis, edge in enumerate(share.spacing[::-1]):
        # What the source voxels have already averaged need not be smoothed again.
        variance = (ANTIALIAS_SIGMA * target) ** 2 - edge**2 / 12.0
        if variance > (0.2 * edge) ** 2:
            sigma = float(np.sqrt(variance)) / edge
            smoothed = scipy.ndimage.gaussian_filter1d(smoothed, sigma, axis, mode="nearest", truncate=3.0)
    result = resample(share.with_voxels(smoothed), grid)
    return result.with_voxels(np.clip(result.voxels, 0.0, 1.0))


def _block_means(mask: Volume, blocks: tuple[int, int, int]) -> Volume:
    """Share of bone (float32) in blocks of voxels (K, J, I); rows that fill no block are left out."""
    total: Array = (mask.voxels > 0).view(np.uint8)
    for axis, n in enumerate(blocks):
        if n > 1:
            whole = total.shape[axis] // n * n
            parts = [
                total[tuple(slice(first, whole, n) if a == axis else slice(None) for a in range(3))]
                for first in range(n)
            ]
            total = reduce(np.add, parts[1:], parts[0].astype(np.uint16))
    matrix = mask.ijk_to_ras.copy()
    matrix[:3, 3] = mask.grid.ras_of([(n - 1) / 2.0 for n in blocks[::-1]])[0]
    matrix[:3, :3] *= np.array(blocks[::-1])
    return Volume(total.astype(np.float32) / np.float32(np.prod(blocks)), matrix, mask.name)


def _around(volume: Volume, grid: Grid, margin: float) -> Volume:
    """The part of ``volume`` that ``grid`` reaches, with ``margin`` millimetres more."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape[::-1]])).reshape(3, -1).T
    ijk = volume.grid.ijk_of(grid.ras_of(corners))
    reach = margin / np.array(volume.spacing)
    size = np.array(volume.voxels.shape[::-1])
    start = np.clip(np.floor(ijk.min(0) - reach), 0, size - 1).astype(int)
    stop = np.clip(np.ceil(ijk.max(0) + reach) + 1, start + 1, size).astype(int)
    return volume.cropped((int(start[2]), int(start[1]), int(start[0])), (int(stop[2]), int(stop[1]), int(stop[0])))
