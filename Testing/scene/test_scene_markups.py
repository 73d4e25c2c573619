"""Places, the way in, and curves on the bone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from headless import Application, affine

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.scene.case import case_nodes
from CranialReconstructionLib.scene.export import series_folder, source_instances
from CranialReconstructionLib.scene.footprint import Depth, footprint
from CranialReconstructionLib.scene.markups import (
    axis_centre_of,
    axis_node,
    axis_of,
    hole_places,
    move_axis,
    region_inside,
)
from CranialReconstructionLib.scene.segments import new_segmentation
from CranialReconstructionLib.scene.volumes import node_from_volume

MIDDLE = np.array([4.0, -9.0, 12.0])
WALL = 6.0


def test_holes_are_where_points_are_placed(application: Application) -> None:
    points = application.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "holes")
    points.AddControlPoint(1.0, 2.0, 3.0)
    points.AddControlPoint(4.0, 5.0, 6.0)
    points.AddControlPoint(7.0, 8.0, 9.0)
    points.UnsetNthControlPointPosition(1)
    points.SetAndObserveTransformNodeID(application.transform(affine((0, 0, 90), origin=(10, 0, 0))).GetID())
    np.testing.assert_allclose(hole_places(points), [(8.0, 1.0, 3.0), (2.0, 7.0, 9.0)], atol=1e-9)


def test_an_axis_is_read_back_and_can_be_moved(application: Application) -> None:
    case = application.case("Case")
    line = axis_node(case, (10.0, 20.0, 30.0), (0.0, -3.0, -4.0), "axis")
    np.testing.assert_allclose(axis_of(line), (0.0, -0.6, -0.8), atol=1e-9)
    assert axis_centre_of(line) == (10.0, 20.0, 30.0)
    move_axis(line, (1.0, 2.0, 3.0), (2.0, 0.0, 0.0))
    np.testing.assert_allclose(axis_of(line), (1.0, 0.0, 0.0), atol=1e-9)
    assert line.GetNumberOfControlPoints() == 2
    assert case_nodes(case) == [line]


def test_the_handle_turns_the_axis_about_its_end(application: Application) -> None:
    line = axis_node(application.case("Case"), (0.0, 0.0, 0.0), (0.0, 0.0, -1.0), "axis")
    assert [line.GetNthControlPointLocked(n) for n in (0, 1)] == [False, True]
    line.SetNthControlPointPositionWorld(0, 0.0, 50.0, 0.0)
    np.testing.assert_allclose(axis_of(line), (0.0, -1.0, 0.0), atol=1e-9)
    line.SetNthControlPointPositionWorld(0, 0.0, 0.0, 0.0)
    with pytest.raises(UserError, match="no direction"):
        axis_of(line)


def shell(radius: float, spacing: tuple[float, float, float]) -> tuple[Volume, np.ndarray]:
    """A spherical skull, open below, and the places of its voxels from its middle."""
    matrix = affine((12, -25, 40), spacing)
    count = np.ceil((2.0 * radius + 30.0) / np.abs(spacing)).astype(int)
    matrix[:3, 3] = MIDDLE - matrix[:3, :3] @ ((count - 1) / 2.0)
    grid = Grid((int(count[2]), int(count[1]), int(count[0])), matrix)
    seen = grid.ras_of(np.indices(grid.shape)[::-1].reshape(3, -1).T) - MIDDLE
    distance = np.linalg.norm(seen, axis=1)
    bone = (distance <= radius) & (distance >= radius - WALL) & (seen[:, 2] > -0.7 * radius)
    return Volume(bone.reshape(grid.shape).astype(np.uint8), matrix, "skull"), seen


def circle(radius: float, axis: np.ndarray, angle: float, count: int = 24) -> np.ndarray:
    """Places on a circle ``angle`` degrees about ``axis``, on the sphere."""
    side = np.cross(axis, [1.0, 0.2, 0.0])
    side /= np.linalg.norm(side)
    turn = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)[:, None]
    across = np.cos(turn) * side + np.sin(turn) * np.cross(axis, side)
    return MIDDLE + radius * (np.cos(np.radians(angle)) * axis + np.sin(np.radians(angle)) * across)


def degrees_from(axis: np.ndarray, seen: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip(seen @ axis / np.maximum(np.linalg.norm(seen, axis=1), 1e-9), -1.0, 1.0)))


@pytest.mark.parametrize("open_vault", [False, True], ids=["bone", "missing"])
@pytest.mark.parametrize(("radius", "angle", "tolerance"), [(78.0, 14, 1.0), (70.0, 45, 1.5), (78.0, 80, 2.0)])
def test_a_circle_holds_its_cap_of_the_vault(radius: float, angle: float, tolerance: float, open_vault: bool) -> None:
    """Over the midline and up to half the vault, whether its bone is there or missing, drawn either way round."""
    skull, seen = shell(radius, (1.6, 1.8, -2.2))
    axis = np.array([0.2, -0.3, 0.93])
    axis /= np.linalg.norm(axis)
    away = degrees_from(axis, seen)
    distance = np.linalg.norm(seen, axis=1)
    wall = (distance <= radius) & (distance >= radius - WALL)
    if open_vault:
        skull.voxels.ravel()[away < 0.8 * angle] = 0
    line = circle(radius, axis, angle)
    region = footprint(line[::-1] if open_vault else line, skull)
    inside = region.voxels.ravel() > 0
    wrong = wall & (inside != (away < angle))
    assert np.abs(np.radians(away[wrong] - angle) * radius).max(initial=0.0) < tolerance
    # To the depths asked for, and not to the other side of the head.
    assert distance[inside].max() < radius + 10.0 + 2.0
    assert distance[inside].min() > radius - 20.0 - 10.0
    assert away[inside & (distance > 20.0)].max() < 90.0


def test_a_curve_of_slicers_holds_a_half_turned_square(application: Application) -> None:
    skull, seen = shell(75.0, (2.0, 2.0, 2.0))
    axis = np.array([0.9, 0.1, 0.42])
    axis /= np.linalg.norm(axis)
    curve = application.scene.AddNewNodeByClass("vtkMRMLMarkupsClosedCurveNode", "rim")
    move = np.array([3.0, -4.0, 5.0])
    curve.SetAndObserveTransformNodeID(application.transform(affine(origin=tuple(move))).GetID())
    for place in circle(75.0, axis, 30.0, 12):
        curve.AddControlPoint((place - move).tolist())
    region = region_inside(curve, skull, Depth(inward=10.0, outward=5.0))
    assert region.grid.same_as(skull.grid)
    inside, bone = region.voxels.ravel() > 0, skull.voxels.ravel() > 0
    away = degrees_from(axis, seen)
    assert inside[bone & (away < 28.0)].all()
    assert not inside[bone & (away > 32.0)].any()
    assert np.linalg.norm(seen[inside], axis=1).min() > 75.0 - 13.0


def test_a_dented_curve_leaves_the_dent_out() -> None:
    skull, seen = shell(75.0, (2.0, 2.0, 2.0))
    axis = np.array([0.0, 0.0, 1.0])
    line = circle(75.0, axis, 40.0, 120)
    line[40:60] = circle(75.0, axis, 15.0, 120)[40:60]
    region = footprint(line, skull)
    dent = (circle(75.0, axis, 28.0, 120)[50] - MIDDLE) / 75.0
    opposite = (circle(75.0, axis, 28.0, 120)[110] - MIDDLE) / 75.0
    inside, bone = region.voxels.ravel() > 0, skull.voxels.ravel() > 0
    assert not inside[bone & (degrees_from(dent, seen) < 5.0)].any()
    assert inside[bone & (degrees_from(opposite, seen) < 5.0)].all()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (np.zeros((2, 3)), "encloses nothing"),
        (np.array([[0.0, 0.0, 80.0], [10.0, 0.0, 80.0], [20.0, 0.0, 80.0]]), "encloses nothing"),
        (circle(300.0, np.array([0.0, 0.0, 1.0]), 5.0), "no bone near"),
    ],
    ids=["two points", "a line", "far away"],
)
def test_curves_that_hold_no_vault_are_refused(line: np.ndarray, problem: str) -> None:
    skull, _ = shell(60.0, (4.0, 4.0, 4.0))
    with pytest.raises(UserError, match=problem):
        footprint(line, skull)


def test_an_empty_skull_and_a_senseless_depth_are_refused() -> None:
    skull, _ = shell(60.0, (4.0, 4.0, 4.0))
    line = circle(60.0, np.array([0.0, 0.0, 1.0]), 20.0)
    with pytest.raises(UserError, match="no bone near"):
        footprint(line, skull.with_voxels(np.zeros_like(skull.voxels)))
    with pytest.raises(UserError, match="depth"):
        Depth(inward=0.0)


def test_the_series_behind_a_result_is_known(application: Application) -> None:
    mask = Volume(np.ones((2, 3, 4), np.uint8), affine())
    ct = node_from_volume(application.scene, mask, "ct")
    segmentation = new_segmentation(application.scene, "skull", ct)
    assert source_instances(segmentation) == ()
    ct.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    assert source_instances(segmentation) == source_instances(ct) == ("1.2.3", "1.2.4")
    assert source_instances(new_segmentation(application.scene, "alone", grid=mask.grid)) == ()


def test_a_series_is_gathered_from_wherever_its_files_are(tmp_path: Path) -> None:
    files = [tmp_path / "a" / "IM1", tmp_path / "b" / "IM1"]
    for number, file in enumerate(files):
        file.parent.mkdir()
        file.write_bytes(bytes([number]))
    folder = series_folder(files, tmp_path / "series")
    assert sorted(file.read_bytes() for file in folder.iterdir()) == [b"\x00", b"\x01"]
    with pytest.raises(UserError, match="Import the series"):
        series_folder([tmp_path / "gone"], tmp_path / "other")
