"""Surfaces of generated cases, made in a blink: coarse enough to follow a slider."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D, vtkReverseSense

from CranialAugmentationTrainerLib.datasets.case_grid import read_labels
from CranialReconstructionLib.imaging.pooling import bone_box, pooled
from CranialReconstructionLib.imaging.volume import Grid, Volume

Surfaces = Mapping[str, vtkPolyData]

SKULL, DEFECT = "skull", "defect"
PARTS = (SKULL, DEFECT)
# Voxels along the longest edge that surfaces are made of; more are pooled.
FINEST = 64
# Steps between voxels are smoothed by so much of one; thin bone must not vanish, so the level is below a half.
SMOOTHING = 0.6
LEVEL = 0.4


def surfaces_from_file(path: Path, finest: int = FINEST) -> Surfaces:
    """Surfaces of a label volume (1 skull, 2 missing bone); RAS, mm. A part that is not there is empty.

    Raises:
        UserError: as of ``read_labels``.
    """
    return surfaces_of_masks(*read_labels(path), finest=finest)


def surfaces_of_masks(skull: Volume, defect: Volume, finest: int = FINEST) -> Surfaces:
    """The same of two masks."""
    return {name: _surface_of_mask(mask, finest) for name, mask in zip(PARTS, (skull, defect), strict=True)}


def surfaces_of_shares(shares: npt.NDArray[np.float32], grid: Grid, finest: int = FINEST) -> Surfaces:
    """Surfaces of shares of bone (2, K, J, I), 0 to 1, as a generator decodes them: skull, missing bone.

    Args:
        finest: voxels along the longest edge; while a slider moves, fewer are enough where a computer has to draw
            without a graphics card.
    """
    block = -(-max(grid.shape) // finest)
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, :3] *= block
    # The first block is all air, so that what runs out of the grid is closed there.
    matrix[:3, 3] = grid.ras_of(np.full(3, (block - 1) / 2.0 - block))[0]
    level = 0.5 if block == 1 else LEVEL
    return {
        name: _surface(Volume(_blocks(part, block), matrix, name), level)
        for name, part in zip(PARTS, shares, strict=True)
    }


def _surface_of_mask(mask: Volume, finest: int) -> vtkPolyData:
    if bone_box(mask) is None:
        return vtkPolyData()
    edge = max(length * size for length, size in zip(mask.spacing[::-1], mask.grid.shape, strict=True))
    shares = pooled(mask, edge / finest)
    smooth = ndimage.gaussian_filter(shares.voxels, SMOOTHING, truncate=2.0)
    return _surface(shares.with_voxels(smooth), LEVEL)


def _blocks(part: npt.NDArray[np.float32], block: int) -> npt.NDArray[np.float32]:
    """Means of blocks of voxels, with one of air all round."""
    padded = np.pad(part.astype(np.float32, copy=False), [(block, block + -size % block) for size in part.shape])
    k, j, i = (size // block for size in padded.shape)
    return padded.reshape(k, block, j, block, i, block).mean((1, 3, 5)) if block > 1 else padded


def _surface(field: Volume, level: float) -> vtkPolyData:
    """Where a field (K, J, I) falls below ``level``, with normals, triangles turned outwards."""
    image = vtkImageData()
    image.SetDimensions(*field.voxels.shape[::-1])
    spacing = np.array(field.spacing)
    image.SetSpacing(*spacing)
    image.SetOrigin(*field.ijk_to_ras[:3, 3])
    image.SetDirectionMatrix(*(field.ijk_to_ras[:3, :3] / spacing).ravel())
    values = np.ascontiguousarray(field.voxels, dtype=np.float32).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(values))
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, level)
    edges.ComputeNormalsOn()
    edges.ComputeScalarsOff()
    edges.Update()
    if np.linalg.det(field.ijk_to_ras[:3, :3]) > 0.0:
        return edges.GetOutput()
    turned = vtkReverseSense()
    turned.SetInputData(edges.GetOutput())
    turned.ReverseCellsOn()
    turned.ReverseNormalsOn()
    turned.Update()
    return turned.GetOutput()
