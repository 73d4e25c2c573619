"""Surfaces from the worker as model nodes, plain or coloured by what was measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkDataObject, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkAppendPolyData

from CranialReconstructionLib.implant.mesh_file import read_mesh
from CranialReconstructionLib.implant.ply_file import vertex_values
from CranialReconstructionLib.scene.case import adopt, unique_name
from CranialReconstructionLib.scene.colours import Colour, Kind, colour_table, show_legend

IVORY: Colour = (0.95, 0.85, 0.45)


@dataclass(frozen=True)
class ColourMap:
    """How the values at a surface's points are shown.

    Attributes:
        scalar: name of the values in the file.
        title: of the legend, with the unit.
        low, high: values at the ends of the colours.
        kind: "even", or "about_zero" for values of both signs.
    """

    scalar: str
    title: str
    low: float
    high: float
    kind: Kind = "even"

    def with_range(self, low: float, high: float) -> ColourMap:
        """The same with other ends."""
        return replace(self, low=low, high=high)


THICKNESS = ColourMap("thickness", "Thickness (mm)", 0.0, 8.0)
GAP = ColourMap("gap", "Distance to bone (mm)", -2.0, 2.0, "about_zero")


def show_surface(case: Any, path: Path | Sequence[Path], name: str, model: Any = None, colour: Colour = IVORY) -> Any:
    """Show a mesh file, or several as one, as a model node of the case.

    Args:
        case: the parameter node.
        path: PLY, STL or OBJ; its frame is read from its header (``read_mesh``). Values at the vertices of a PLY
            become point scalars, of several files those that all have.
        name: of a new node.
        model: node whose surface is replaced in place, with its display as it is; None makes a new one.
        colour: of a new node.

    Raises:
        UserError: as of ``read_mesh``.
    """
    mesh = polydata_of(path) if isinstance(path, Path) else _together([polydata_of(part) for part in path])
    scene = case.GetScene()
    if model is None or model.GetScene() is None:
        model = scene.AddNewNodeByClass("vtkMRMLModelNode", unique_name(scene, name))
        model.SetAndObserveMesh(mesh)
        model.CreateDefaultDisplayNodes()
        model.GetDisplayNode().SetColor(colour)
        adopt(case, model)
        return model
    model.SetAndObserveMesh(mesh)
    display = model.GetDisplayNode()
    if display.GetScalarVisibility() and not mesh.GetPointData().HasArray(display.GetActiveScalarName()):
        colour_by(model, None)
    return model


def colour_by(model: Any, colours: ColourMap | None, legend: bool = True) -> None:
    """Colour a model by its values, with a legend in the views; None, or values that it lacks, make it plain again."""
    display = model.GetDisplayNode()
    if colours is None or not model.GetMesh().GetPointData().HasArray(colours.scalar):
        display.SetScalarVisibility(False)
        show_legend(model, "", False)
        return
    was_modifying = display.StartModify()
    display.SetActiveScalar(colours.scalar, vtkDataObject.POINT)
    display.SetAndObserveColorNodeID(colour_table(model.GetScene(), colours.kind).GetID())
    display.SetScalarRangeFlag(display.UseManualScalarRange)
    display.SetScalarRange(colours.low, colours.high)
    display.SetScalarVisibility(True)
    display.EndModify(was_modifying)
    show_legend(model, colours.title, legend)


def set_visible(node: Any, visible: bool) -> None:
    """Show or hide a model, a segmentation or markups in all views, its legend with it."""
    for number in range(node.GetNumberOfDisplayNodes()):
        display = node.GetNthDisplayNode(number)
        if display is not None and not display.IsA("vtkMRMLColorLegendDisplayNode"):
            display.SetVisibility(visible)


def _together(meshes: Sequence[vtkPolyData]) -> vtkPolyData:
    joined = vtkAppendPolyData()
    for mesh in meshes:
        joined.AddInputData(mesh)
    joined.Update()
    return joined.GetOutput()


def polydata_of(path: Path) -> vtkPolyData:
    """A mesh file as VTK's surface (RAS, mm); values at the vertices of a PLY become point scalars.

    Raises:
        UserError: as of ``read_mesh``.
    """
    mesh = read_mesh(path)
    shown = vtkPolyData()
    points = vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(mesh.vertices, dtype=np.float32), deep=True))
    shown.SetPoints(points)
    triangles = vtkCellArray()
    corners = np.ascontiguousarray(mesh.triangles, dtype=np.int64).ravel()
    triangles.SetData(3, numpy_to_vtkIdTypeArray(corners, deep=True))
    shown.SetPolys(triangles)
    values = vertex_values(path.read_bytes()) if path.suffix.lower() == ".ply" else {}
    for name, column in values.items():
        scalars = numpy_to_vtk(column.astype(np.float32), deep=True)
        scalars.SetName(name)
        shown.GetPointData().AddArray(scalars)
    return shown
