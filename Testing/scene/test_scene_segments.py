"""Segments in and out, on whole grids."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from headless import GEOMETRIES, Application, affine, blob
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import reference
from vtkmodules.vtkFiltersSources import vtkSphereSource

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.scene import segments
from CranialReconstructionLib.scene.segments import (
    make_surfaces,
    mask_from_labelmap,
    mask_from_segment,
    new_segmentation,
    put_segment,
    reference_grid,
    reference_node,
    segment_names,
)
from CranialReconstructionLib.scene.volumes import grid_of, node_from_volume

BONE = (0.9, 0.9, 0.7)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("above", [None, affine((20, 0, 40), origin=(30, -10, 4))], ids=["plain", "transformed"])
def test_a_mask_comes_back_voxel_for_voxel(application: Application, geometry: str, above: np.ndarray | None) -> None:
    mask = blob(GEOMETRIES[geometry])
    segmentation = new_segmentation(application.scene, "skull", grid=mask.grid)
    if above is not None:
        segmentation.SetAndObserveTransformNodeID(application.transform(above).GetID())
        mask = blob(above @ GEOMETRIES[geometry])
    identifier = put_segment(segmentation, mask, "Skull", BONE)
    back = mask_from_segment(segmentation, identifier)
    assert back.grid.same_as(mask.grid, 1e-6)
    assert back.voxels.dtype == np.uint8
    np.testing.assert_array_equal(back.voxels, mask.voxels)
    assert segment_names(segmentation) == {identifier: "Skull"}


def test_a_segment_lies_where_its_surface_is(application: Application) -> None:
    mask = blob(GEOMETRIES["left-handed"])
    mask.voxels[:] = 0
    mask.voxels[3:6, 4:8, 5:7] = 1
    segmentation = new_segmentation(application.scene, "skull", grid=mask.grid)
    put_segment(segmentation, mask, "Skull", BONE, "Skull")
    make_surfaces(segmentation)
    bounds = segmentation.GetClosedSurfaceInternalRepresentation("Skull").GetBounds()
    middle = mask.grid.ras_of([[5.5, 5.5, 4.0]])[0]
    np.testing.assert_allclose((np.array(bounds[::2]) + bounds[1::2]) / 2.0, middle, atol=0.1)


def test_replacing_a_segment_leaves_those_it_overlaps(application: Application) -> None:
    mask = blob(GEOMETRIES["oblique"])
    rest = mask.with_voxels(1 - mask.voxels)
    whole = mask.with_voxels(np.ones_like(mask.voxels))
    segmentation = new_segmentation(application.scene, "skull", grid=mask.grid)
    put_segment(segmentation, mask, "Skull", BONE, "Skull")
    put_segment(segmentation, rest, "Defect", BONE, "Defect")
    put_segment(segmentation, whole, "Grown", (1.0, 0.0, 0.0), "Skull")
    assert segment_names(segmentation) == {"Skull": "Grown", "Defect": "Defect"}
    np.testing.assert_array_equal(mask_from_segment(segmentation, "Skull").voxels, whole.voxels)
    np.testing.assert_array_equal(mask_from_segment(segmentation, "Defect").voxels, rest.voxels)
    put_segment(segmentation, mask.with_voxels(np.zeros_like(mask.voxels)), "Skull", BONE, "Skull")
    assert not mask_from_segment(segmentation, "Skull").voxels.any()
    np.testing.assert_array_equal(mask_from_segment(segmentation, "Defect").voxels, rest.voxels)


def test_surfaces_follow_a_replaced_segment(application: Application) -> None:
    mask = blob(affine())
    segmentation = new_segmentation(application.scene, "skull", grid=mask.grid)
    put_segment(segmentation, mask, "Skull", BONE, "Skull")
    make_surfaces(segmentation)
    small = mask.with_voxels(np.zeros_like(mask.voxels))
    small.voxels[3:5, 3:5, 3:5] = 1
    put_segment(segmentation, small, "Skull", BONE, "Skull")
    bounds = segmentation.GetClosedSurfaceInternalRepresentation("Skull").GetBounds()
    assert bounds[1] - bounds[0] < 3.0


def test_the_editors_undo_brings_the_former_content_back(application: Application) -> None:
    mask = blob(affine())
    segmentation = new_segmentation(application.scene, "skull", grid=mask.grid)
    put_segment(segmentation, mask, "Skull", BONE, "Skull")
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(segmentation.GetSegmentation())
    history.SaveState()
    put_segment(segmentation, mask.with_voxels(1 - mask.voxels), "Skull", BONE, "Skull")
    assert history.RestorePreviousState()
    np.testing.assert_array_equal(mask_from_segment(segmentation, "Skull").voxels, mask.voxels)


def test_the_source_volume_gives_the_grid_with_its_transform(application: Application) -> None:
    volume = node_from_volume(application.scene, blob(GEOMETRIES["flipped"]), "ct")
    volume.SetAndObserveTransformNodeID(application.transform(affine((0, 0, 90), origin=(1, 2, 3))).GetID())
    segmentation = new_segmentation(application.scene, "skull", reference_volume=volume)
    assert reference_grid(segmentation).same_as(grid_of(volume), 1e-6)
    assert reference_node(segmentation) is volume
    mask = blob(grid_of(volume).ijk_to_ras, seed=3)
    np.testing.assert_array_equal(
        mask_from_segment(segmentation, put_segment(segmentation, mask, "Skull", BONE)).voxels, mask.voxels
    )


def test_another_lattice_is_met_by_the_nearest_voxel(application: Application) -> None:
    mask = blob(affine())
    segmentation = new_segmentation(application.scene, "skull", grid=mask.grid)
    put_segment(segmentation, mask, "Skull", BONE, "Skull")
    finer = Grid((18, 22, 26), affine(spacing=(0.5, 0.5, 0.5), origin=(-0.25, -0.25, -0.25)))
    seen = mask_from_segment(segmentation, "Skull", finer)
    np.testing.assert_array_equal(seen.voxels, mask.voxels.repeat(2, 0).repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("shift", [(-3, 2, 1), (20, 0, 0)])
def test_a_shifted_window_shows_what_lies_in_it(application: Application, shift: tuple[int, int, int]) -> None:
    mask = blob(GEOMETRIES["oblique"])
    segmentation = new_segmentation(application.scene, "skull", grid=mask.grid)
    put_segment(segmentation, mask, "Skull", BONE, "Skull")
    window = mask.grid.cropped(shift, (6, 6, 6))
    expected = np.zeros((6, 6, 6), np.uint8)
    for place in np.argwhere(mask.voxels):
        inside = place - shift
        if (inside >= 0).all() and (inside < 6).all():
            expected[tuple(inside)] = 1
    np.testing.assert_array_equal(mask_from_segment(segmentation, "Skull", window).voxels, expected)


def test_a_segment_of_surfaces_is_drawn_without_changing_the_node(application: Application) -> None:
    sphere = vtkSphereSource()
    sphere.SetRadius(10.0)
    sphere.SetThetaResolution(60)
    sphere.SetPhiResolution(60)
    sphere.Update()
    segmentation = application.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "from a mesh")
    segmentation.SetSourceRepresentationToClosedSurface()
    identifier = segmentation.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "Ball", BONE)
    grid = Grid((30, 30, 30), affine((10, 0, 20), (1.0, 1.0, 1.0), (-14.5, -14.5, -14.5)))
    drawn = mask_from_segment(segmentation, identifier, grid)
    distance = np.linalg.norm(grid.ras_of(np.argwhere(drawn.voxels)[:, ::-1]), axis=1)
    assert distance.max() < 11.0
    assert drawn.voxels.sum() == pytest.approx(4.0 / 3.0 * np.pi * 1000.0, rel=0.05)
    assert not segmentation.GetSegmentation().ContainsRepresentation("Binary labelmap")
    put_segment(segmentation, drawn, "Ball", BONE, identifier)
    np.testing.assert_array_equal(mask_from_segment(segmentation, identifier, grid).voxels, drawn.voxels)


def test_without_a_source_volume_the_grid_is_that_of_the_segments(application: Application) -> None:
    mask = blob(GEOMETRIES["oblique"])
    segmentation = new_segmentation(application.scene, "skull")
    put_segment(segmentation, mask, "Skull", BONE, "Skull")
    seen = mask_from_segment(segmentation, "Skull")
    assert seen.voxels.sum() == mask.voxels.sum()
    np.testing.assert_array_equal(mask_from_segment(segmentation, "Skull", mask.grid).voxels, mask.voxels)


def test_what_is_not_there_is_refused(application: Application) -> None:
    empty = application.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "empty")
    with pytest.raises(UserError, match="empty: the segment is not there"):
        mask_from_segment(empty, "Skull")
    with pytest.raises(UserError, match="without a source volume"):
        reference_grid(empty)


def test_labels_become_masks(application: Application) -> None:
    labels = blob(GEOMETRIES["oblique"])
    labels.voxels[2] = 5
    node = node_from_volume(application.scene, labels, "labels", label=True)
    np.testing.assert_array_equal(mask_from_labelmap(node).voxels, labels.voxels > 0)
    np.testing.assert_array_equal(mask_from_labelmap(node, 5).voxels, labels.voxels == 5)
    with pytest.raises(UserError, match="no voxel has the label 7"):
        mask_from_labelmap(node, 7)


def test_segments_carry_a_term_that_slicer_knows(application: Application) -> None:
    mask = blob(affine())
    segmentation = new_segmentation(application.scene, "skull", grid=mask.grid)
    segment = segmentation.GetSegmentation().GetSegment(put_segment(segmentation, mask, "Skull", BONE))
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    tag = reference("")
    assert segment.GetTag(segment.GetTerminologyEntryTagName(), tag)
    assert logic.DeserializeTerminologyEntry(str(tag), entry)
    assert entry.GetTypeObject().GetCodeMeaning() == "Skull"


def test_a_large_segment_is_shown_from_coarser_voxels_at_its_place(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = np.indices((60, 60, 60)) - 30.0
    ball = Volume((np.linalg.norm(places, axis=0) < 24.0).astype(np.uint8), affine((10.0, 20.0, 30.0), (0.5, 0.5, 0.5)))
    small = ball.with_voxels((np.linalg.norm(places - 26.0, axis=0) < 3.0).astype(np.uint8))
    node = new_segmentation(application.scene, "Balls", grid=ball.grid)
    big_id = put_segment(node, ball, "Big", (1.0, 0.0, 0.0))
    small_id = put_segment(node, small, "Small", (0.0, 1.0, 0.0))
    monkeypatch.setattr(segments, "LARGE", 50_000)

    make_surfaces(node)

    content = node.GetSegmentation()
    shown = {name: content.GetSegment(name).GetRepresentation("Closed surface") for name in (big_id, small_id)}
    middle = ball.grid.ras_of((30.0, 30.0, 30.0))[0]
    points = vtk_to_numpy(shown[big_id].GetPoints().GetData())
    np.testing.assert_allclose(np.linalg.norm(points - middle, axis=1), 12.0, atol=0.8)
    alone = new_segmentation(application.scene, "Alone", grid=ball.grid)
    alone_id = put_segment(alone, ball, "Big", (1.0, 0.0, 0.0))
    monkeypatch.setattr(segments, "LARGE", 10**9)
    make_surfaces(alone)
    full = alone.GetSegmentation().GetSegment(alone_id).GetRepresentation("Closed surface")
    assert shown[big_id].GetNumberOfPoints() < 0.4 * full.GetNumberOfPoints()
    # A small one beside it keeps its detail.
    near = np.linalg.norm(
        vtk_to_numpy(shown[small_id].GetPoints().GetData()) - ball.grid.ras_of((56.0, 56.0, 56.0))[0], axis=1
    )
    np.testing.assert_allclose(near, 1.5, atol=0.4)
