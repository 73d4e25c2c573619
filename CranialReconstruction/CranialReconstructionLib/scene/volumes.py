"""Volume nodes in and out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer.util
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.mask import looks_like_ct
from CranialReconstructionLib.imaging.scan_warnings import LEAST_SKULL_HEIGHT, slice_warnings
from CranialReconstructionLib.imaging.volume import Array, Grid, Volume
from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.scene.frames import array_of, to_world, vtk_matrix

# Degrees: a gantry is tilted by several, rounding makes hundredths.
LEAST_TILT = 0.5


@dataclass(frozen=True)
class VolumeFacts:
    """What is told about a volume before it is used.

    Attributes:
        shape: voxels along (K, J, I).
        spacing: voxel edges along (I, J, K), millimetres.
        is_ct: grey values, and no labels.
        slice_distance: the longest voxel edge, millimetres.
        tilt: degrees by which the slices are out of square with the line of their centres.
        warnings: for the user, sentences.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    is_ct: bool
    slice_distance: float
    tilt: float
    warnings: tuple[str, ...]


def grid_of(node: Any) -> Grid:
    """Where the voxels of a volume node lie in the world.

    Raises:
        UserError: the node holds no image, or a transform above it is not linear.
    """
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        raise UserError("the volume is empty", where=node.GetName(), remedy="Load the image, or choose another.")
    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    i, j, k = image.GetDimensions()
    return Grid((k, j, i), to_world(node) @ array_of(matrix))


def volume_from_node(node: Any) -> Volume:
    """The voxels of a volume node (K, J, I), a copy of them, where they lie in the world.

    Raises:
        UserError: as of ``grid_of``, or several values a voxel.
    """
    grid = grid_of(node)
    return Volume(slicer.util.arrayFromVolume(node).copy(), grid.ijk_to_ras, node.GetName())


def node_from_volume(scene: Any, volume: Volume, name: str, label: bool = False) -> Any:
    """A new scalar volume node, or a label map, with the voxels of ``volume`` and no transform above it."""
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode" if label else "vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(vtk_matrix(volume.ijk_to_ras))
    slicer.util.updateVolumeFromArray(node, _kept_by_vtk(volume.voxels))
    node.CreateDefaultDisplayNodes()
    return node


def write_node(node: Any, path: Path) -> None:
    """Write a volume node as it lies in the world, as ``write_mask`` does."""
    write_mask(volume_from_node(node), path)


def write_mask(volume: Volume, path: Path) -> None:
    """Write NRRD for the worker: not compressed, which takes a tenth of the time.

    Raises:
        UserError: no right or space to write it, or a grid that is not rectangular.
    """
    image = volume.to_itk()
    with whole_file(path) as part:
        try:
            sitk.WriteImage(image, str(part), useCompression=False, imageIO="NrrdImageIO")
        except RuntimeError as error:
            raise OSError(0, str(error).strip().splitlines()[-1]) from error


def read_into(scene: Any, path: Path, name: str, label: bool = False) -> Any:
    """A new volume node, or a label map, from a file or a DICOM folder.

    Raises:
        UserError: as of ``read_volume``.
    """
    return node_from_volume(scene, read_volume(path), name, label)


def describe_volume(node: Any) -> VolumeFacts:
    """Shape, kind, and what may cost accuracy.

    Raises:
        UserError: as of ``volume_from_node``.
    """
    volume = volume_from_node(node)
    tilt = _tilt(volume.grid)
    warnings = slice_warnings(volume)
    if tilt > LEAST_TILT:
        warnings.append(f"The slices are tilted by {tilt:.1f} degrees: resample the volume to straight ones first.")
    height = _height(volume.grid)
    if height < LEAST_SKULL_HEIGHT:
        warnings.append(f"The image is only {height:.0f} mm high, less than a skull from its base to the vertex.")
    return VolumeFacts(
        volume.grid.shape, volume.spacing, looks_like_ct(volume), max(volume.spacing), tilt, tuple(warnings)
    )


def _tilt(grid: Grid) -> float:
    i, j, k = (grid.ijk_to_ras[:3, :3] / np.array(grid.spacing)).T
    normal = np.cross(i, j)
    return float(np.degrees(np.arccos(min(1.0, abs(float(normal @ k)) / float(np.linalg.norm(normal))))))


def _height(grid: Grid) -> float:
    """From the lowest to the highest corner of the grid's voxels, millimetres."""
    return float(np.abs(grid.ijk_to_ras[2, :3]) @ np.array(grid.shape[::-1]))


def _kept_by_vtk(voxels: Array) -> Array:
    """The same values in a type that VTK knows, in a row."""
    kinds = {np.dtype(np.bool_): np.uint8, np.dtype(np.float16): np.float32}
    return np.ascontiguousarray(voxels, dtype=kinds.get(voxels.dtype, voxels.dtype))
