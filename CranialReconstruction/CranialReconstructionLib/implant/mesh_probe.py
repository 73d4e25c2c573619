"""Rays, nearest places and the inside of a mesh, through VTK's cell locator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import VTK_ID_TYPE, reference, vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData, vtkStaticCellLocator

from CranialReconstructionLib.implant.mesh import Mesh

Points = npt.NDArray[np.float64]

TRIANGLES_A_BIN = 2  # a third faster than VTK's own 10
RAY_TOLERANCE = 1e-7  # of a ray's length; keeps rays from slipping between two triangles


@dataclass(frozen=True, eq=False)
class Hits:
    """Where rays first met a mesh.

    Attributes:
        distances: (N,) millimetres, infinite where a ray met nothing.
        triangles: (N,) int64, -1 where a ray met nothing.
    """

    distances: Points
    triangles: npt.NDArray[np.int64]

    @property
    def met(self) -> npt.NDArray[np.bool_]:
        """Which rays met the mesh (N,)."""
        return self.triangles >= 0


class MeshProbe:
    """Questions to one mesh, built once. Points are RAS millimetres (N, 3)."""

    def __init__(self, mesh: Mesh) -> None:
        self._surface = polydata_of(mesh)
        self._locator = locator_of(self._surface)

    def cast(self, origins: Points, directions: Points, reach: float) -> Hits:
        """The first place that each ray meets within ``reach`` millimetres along its unit direction."""
        distances = np.full(len(origins), np.inf)
        triangles = np.full(len(origins), -1, dtype=np.int64)
        share: Any = reference(0.0)
        part, cell = reference(0), reference(0)
        place, inner = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        ends = (origins + reach * directions).tolist()
        for index, (start, end) in enumerate(zip(origins.tolist(), ends, strict=True)):
            if self._locator.IntersectWithLine(start, end, RAY_TOLERANCE, share, place, inner, part, cell):
                distances[index] = float(share) * reach
                triangles[index] = int(cell)
        return Hits(distances, triangles)

    def nearest(self, points: Points) -> tuple[Points, npt.NDArray[np.int64]]:
        """The mesh's nearest place (N, 3) to each point, and the triangle (N,) that it lies on."""
        places = np.empty((len(points), 3))
        triangles = np.empty(len(points), dtype=np.int64)
        place, part, cell, squared = [0.0, 0.0, 0.0], reference(0), reference(0), reference(0.0)
        for index, point in enumerate(points.tolist()):
            self._locator.FindClosestPoint(point, place, cell, part, squared)
            places[index] = place
            triangles[index] = int(cell)
        return places, triangles

    def contains(self, points: Points) -> npt.NDArray[np.bool_]:
        """Which points lie inside of the closed mesh (N,)."""
        from vtkmodules.vtkFiltersModeling import vtkSelectEnclosedPoints

        cloud = vtkPolyData()
        cloud.SetPoints(_vtk_points(points))
        chosen = vtkSelectEnclosedPoints()
        chosen.SetInputData(cloud)
        chosen.SetSurfaceData(self._surface)
        chosen.SetTolerance(1e-9)
        chosen.Update()
        inside = chosen.GetOutput().GetPointData().GetArray("SelectedPoints")
        return vtk_to_numpy(inside).astype(bool)


def polydata_of(mesh: Mesh) -> Any:
    """The mesh as VTK holds it (vtkPolyData), RAS millimetres."""
    cells = vtkCellArray()
    cells.SetData(3, numpy_to_vtk(np.ascontiguousarray(mesh.triangles).ravel(), deep=True, array_type=VTK_ID_TYPE))
    surface = vtkPolyData()
    surface.SetPoints(_vtk_points(mesh.vertices))
    surface.SetPolys(cells)
    return surface


def locator_of(surface: vtkPolyData) -> Any:
    """What finds a surface's triangles: a vtkStaticCellLocator."""
    # Any: VTK's own stubs do not know that a reference may stand for a number that it returns.
    locator: Any = vtkStaticCellLocator()
    locator.SetDataSet(surface)
    locator.SetNumberOfCellsPerNode(TRIANGLES_A_BIN)
    locator.BuildLocator()
    return locator


def _vtk_points(points: Points) -> Any:
    result = vtkPoints()
    result.SetData(numpy_to_vtk(np.ascontiguousarray(points, dtype=np.float64), deep=True))
    return result
