"""A scene with cases is saved and comes back, alone or added to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
from headless import GEOMETRIES, Application, blob

from CranialReconstructionLib.implant.export.about import About
from CranialReconstructionLib.implant.export.ply import write_ply
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.scene.case import adopt, case_nodes, remove_case, rename_case
from CranialReconstructionLib.scene.checks import checks_table, place_of_check
from CranialReconstructionLib.scene.colours import UNKNOWN, restore_colours
from CranialReconstructionLib.scene.markups import axis_node, axis_of, hole_places
from CranialReconstructionLib.scene.results import Run, reconstructions, show_confidence, show_reconstruction
from CranialReconstructionLib.scene.segments import mask_from_segment, reference_node
from CranialReconstructionLib.scene.surfaces import THICKNESS, colour_by, show_surface
from CranialReconstructionLib.scene.volumes import node_from_volume, volume_from_node

MATRIX = GEOMETRIES["oblique"]
TETRAHEDRON = Mesh(
    10.0 * np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]),
)


def fill(application: Application, name: str, folder: Path) -> Any:
    """A case with one of everything."""
    case = application.case(name)
    skull = blob(MATRIX, seed=len(name))
    ct = node_from_volume(application.scene, skull.with_voxels(skull.voxels.astype(np.int16) * 1000), f"{name} ct")
    adopt(case, ct)
    for method in ("network", "mirror"):
        confidence = skull.with_voxels(skull.voxels.astype(np.float32))
        run = Run(method, skull, skull.with_voxels(1 - skull.voxels), confidence, True, {"method": method})
        show_confidence(show_reconstruction(case, run, ct), True)
    values = {"thickness": np.array([1.0, 2.0, 3.0, np.nan])}
    write_ply(TETRAHEDRON, folder / "implant.ply", About("implant", frame="RAS"), values)
    colour_by(show_surface(case, folder / "implant.ply", f"{name} implant"), THICKNESS)
    axis_node(case, (1.0, 2.0, 3.0), (0.0, 1.0, 0.0), f"{name} axis")
    holes = application.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", f"{name} holes")
    holes.AddControlPoint(3.0, 4.0, 5.0)
    adopt(case, holes)
    check = {"name": "gap", "value": "0.5 mm", "limit": "0.5 mm", "verdict": "pass", "at": (1.0, 2.0, 3.0)}
    checks_table(case, f"{name} checks", [check])
    return case


def saved(application: Application, folder: Path) -> Path:
    """The scene's file, its data beside it."""
    folder.mkdir()
    assert application.scene.SaveSceneToSlicerDataBundleDirectory(str(folder))
    return next(folder.glob("*.mrml"))


def assert_whole(case: Any, name: str) -> None:
    skull = blob(MATRIX, seed=len(name))
    found = reconstructions(case)
    assert [entry.name for entry in found] == ["network", "mirror"]
    nodes = {node.GetName(): node for node in case_nodes(case)}
    for entry in found:
        assert entry.provenance == {"method": entry.name}
        assert entry.complete_id is not None
        assert reference_node(entry.segmentation) is nodes[f"{name} ct"]
        for identifier, expected in ((entry.skull_id, skull.voxels), (entry.defect_id, 1 - skull.voxels)):
            back = mask_from_segment(entry.segmentation, identifier)
            np.testing.assert_array_equal(back.voxels, expected)
            assert back.grid.same_as(skull.grid, 1e-3)
        np.testing.assert_array_equal(volume_from_node(entry.confidence).voxels, skull.voxels)
        display = entry.confidence.GetDisplayNode()
        assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 1.0)
        assert display.GetColorNode().GetName() == "Cranial confidence"
        assert slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(entry.confidence).GetTitleText() == "Confidence"
        assert entry.segmentation.GetDisplayNode().GetSegmentOpacity3D(entry.complete_id) < 0.5
    implant = nodes[f"{name} implant"]
    bounds = [0.0] * 6
    implant.GetRASBounds(bounds)
    np.testing.assert_allclose(bounds, [0.0, 10.0] * 3, atol=1e-4)
    display = implant.GetDisplayNode()
    assert (display.GetActiveScalarName(), bool(display.GetScalarVisibility())) == ("thickness", True)
    assert display.GetScalarRange() == (THICKNESS.low, THICKNESS.high)
    assert display.GetColorNode().GetNumberOfColors() == 256
    np.testing.assert_allclose(axis_of(nodes[f"{name} axis"]), (0.0, 1.0, 0.0), atol=1e-5)
    np.testing.assert_allclose(hole_places(nodes[f"{name} holes"]), [(3.0, 4.0, 5.0)], atol=1e-4)
    assert place_of_check(nodes[f"{name} checks"], 0) == (1.0, 2.0, 3.0)


def test_cases_come_back_whole_and_apart(application: Application, tmp_path: Path) -> None:
    for name in ("A", "Bee"):
        fill(application, name, tmp_path)
    names = {
        name: [node.GetName() for node in case_nodes(application.scene.GetFirstNodeByName(name))]
        for name in ("A", "Bee")
    }
    path = saved(application, tmp_path / "saved")
    reopened = Application()
    reopened.scene.SetURL(str(path))
    assert reopened.scene.Connect()
    for name in ("A", "Bee"):
        case = reopened.scene.GetFirstNodeByName(name)
        assert [node.GetName() for node in case_nodes(case)] == names[name]
        assert_whole(case, name)
    remove_case(reopened.scene.GetFirstNodeByName("A"))
    assert_whole(reopened.scene.GetFirstNodeByName("Bee"), "Bee")
    assert not [node for name in names["A"] if (node := reopened.scene.GetFirstNodeByName(name))]


def test_a_reopened_case_goes_on_in_its_folder(application: Application, tmp_path: Path) -> None:
    fill(application, "A", tmp_path)
    path = saved(application, tmp_path / "saved")
    reopened = Application()
    reopened.scene.SetURL(str(path))
    assert reopened.scene.Connect()
    case = reopened.scene.GetFirstNodeByName("A")
    rename_case(case, "B")
    skull = blob(MATRIX)
    late = show_reconstruction(case, Run("third", skull, skull))
    assert [entry.name for entry in reconstructions(case)] == ["network", "mirror", "third"]
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(reopened.scene)
    folders = {tree.GetItemParent(tree.GetItemByDataNode(node)) for node in case_nodes(case)}
    assert [tree.GetItemName(folder) for folder in folders] == ["B"]
    assert late.segmentation in case_nodes(case)


def test_what_a_file_of_colours_does_not_hold_is_restored(application: Application, tmp_path: Path) -> None:
    fill(application, "A", tmp_path)
    path = saved(application, tmp_path / "saved")
    reopened = Application()
    reopened.scene.SetURL(str(path))
    assert reopened.scene.Connect()
    restore_colours(reopened.scene)
    for scene in (application.scene, reopened.scene):
        table = scene.GetFirstNodeByName("A implant").GetDisplayNode().GetColorNode().GetLookupTable()
        np.testing.assert_allclose(table.GetNanColor()[:3], UNKNOWN)


def test_a_case_added_to_another_scene_keeps_its_links_though_ids_change(
    application: Application, tmp_path: Path
) -> None:
    fill(application, "A", tmp_path)
    path = saved(application, tmp_path / "saved")
    other = Application()
    fill(other, "Bee", tmp_path)
    other.scene.SetURL(str(path))
    assert other.scene.Import()
    for name in ("A", "Bee"):
        assert_whole(other.scene.GetFirstNodeByName(name), name)
