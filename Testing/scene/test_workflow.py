"""The whole way of a case with the real worker, on Slicer's core: what the panel does, without its windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from engine_workers import PRODUCT, engine
from headless import Application
from spherical_skull import SphericalSkull, grid_around
from synthetic_head import SyntheticHead

from CranialReconstructionLib.engine.arguments import SelfTest
from CranialReconstructionLib.engine.faults import Retry
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.mesh_file import read_mesh
from CranialReconstructionLib.scene.case import case_nodes, remove_case
from CranialReconstructionLib.scene.checks import check_rows
from CranialReconstructionLib.scene.results import Run, reconstructions, show_reconstruction
from CranialReconstructionLib.scene.segments import new_segmentation, put_segment
from CranialReconstructionLib.scene.volumes import node_from_volume
from CranialReconstructionLib.workflow.implanting import Ground, preview
from CranialReconstructionLib.workflow.script_actions import ScriptActions
from CranialReconstructionLib.workflow.segment import NodeFiles, Segment
from CranialReconstructionLib.workflow.tasks import State, TaskFailedError, Tasks

HEAD = SyntheticHead()


class Script(ScriptActions):
    """The actions on a scene of the tests' own."""

    def __init__(self, application: Application, tasks: Tasks) -> None:
        self.case = application.case("Case")
        self.tasks = tasks
        self.files = NodeFiles(tasks.folder)

    def worker_tasks(self) -> Tasks:
        return self.tasks

    def worker_files(self) -> NodeFiles:
        return self.files

    def current_case(self) -> Any:
        return self.case


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tasks]:
    with engine(PRODUCT) as client:
        yield Tasks(client, tmp_path_factory.mktemp("worker"))


@pytest.fixture
def script(application: Application, tasks: Tasks) -> Script:
    return Script(application, tasks)


@pytest.fixture
def sphere(application: Application, script: Script) -> Any:
    """A reconstruction of a spherical skull, as a run left it in the scene."""
    skull, hole = SphericalSkull().masks(grid_around((0.0, 0.0, 1.0), 80.0, (1.0, 1.0, 1.0), 64.0))
    return show_reconstruction(script.case, Run("sphere", skull, hole))


def head_node(application: Application, name: str = "Head") -> Any:
    return node_from_volume(application.scene, HEAD.skull(HEAD.grid((1.5, 1.5, 1.5))), name, label=True)


def test_from_a_label_map_to_a_compared_and_limited_reconstruction(application: Application, script: Script) -> None:
    volume = head_node(application)
    skull = script.segment_skull(volume).segment
    assert skull.mask().voxels.sum() == slicer.util.arrayFromVolume(volume).sum()

    by_mirror = script.reconstruct(skull, method="mirror", complete=True)
    by_network = script.reconstruct(skull, device="cpu")

    assert [entry.segmentation for entry in reconstructions(script.case)] == [
        by_mirror.segmentation,
        by_network.segmentation,
    ]
    truth = HEAD.defect(HEAD.grid((1.5, 1.5, 1.5))).voxels.astype(bool)
    found = Segment(by_network.segmentation, by_network.defect_id).mask().voxels.astype(bool)
    assert 2.0 * (truth & found).sum() / (truth.sum() + found.sum()) > 0.7
    assert by_mirror.complete_id is not None
    assert by_network.provenance["model"]["name"] == "vault-unet"

    compared = script.compare(by_mirror, by_network)
    other = Segment(by_mirror.segmentation, by_mirror.defect_id).mask().voxels.astype(bool)
    assert compared.dice == pytest.approx(2.0 * (other & found).sum() / (other.sum() + found.sum()), abs=1e-6)
    assert (compared.first_ml, compared.second_ml) == pytest.approx(
        (other.sum() * 1.5**3 / 1000.0, found.sum() * 1.5**3 / 1000.0), abs=1e-3
    )


def test_a_curve_limits_the_missing_bone_and_moves_its_rim(application: Application, script: Script) -> None:
    skull = script.segment_skull(head_node(application)).segment
    direction = np.array(HEAD.hole_direction) / np.linalg.norm(HEAD.hole_direction)
    curve = circle_on(application.scene, direction, radius=38.0)

    moved = script.reconstruct(skull, curve, move_rim=True, method="mirror")

    grid = HEAD.grid((1.5, 1.5, 1.5))
    truth = HEAD.defect(grid).voxels.astype(bool)
    left = Segment(moved.segmentation, moved.skull_id).mask().voxels.astype(bool)
    whole = skull.mask().voxels.astype(bool)
    # Bone within the curve has been taken away, and counts as missing.
    assert (whole & ~left).sum() > 0.2 * truth.sum()
    found = Segment(moved.segmentation, moved.defect_id).mask().voxels.astype(bool)
    assert found.sum() > truth.sum()

    small = circle_on(application.scene, direction, radius=15.0)
    lost = script.keep_inside(moved, small)
    kept = Segment(moved.segmentation, moved.defect_id).mask().voxels.astype(bool)
    assert 0 < kept.sum() < found.sum()
    assert lost == pytest.approx((found.sum() - kept.sum()) * 1.5**3 / 1000.0)
    assert not (kept & ~found).any()


def circle_on(scene: Any, direction: np.ndarray, radius: float) -> Any:
    """A closed curve on the head's outer table about ``direction``, ``radius`` millimetres wide."""
    curve = scene.AddNewNodeByClass("vtkMRMLMarkupsClosedCurveNode", f"Circle {radius:g}")
    half_axes = np.array(HEAD.half_axes)
    side = np.cross(direction, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    up = np.cross(side, direction)
    at = direction / np.sqrt(((direction / half_axes) ** 2).sum())
    for angle in np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False):
        beside = at + radius * (np.cos(angle) * side + np.sin(angle) * up)
        on_table = beside / np.sqrt(((beside / half_axes) ** 2).sum())
        curve.AddControlPointWorld(*(float(part) for part in on_table))
    return curve


def test_an_implant_is_previewed_made_and_written(script: Script, sphere: Any, tmp_path: Path) -> None:
    ground = Ground(Segment(sphere.segmentation, sphere.skull_id), Segment(sphere.segmentation, sphere.defect_id))
    first = script.tasks.wait(preview(script.tasks, script.files, script.case, ground, Design()))
    again = script.tasks.wait(preview(script.tasks, script.files, script.case, ground, Design(gap=1.5), first.model))
    assert again.model is first.model
    assert again.volume_ml < first.volume_ml
    assert np.linalg.norm(again.axis) == pytest.approx(1.0)

    made = script.make_implant(sphere, {"name": "cap"}, tmp_path / "out", ("stl", "3mf"), report=False)

    assert made.written
    assert made.failed == ()
    assert {path.suffix for path in made.files} == {".stl", ".3mf"}
    mesh = read_mesh(next(path for path in made.files if path.suffix == ".stl"))
    bounds = np.zeros(6)
    made.models[0].GetRASBounds(bounds)
    np.testing.assert_allclose(bounds[::2], mesh.vertices.min(axis=0), atol=0.05)
    np.testing.assert_allclose(bounds[1::2], mesh.vertices.max(axis=0), atol=0.05)
    names = {made.models[0].GetPolyData().GetPointData().GetArrayName(count) for count in range(2)}
    assert names == {"thickness", "gap"}
    rows = check_rows(made.checks)
    assert {row.verdict for row in rows} <= {"pass", "warn"}
    assert any(row.at is not None for row in rows)


def test_a_failing_check_withholds_the_files_and_still_shows_the_implant(
    script: Script, sphere: Any, tmp_path: Path
) -> None:
    made = script.make_implant(
        sphere, {"triangle_budget": 1000, "flange": {}, "perfusion": {}}, tmp_path / "out", report=False
    )
    assert made.failed
    assert not made.written
    assert list((tmp_path / "out").glob("*.stl")) == []
    assert made.models


def test_what_cannot_be_made_is_told_and_the_scene_is_untouched(
    application: Application, script: Script, sphere: Any
) -> None:
    before = application.scene.GetNumberOfNodes()
    with pytest.raises(TaskFailedError, match="axis") as told:
        script.make_implant(sphere, {"axis": [1.0, 0.0, 0.0]})
    assert told.value.failure.remedy
    assert application.scene.GetNumberOfNodes() == before
    with pytest.raises(UserError, match="segment"):
        Segment(sphere.segmentation, "none such")


def test_a_cancelled_task_leaves_the_scene_as_it_was_and_can_be_tried_again(
    application: Application, script: Script, sphere: Any
) -> None:
    ground = Ground(Segment(sphere.segmentation, sphere.skull_id), Segment(sphere.segmentation, sphere.defect_id))
    before = application.scene.GetNumberOfNodes()
    task = preview(script.tasks, script.files, script.case, ground, Design())
    script.tasks.cancel(task)
    with pytest.raises(TaskFailedError) as told:
        script.tasks.wait(task)
    assert told.value.failure.code == "cancelled"
    assert application.scene.GetNumberOfNodes() == before
    assert Retry.AGAIN in task.retries
    assert script.tasks.wait(script.tasks.again(task, Retry.AGAIN)).volume_ml > 0.0


def test_a_fault_in_what_is_done_with_a_result_is_a_failure_and_not_a_crash(script: Script) -> None:
    def broken(result: Any) -> None:
        raise KeyError("nowhere")

    task = script.tasks.begin("Test", SelfTest("cpu"), broken)
    with pytest.raises(TaskFailedError) as told:
        script.tasks.wait(task)
    assert task.state is State.FAILED
    assert told.value.failure.code == "bug"
    assert "nowhere" in told.value.failure.detail


def test_a_segments_file_is_written_anew_only_when_it_has_changed(application: Application, script: Script) -> None:
    mask = HEAD.defect(HEAD.grid((4.0, 4.0, 4.0)))
    node = new_segmentation(application.scene, "Edited", grid=mask.grid)
    segment = Segment(node, put_segment(node, mask, "Defect", (1.0, 0.0, 0.0)))
    first = script.files.path_of(segment)
    assert script.files.path_of(segment) == first
    smaller = mask.with_voxels(np.where(np.arange(mask.voxels.shape[0])[:, None, None] > 20, mask.voxels, 0))
    put_segment(node, smaller, "Defect", (1.0, 0.0, 0.0), segment.segment_id)
    second = script.files.path_of(segment)
    assert second != first
    assert not first.exists()
    node.SetAndObserveTransformNodeID(application.transform(np.diag([1.0, 1.0, 1.0, 1.0])).GetID())
    assert script.files.path_of(segment) != second


def test_two_cases_keep_their_results_apart(application: Application, script: Script, tasks: Tasks) -> None:
    other = Script(application, tasks)
    mine = script.segment_skull(head_node(application, "Mine"))
    theirs = other.segment_skull(head_node(application, "Theirs"))
    assert case_nodes(script.case) == [mine.segment.segmentation]
    remove_case(script.case)
    assert case_nodes(other.case) == [theirs.segment.segmentation]
    assert theirs.segment.mask().voxels.any()
