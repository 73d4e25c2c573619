"""A coarse view of a large volume: blocks of whole voxels, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from CranialReconstructionLib.imaging.volume import Array, Grid


@dataclass(frozen=True)
class VoxelBlocks:
    """Blocks of whole voxels along (K, J, I); the last block of a row may reach into the rest.

    Attributes:
        factors: voxels a block along (K, J, I).
        shape: number of blocks along (K, J, I).
        voxel_shape: number of voxels along (K, J, I).
        spacing: edge lengths of a block along (K, J, I), millimetres.
    """

    factors: tuple[int, int, int]
    shape: tuple[int, int, int]
    voxel_shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @classmethod
    def of_about(cls, edge: float, grid: Grid) -> VoxelBlocks:
        """Blocks of about ``edge`` millimetres, never smaller than a voxel."""
        voxel_i, voxel_j, voxel_k = grid.spacing
        depth, rows, columns = grid.shape
        k = _voxels_per_block(edge, voxel_k, depth)
        j = _voxels_per_block(edge, voxel_j, rows)
        i = _voxels_per_block(edge, voxel_i, columns)
        return cls(
            (k, j, i),
            (depth // k, rows // j, columns // i),
            grid.shape,
            (k * voxel_k, j * voxel_j, i * voxel_i),
        )

    def means(self, voxels: Array) -> Array:
        """The mean of each block."""
        image = sitk.GetImageFromArray(np.ascontiguousarray(voxels))
        k, j, i = self.factors
        return np.asarray(sitk.GetArrayFromImage(sitk.BinShrink(image, [i, j, k])))

    def samples(self, voxels: Array) -> Array:
        """The voxel in the middle of each block: the noise of the scan is still in it."""
        middles = (
            slice(factor // 2, factor * count, factor) for factor, count in zip(self.factors, self.shape, strict=True)
        )
        return voxels[tuple(middles)]

    def expanded(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """A mask of blocks as a mask of voxels."""
        lines = [self.block_of(np.arange(size), axis) for axis, size in enumerate(self.voxel_shape)]
        return mask[np.ix_(*lines)]

    def interpolated(
        self, field: npt.NDArray[np.float32], place: tuple[npt.NDArray[np.intp], ...]
    ) -> npt.NDArray[np.float32]:
        """The values of a field of blocks, at the voxels of indices ``place`` (k, j, i), linearly."""
        middles = [(line + 0.5) / factor - 0.5 for line, factor in zip(place, self.factors, strict=True)]
        return np.asarray(ndimage.map_coordinates(field, middles, order=1, mode="nearest"))

    def block_of(self, indices: npt.NDArray[np.intp], axis: int) -> npt.NDArray[np.intp]:
        """The block that each voxel index along ``axis`` (0 K, 1 J, 2 I) lies in."""
        return np.minimum(indices // self.factors[axis], self.shape[axis] - 1)


def _voxels_per_block(edge: float, voxel: float, available: int) -> int:
    return max(1, min(int(edge / voxel + 0.5), available))
