"""How a finished surface lies to the bone: how near, how deep, how much of it in the same place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

from CranialReconstructionLib.imaging.distance import signed_distance
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.implant.bone_field import half_surface, share_on
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_probe import polydata_of

# Millimetres: how far around the mesh bone is looked for, and between the samples.
REACH = 5.0
SPACING = 0.5
# By how much the distances of two voxels can mislead about two points within them.
ROUNDING = 4.0 * SPACING

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Clearance:
    """A mesh and the bone around it.

    Attributes:
        nearest: least distance from the mesh's surface to the bone's, millimetres; negative is how deep the
            surface reaches into bone; infinite where no bone is within ``REACH``.
        overlap: volume that is both bone and inside of the mesh, cubic millimetres.
    """

    nearest: float
    overlap: float


def measure_clearance(mesh: Mesh, skull: Volume) -> Clearance:
    """Compare a closed mesh (RAS millimetres) with a binary skull (K, J, I).

    The bone's surface is where its smoothed share is one half (``bone_field``); the mesh is sampled at
    points no further apart than the sampling of the bone.
    """
    grid = _grid_around(mesh, skull)
    share = share_on(grid, skull)
    # In millimetres along the grid's axes, where the bone's surface is found.
    local = Mesh(grid.ijk_of(mesh.vertices) * SPACING, mesh.triangles)
    bone = half_surface(share, SPACING)
    nearest = float(bone.signed_distance(_candidates(_samples(local), share)).min())
    inside = _voxels_inside(local, grid.shape, SPACING)
    overlap = float(np.count_nonzero(inside & (share > 0.5))) * SPACING**3
    return Clearance(nearest if nearest <= REACH else float("inf"), overlap)


def _grid_around(mesh: Mesh, skull: Volume) -> Grid:
    """An isotropic grid along the skull's axes that holds the mesh and ``REACH`` more."""
    axes = skull.ijk_to_ras[:3, :3] / np.array(skull.spacing)
    along = np.linalg.solve(axes, mesh.vertices.T).T
    # The half step keeps flat sides of the mesh from lying on voxel centres, neither in nor out.
    start = along.min(axis=0) - REACH - 0.5 * SPACING
    size = np.ceil((along.max(axis=0) + REACH - start) / SPACING).astype(int) + 1
    matrix = np.eye(4)
    matrix[:3, :3] = axes * SPACING
    matrix[:3, 3] = axes @ start
    return Grid((int(size[2]), int(size[1]), int(size[0])), matrix)


def _samples(mesh: Mesh) -> Floats:
    """The vertices and points between them (N, 3), no further than ``SPACING`` apart along a triangle's sides."""
    corners = mesh.corners
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    parts = np.ceil(longest / SPACING).astype(int)
    points = [mesh.vertices]
    for count in np.unique(parts[parts > 1]):
        steps = np.array([(i, j, count - i - j) for i in range(count + 1) for j in range(count + 1 - i)]) / count
        points.append(np.einsum("sc,tcx->tsx", steps, corners[parts == count]).reshape(-1, 3))
    return np.concatenate(points)


def _candidates(points: Floats, share: npt.NDArray[np.float32]) -> Floats:
    """The points (N, 3) that can be the nearest to bone, or the deepest in it, by the voxels that they lie in."""
    field = signed_distance(share > 0.5, (SPACING, SPACING, SPACING))
    i, j, k = np.rint(points / SPACING).astype(int).T
    coarse = field[k, j, i]
    near: npt.NDArray[np.bool_] = coarse <= coarse.min() + ROUNDING
    return points[near]


def _voxels_inside(mesh: Mesh, shape: tuple[int, int, int], spacing: float) -> npt.NDArray[np.bool_]:
    """Voxels (K, J, I) whose centres the closed mesh holds; the first one lies at the origin.

    Args:
        mesh: millimetres along I, J, K.
        spacing: millimetres between voxels.
    """
    stencil = vtkPolyDataToImageStencil()
    stencil.SetInputData(polydata_of(mesh))
    stencil.SetOutputSpacing([spacing] * 3)
    stencil.SetOutputWholeExtent([0, shape[2] - 1, 0, shape[1] - 1, 0, shape[0] - 1])
    image = vtkImageStencilToImage()
    image.SetInputConnection(stencil.GetOutputPort())
    image.SetOutputScalarTypeToUnsignedChar()
    image.SetInsideValue(1)
    image.SetOutsideValue(0)
    image.Update()
    values = vtk_to_numpy(image.GetOutput().GetPointData().GetScalars())
    return np.asarray(values.reshape(shape) > 0)
