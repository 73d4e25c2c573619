"""Bone as a distance in millimetres, exact below the voxel size where an implant comes near it.

A binary mask is smoothed to a share of bone on its own grid, where its staircase is known; the surface lies
at one half. Near that surface distances are taken to the surface itself, elsewhere between voxels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import reference
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

from CranialReconstructionLib.imaging.distance import signed_distance
from CranialReconstructionLib.imaging.resampling import resample
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.implant.mesh_probe import locator_of

Floats = npt.NDArray[np.floating]

# Standard deviation, in voxels of the mask: takes the steps off. It moves the surface of a sphere of radius R
# inwards by sigma^2 / R, that is 0.006 mm for a head at 1 mm.
SMOOTHING = 0.7


def crop_around(volume: Volume, grid: Grid, margin: float = 3.0) -> Volume:
    """The part of ``volume`` that ``grid`` reaches and ``margin`` millimetres more.

    A grid that leaves the volume gets what there is.
    """
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape[::-1]])).reshape(3, -1).T
    ijk = volume.grid.ijk_of(grid.ras_of(corners))
    reach = margin / np.array(volume.spacing)
    size = np.array(volume.voxels.shape[::-1])
    start = np.clip(np.floor(ijk.min(0) - reach), 0, size - 1).astype(int)[::-1]
    stop = np.clip(np.ceil(ijk.max(0) + reach) + 1, start[::-1] + 1, size).astype(int)[::-1]
    return volume.cropped((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def share_on(grid: Grid, mask: Volume) -> npt.NDArray[np.float32]:
    """The smoothed share, 0 to 1 (K, J, I), of a mask or of a confidence on another, finer ``grid``.

    The half level is the mask's surface.
    """
    part = crop_around(mask, grid)
    smooth = ndimage.gaussian_filter(part.voxels.astype(np.float32), SMOOTHING, mode="nearest", truncate=3.0)
    return np.asarray(resample(part.with_voxels(smooth), grid).voxels)


@dataclass(frozen=True, eq=False)
class Surface:
    """A surface of triangles, with those of its points that are asked for and their normals.

    Attributes:
        points: (N, 3) millimetres along the grid's I, J, K axes from its first voxel.
        normals: (N, 3) unit vectors, outwards.
        edge: millimetres between neighbouring points.
        triangles: the whole surface, in the same millimetres.
    """

    points: npt.NDArray[np.float64]
    normals: npt.NDArray[np.float64]
    edge: float
    triangles: vtkPolyData

    def signed_distance(self, places: Floats) -> npt.NDArray[np.float64]:
        """Millimetres (M,) from ``places`` (M, 3) to the surface, negative inside; infinite without a surface.

        Measured to the plane of the nearest point, and round the border of that plane where there is an edge.
        """
        if not len(self.points):
            return np.full(len(places), np.inf)
        _, nearest = cKDTree(self.points, balanced_tree=False).query(places, workers=-1)
        offset = places - self.points[nearest]
        height = np.einsum("ij,ij->i", offset, self.normals[nearest])
        aside = np.sqrt(np.maximum(np.einsum("ij,ij->i", offset, offset) - height**2, 0.0))
        beyond = np.maximum(aside - 0.5 * self.edge, 0.0)
        return np.copysign(np.hypot(height, beyond), height)

    def distance(self, places: Floats) -> npt.NDArray[np.float64]:
        """Millimetres (M,) from ``places`` (M, 3) to the nearest triangle: exact, without a sign, and slow."""
        closest = [0.0, 0.0, 0.0]
        cell: Any = reference(0)
        part: Any = reference(0)
        square: Any = reference(0.0)
        squares = np.empty(len(places))
        for number, place in enumerate(places.tolist()):
            self._locator.FindClosestPoint(place, closest, cell, part, square)
            squares[number] = square.get()
        return np.sqrt(squares)

    @cached_property
    def _locator(self) -> Any:
        return locator_of(self.triangles)


def half_surface(share: npt.NDArray[np.float32], spacing: float, level: float = 0.5) -> Surface:
    """The surface where ``share`` (K, J, I) falls through ``level``, on an isotropic grid of ``spacing`` mm."""
    image = vtkImageData()
    image.SetDimensions(*share.shape[::-1])
    image.SetSpacing(spacing, spacing, spacing)
    values = np.ascontiguousarray(share).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(values))
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, level)
    # Of the slope of the share, inwards to outwards.
    edges.ComputeNormalsOn()
    edges.ComputeScalarsOff()
    edges.Update()
    triangles = edges.GetOutput()
    if not triangles.GetNumberOfPoints():
        return Surface(np.zeros((0, 3)), np.zeros((0, 3)), spacing, triangles)
    points = vtk_to_numpy(triangles.GetPoints().GetData()).astype(np.float64)
    normals = vtk_to_numpy(triangles.GetPointData().GetNormals()).astype(np.float64)
    return Surface(points, normals, spacing, triangles)


def distance_field(
    share: npt.NDArray[np.float32], spacing: float, near: npt.NDArray[np.bool_], reach: float, wall: float
) -> tuple[npt.NDArray[np.float32], Surface]:
    """Signed millimetres (K, J, I) to the half level of ``share``, negative inside, and its surface.

    Args:
        share: (K, J, I) on an isotropic grid of ``spacing`` mm.
        near: (K, J, I) where the distance is to be exact.
        reach: millimetres outside of the surface to which it is; inside of it two voxels are enough.
        wall: the distance about which it is taken to the triangles themselves.
    """
    surface = half_surface(share, spacing)
    if not len(surface.points):
        return np.full(share.shape, np.float32(1e3)), surface
    field = signed_distance(share > 0.5, (spacing, spacing, spacing))
    # The transform measures to the centres of the outermost voxels within.
    field -= np.where(field > 0.0, 0.5 * spacing, 0.0).astype(np.float32)
    wide = ndimage.binary_dilation(near.any(0), iterations=int(np.ceil((reach + 2.0 * spacing) / spacing)))
    column = np.clip(np.rint(surface.points[:, :2] / spacing).astype(int), 0, np.array(share.shape[:0:-1]) - 1)
    kept = wide[column[:, 1], column[:, 0]]
    surface = replace(surface, points=surface.points[kept], normals=surface.normals[kept])
    close = np.nonzero((field > -2.0 * spacing) & (field < reach + spacing) & near)
    field[close] = surface.signed_distance(np.stack(close[::-1], axis=1) * spacing)
    # Nearer to the surface than this the sign is all that matters, and the triangles do not tell it.
    facing = np.nonzero((np.abs(field - wall) < spacing) & (field > 0.3 * spacing) & near)
    field[facing] = surface.distance(np.stack(facing[::-1], axis=1) * spacing)
    return field, surface
