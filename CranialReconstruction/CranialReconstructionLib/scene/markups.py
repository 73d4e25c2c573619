"""What a designer sets by hand: places of holes, the way in, a curve on the bone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import vtk_to_numpy

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.scene.case import adopt, unique_name
from CranialReconstructionLib.scene.footprint import WHOLE_VAULT, Depth, footprint

Vector = tuple[float, float, float]

# From the place that the axis leads to, outwards to its handle, mm: clear of the scalp.
HANDLE_DISTANCE = 60.0
_HANDLE, _CENTRE = 0, 1


def hole_places(points: Any) -> list[Vector]:
    """Where the points of a markups node lie (RAS mm), those left out that are not placed yet."""
    count = points.GetNumberOfControlPoints()
    return [_place(points, n) for n in range(count) if points.GetNthControlPointPositionStatus(n) == _placed(points)]


def axis_node(case: Any, centre: Vector, direction: Vector, name: str) -> Any:
    """A line to take hold of: from a handle outside to ``centre``, along ``direction``.

    The handle turns the line about the centre, which stays.

    Args:
        case: the parameter node.
        centre: RAS mm.
        direction: from outside to inside (RAS), of any length.
        name: of the node.
    """
    scene = case.GetScene()
    line = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", unique_name(scene, name))
    line.CreateDefaultDisplayNodes()
    display = line.GetDisplayNode()
    # On a visible surface the handle would jump to the scalp or the bone.
    display.SetSnapMode(display.SnapModeUnconstrained)
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(False)
    for _ in (_HANDLE, _CENTRE):
        line.AddControlPointWorld(centre)
    line.SetFixedNumberOfControlPoints(True)
    move_axis(line, centre, direction)
    line.SetNthControlPointLocked(_CENTRE, True)
    adopt(case, line)
    return line


def move_axis(line: Any, centre: Vector, direction: Vector) -> None:
    """Lay the line through ``centre`` (RAS mm) along ``direction``, from outside to inside."""
    handle = np.array(centre) - HANDLE_DISTANCE * _unit(np.array(direction))
    was_modifying = line.StartModify()
    line.SetNthControlPointPositionWorld(_HANDLE, handle.tolist())
    line.SetNthControlPointPositionWorld(_CENTRE, list(centre))
    line.EndModify(was_modifying)


def axis_of(line: Any) -> Vector:
    """The line's direction (RAS), of length 1, from outside to inside.

    Raises:
        UserError: its ends are not placed, or they lie at one place.
    """
    places = hole_places(line)
    if len(places) != 2 or np.allclose(places[_HANDLE], places[_CENTRE], atol=1e-3):
        raise UserError(
            "it has no direction", where=line.GetName(), remedy="Drag its outer end away from the other one."
        )
    r, a, s = _unit(np.subtract(places[_CENTRE], places[_HANDLE]))
    return float(r), float(a), float(s)


def axis_centre_of(line: Any) -> Vector:
    """The place that the line leads to (RAS mm)."""
    return _place(line, _CENTRE)


def region_inside(curve: Any, mask: Volume, depth: Depth = WHOLE_VAULT) -> Volume:
    """What lies inside of a closed curve on the bone, through the whole vault: uint8 (K, J, I) on the mask's grid.

    Args:
        curve: markups closed curve, drawn on the outer table.
        mask: of the skull.
        depth: how far to either side of the outer table.

    Raises:
        UserError: as of ``footprint``.
    """
    points = curve.GetCurvePointsWorld()
    line = vtk_to_numpy(points.GetData()).astype(np.float64) if points is not None else np.zeros((0, 3))
    return footprint(line, mask, depth, where=curve.GetName())


def _placed(points: Any) -> int:
    return int(points.PositionDefined)


def _place(points: Any, number: int) -> Vector:
    place = [0.0, 0.0, 0.0]
    points.GetNthControlPointPositionWorld(number, place)
    return place[0], place[1], place[2]


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float64)
