"""Skulls that training and generators make, as surfaces that follow a slider and are kept with the scene."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headless import GEOMETRIES
from trainer_scene import TrainerApplication, reopened
from training_runs import labels_of_ball, new_run, preview
from vtkmodules.util.numpy_support import vtk_to_numpy

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.scene.interpolation import nearest_frame, show_interpolation
from CranialAugmentationTrainerLib.scene.label_surfaces import surfaces_of_masks, surfaces_of_shares
from CranialAugmentationTrainerLib.scene.pair_surfaces import CHANGE, PairFiles, show_pair
from CranialAugmentationTrainerLib.scene.preview_surfaces import previews_of, row_of, show_previews
from CranialAugmentationTrainerLib.scene.sequences import (
    find_frames,
    frame_note,
    frame_values,
    models_of,
    new_frames,
    put_frame,
    remove_frames,
    show_frame,
    show_surfaces,
)
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.scene.case import case_nodes


@pytest.fixture
def application(tmp_path: Path) -> Iterator[TrainerApplication]:
    made = TrainerApplication(tmp_path / "cache-of-the-first")
    yield made
    made.scene.Clear(True)


def triangles(surface: Any) -> tuple[np.ndarray, np.ndarray]:
    """Corners (T, 3, 3) of the triangles, and the normals at the first of each."""
    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(float)
    corners = vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return points[corners], vtk_to_numpy(surface.GetPointData().GetNormals())[corners[:, 0]]


def volume_of(surface: Any) -> float:
    corners, _ = triangles(surface)
    return float(np.einsum("ti,ti->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6.0)


def width(model: Any) -> float:
    bounds = [0.0] * 6
    model.GetRASBounds(bounds)
    return bounds[1] - bounds[0]


def solid_ball(side: int = 40, radius: float = 13.0) -> np.ndarray:
    places = np.stack(np.meshgrid(*3 * [np.arange(side) - (side - 1) / 2], indexing="ij"))
    return np.linalg.norm(places, axis=0) < radius


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_surfaces_lie_where_the_voxels_do_and_face_outwards(geometry: str) -> None:
    ball = solid_ball()
    mask = Volume(ball.astype(np.uint8), GEOMETRIES[geometry])
    content = ball.sum() * mask.grid.voxel_volume
    middle = mask.grid.ras_of(np.full(3, 19.5))[0]
    from_mask = surfaces_of_masks(mask, mask.with_voxels(np.zeros_like(mask.voxels)))
    from_shares = surfaces_of_shares(np.stack([ball, ball]).astype(np.float32), mask.grid)
    assert from_mask["defect"].GetNumberOfPoints() == 0
    for surface in (from_mask["skull"], from_shares["skull"], from_shares["defect"]):
        corners, normals = triangles(surface)
        assert volume_of(surface) == pytest.approx(content, rel=0.06)
        np.testing.assert_allclose(corners.mean((0, 1)), middle, atol=0.1 * max(mask.spacing))
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert np.all(np.einsum("ti,ti->t", across, normals) > 0.0)


def test_surfaces_that_run_out_of_the_grid_are_closed() -> None:
    whole = Volume(np.ones((6, 6, 6), np.uint8), GEOMETRIES["straight"])
    shares = np.ones((2, 6, 6, 6), np.float32)
    for surface in (surfaces_of_masks(whole, whole)["skull"], surfaces_of_shares(shares, whole.grid)["skull"]):
        assert volume_of(surface) == pytest.approx(216.0, rel=0.25)


def test_large_volumes_are_shown_coarser() -> None:
    grid = case_grid(128)
    mask = Volume(np.kron(solid_ball(32, 10.0), np.ones((4, 4, 4))).astype(np.uint8), grid.ijk_to_ras)
    fine, coarse = (surfaces_of_masks(mask, mask, finest=finest)["skull"] for finest in (128, 32))
    assert coarse.GetNumberOfCells() < fine.GetNumberOfCells() / 10
    assert volume_of(coarse) == pytest.approx(volume_of(fine), rel=0.06)
    # Blocks that do not go up into the grid.
    ball = solid_ball(40).astype(np.float32)
    grid = case_grid(40)
    whole, blocks = (surfaces_of_shares(np.stack([ball, ball]), grid, finest)["skull"] for finest in (40, 14))
    assert blocks.GetNumberOfCells() < whole.GetNumberOfCells() / 6
    assert volume_of(blocks) == pytest.approx(volume_of(whole), rel=0.15)
    np.testing.assert_allclose(triangles(blocks)[0].mean((0, 1)), 0.0, atol=1.0)


def test_frames_are_kept_in_order_and_shown_in_place(application: TrainerApplication) -> None:
    trainer = application.trainer()
    browser = new_frames(trainer, "key", "way", "share")
    nodes = len(case_nodes(trainer))
    ball = solid_ball()
    balls = {
        value: surfaces_of_masks(*2 * [Volume(ball.astype(np.uint8), np.diag([value, value, value, 1.0]))])
        for value in (3.0, 1.0, 2.0)
    }
    put_frame(browser, 3.0, balls[3.0], "the last")
    show_frame(browser, 0)
    models = models_of(browser)
    assert set(models) == {"skull", "defect"}
    models["skull"].GetDisplayNode().SetColor(0.1, 0.2, 0.3)
    put_frame(browser, 1.0, balls[1.0])
    put_frame(browser, 2.0, {"skull": balls[1.0]["skull"]})
    put_frame(browser, 2.0, balls[2.0])
    assert frame_values(browser) == [1.0, 2.0, 3.0]
    # What was shown still is.
    assert (browser.GetSelectedItemNumber(), frame_note(browser, 2)) == (2, "the last")
    assert width(models["skull"]) == pytest.approx(3.0 * 26.0, rel=0.05)
    for number in (0, 2, 1, 0):
        show_frame(browser, number)
        for model in models.values():
            assert width(model) == pytest.approx((number + 1.0) * 26.0, rel=0.05)
    show_surfaces(browser, balls[3.0])
    assert width(models["defect"]) == pytest.approx(3.0 * 26.0, rel=0.05)
    # Frames are not changed by what is shown between, nor that by what is shown next.
    kept = volume_of(balls[3.0]["skull"])
    show_frame(browser, 1)
    assert volume_of(balls[3.0]["skull"]) == kept
    show_frame(browser, 0)
    assert width(models["defect"]) == pytest.approx(26.0, rel=0.05)
    assert models_of(browser) == models
    np.testing.assert_allclose(models["skull"].GetDisplayNode().GetColor(), (0.1, 0.2, 0.3))
    assert len(case_nodes(trainer)) == nodes
    assert application.scene.GetNumberOfNodesByClass("vtkMRMLModelNode") == 2
    remove_frames(trainer, browser)
    assert case_nodes(trainer) == []
    assert application.scene.GetNumberOfNodesByClass("vtkMRMLModelDisplayNode") == 0


def test_previews_stand_in_a_row_and_follow_the_training(application: TrainerApplication, tmp_path: Path) -> None:
    trainer, run = application.trainer(), new_run(tmp_path / "run")
    for step in (5, 10):
        browser = show_previews(trainer, "run", "vae", step, preview(run, step, cases=3))
    assert previews_of(trainer, "run") is browser
    assert previews_of(trainer, "another") is None
    assert frame_values(browser) == [5.0, 10.0]
    skull, defect = models_of(browser)["skull"], models_of(browser)["defect"]
    apart = 0.8 * 256.0
    assert width(skull) == pytest.approx(2 * apart + 2 * 75.0, abs=16.0)
    assert skull.GetDisplayNode().GetColor() != defect.GetDisplayNode().GetColor()
    # The largest is the last, on the viewer's right, which is the patient's left.
    corners, _ = triangles(skull.GetMesh())
    middles = corners.mean(1)
    sizes = [np.ptp(middles[np.abs(middles[:, 0] - place) < 90.0, 2]) for place in (apart, 0.0, -apart)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    # The newest is followed, unless an older one is looked at; steps that are gone from disk stay.
    assert browser.GetSelectedItemNumber() == 1
    show_frame(browser, 0)
    (run.previews / "step-000005" / "000.nrrd").unlink()
    show_previews(trainer, "run", "vae", 15, preview(run, 15, cases=3))
    assert (browser.GetSelectedItemNumber(), frame_values(browser)) == (0, [5.0, 10.0, 15.0])
    with pytest.raises(UserError):
        show_previews(trainer, "run", "vae", 20, [tmp_path / "none.nrrd"])
    assert frame_values(browser) == [5.0, 10.0, 15.0]


def test_previews_come_back_with_the_scene_and_go_on(application: TrainerApplication, tmp_path: Path) -> None:
    trainer, run = application.trainer(), new_run(tmp_path / "run")
    for step in (5, 10):
        show_previews(trainer, "run", "vae", step, preview(run, step))
    browser = previews_of(trainer, "run")
    show_frame(browser, 0)
    widths = [width(model) for model in models_of(browser).values()]
    opened, again = reopened(application, tmp_path / "scene")
    found = previews_of(again, "run")
    assert (frame_values(found), found.GetSelectedItemNumber()) == ([5.0, 10.0], 0)
    np.testing.assert_allclose([width(model) for model in models_of(found).values()], widths, rtol=1e-5)
    show_frame(found, 1)
    assert width(models_of(found)["skull"]) > widths[0]
    show_previews(again, "run", "vae", 15, preview(run, 15))
    assert (frame_values(found), found.GetSelectedItemNumber()) == ([5.0, 10.0, 15.0], 2)
    assert opened.scene.GetNumberOfNodesByClass("vtkMRMLModelNode") == 2
    opened.scene.Clear(True)


def test_a_preview_of_four_is_there_within_a_fifth_of_a_second(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    volumes = preview(run, 10, cases=4, side=64)
    begun = time.process_time()
    row = row_of(volumes)
    assert time.process_time() - begun < 0.2
    assert row["skull"].GetNumberOfCells() > 4000


def way(folder: Path, steps: int) -> Path:
    """What ``cranial interpolate`` writes, as far as it is read."""
    told = []
    for number in range(steps):
        volume = f"volumes/{number:03d}.nrrd"
        write_volume(labels_of_ball(16, 50.0 + 10.0 * number), folder / volume)
        concern = "no defect" if number == 1 else ""
        told.append({"share": number / (steps - 1), "volume": volume, "concern": concern, "surfaces": []})
    (folder / "interpolation.json").write_text(json.dumps({"way": "spherical", "steps": told}))
    return folder


def test_a_way_through_a_latent_space_follows_a_slider(application: TrainerApplication, tmp_path: Path) -> None:
    trainer = application.trainer()
    browser = show_interpolation(trainer, way(tmp_path / "way", 4), "from A to B")
    opened, _ = reopened(application, tmp_path / "scene")
    for scene in (application.scene, opened.scene):
        shown = scene.GetFirstNodeByName("from A to B")
        np.testing.assert_allclose(frame_values(shown), [0.0, 1 / 3, 2 / 3, 1.0], atol=1e-5)
        assert frame_note(shown, 1) == "no defect"
        widths = []
        for share in (0.0, 0.3, 0.7, 1.0):
            show_frame(shown, nearest_frame(shown, share))
            widths.append(width(models_of(shown)["skull"]))
        assert widths == sorted(widths)
        assert widths[-1] - widths[0] == pytest.approx(60.0, abs=16.0)
    # Interpolated anew, it takes the same place.
    assert show_interpolation(trainer, way(tmp_path / "way", 4), "again") is browser
    assert find_frames(trainer, f"way {tmp_path / 'way'}") is browser
    with pytest.raises(UserError, match="no way"):
        show_interpolation(trainer, tmp_path, "none")
    opened.scene.Clear(True)


def pair(folder: Path, determinant: np.ndarray | None, side: int = 32) -> PairFiles:
    for number, role in enumerate(("moving", "fixed", "warped")):
        write_volume(labels_of_ball(side, 70.0 + 10.0 * number), folder / f"{role}.nrrd")
    if determinant is not None:
        write_volume(Volume(determinant.astype(np.float32), case_grid(side).ijk_to_ras), folder / "jacobian.nrrd")
    files = [folder / f"{role}.nrrd" for role in ("moving", "fixed", "warped")]
    return PairFiles(*files, None if determinant is None else folder / "jacobian.nrrd")


def test_folding_is_marked_where_it_is(application: TrainerApplication, tmp_path: Path) -> None:
    trainer = application.trainer()
    determinant = np.ones((32, 32, 32))
    # The upper half folds.
    determinant[16:] = -0.5
    found = show_pair(trainer, pair(tmp_path, determinant), "pair", "pair 1")
    assert found.folded == pytest.approx(0.5, abs=0.06)
    warped = found.models["warped"]
    values = vtk_to_numpy(warped.GetMesh().GetPointData().GetArray(CHANGE.scalar))
    heights = vtk_to_numpy(warped.GetMesh().GetPoints().GetData())[:, 2]
    assert values[heights > 10.0].max() < 0.0 < values[heights < -10.0].min()
    display = warped.GetDisplayNode()
    assert (display.GetActiveScalarName(), display.GetScalarVisibility()) == (CHANGE.scalar, 1)
    assert display.GetScalarRange() == (0.0, 2.0)
    assert [width(found.models[role]) for role in found.models] == sorted(width(m) for m in found.models.values())
    nodes = case_nodes(trainer)
    # The next pair takes the place of the former; without a determinant nothing is coloured.
    other = show_pair(trainer, pair(tmp_path / "other", None), "pair", "pair 2")
    assert (other.folded, other.models) == (None, found.models)
    assert case_nodes(trainer) == nodes
    assert not display.GetScalarVisibility()
    coarse = tmp_path / "coarse.nrrd"
    write_volume(Volume(np.ones((16, 16, 16), np.float32), case_grid(16).ijk_to_ras), coarse)
    files = replace(pair(tmp_path / "third", None), determinant=coarse)
    with pytest.raises(UserError, match="another grid"):
        show_pair(trainer, files, "pair", "pair 3")
