"""Volume nodes: geometry, transforms, files, facts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from headless import GEOMETRIES, Application, affine, blob

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.scene.volumes import (
    describe_volume,
    node_from_volume,
    read_into,
    volume_from_node,
    write_mask,
    write_node,
)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int16, np.float16, np.float32, np.float64])
def test_voxels_and_place_survive_the_way_through_a_node(application: Application, geometry: str, kind: type) -> None:
    volume = blob(GEOMETRIES[geometry])
    volume = volume.with_voxels(volume.voxels.astype(kind))
    back = volume_from_node(node_from_volume(application.scene, volume, "ct"))
    assert back.grid.same_as(volume.grid, 1e-9)
    np.testing.assert_array_equal(back.voxels, volume.voxels)


def test_a_place_is_where_slicer_shows_it(application: Application) -> None:
    volume = blob(GEOMETRIES["oblique"])
    node = node_from_volume(application.scene, volume, "ct")
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in volume.voxels.shape[::-1]])).reshape(3, -1).T
    seen = volume.grid.ras_of(corners)
    np.testing.assert_allclose(bounds[::2], seen.min(axis=0), atol=1e-6)
    np.testing.assert_allclose(bounds[1::2], seen.max(axis=0), atol=1e-6)


def test_a_label_map_is_one(application: Application) -> None:
    node = node_from_volume(application.scene, blob(affine()), "labels", label=True)
    assert node.IsA("vtkMRMLLabelMapVolumeNode")


def test_linear_transforms_above_are_part_of_the_place(application: Application) -> None:
    volume = blob(GEOMETRIES["anisotropic"])
    inner, outer = affine((0, 0, 30), origin=(5, 6, 7)), affine((40, 0, 0), origin=(-80, 0, 1))
    node = node_from_volume(application.scene, volume, "ct")
    transform, above = application.transform(inner), application.transform(outer)
    transform.SetAndObserveTransformNodeID(above.GetID())
    node.SetAndObserveTransformNodeID(transform.GetID())
    np.testing.assert_allclose(volume_from_node(node).ijk_to_ras, outer @ inner @ volume.ijk_to_ras, atol=1e-9)


def test_a_transform_that_bends_is_refused_and_named(application: Application) -> None:
    node = node_from_volume(application.scene, blob(affine()), "ct")
    node.SetAndObserveTransformNodeID(
        application.scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp").GetID()
    )
    with pytest.raises(UserError, match=r"ct: the transform 'warp' above it is not linear.*Harden"):
        volume_from_node(node)


def test_an_empty_node_is_refused(application: Application) -> None:
    with pytest.raises(UserError, match="empty"):
        volume_from_node(application.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing"))


def test_later_edits_of_the_node_do_not_reach_the_volume(application: Application) -> None:
    node = node_from_volume(application.scene, blob(affine()), "ct")
    volume = volume_from_node(node)
    before = volume.voxels.copy()
    node.GetImageData().GetPointData().GetScalars().Fill(7)
    np.testing.assert_array_equal(volume.voxels, before)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_workers_file_holds_the_world(application: Application, geometry: str, tmp_path: Path) -> None:
    volume = blob(GEOMETRIES[geometry])
    node = node_from_volume(application.scene, volume, "ct")
    above = affine((0, 20, 30), origin=(5, 6, 7))
    node.SetAndObserveTransformNodeID(application.transform(above).GetID())
    write_node(node, tmp_path / "ct.nrrd")
    read = Volume.from_itk(sitk.ReadImage(str(tmp_path / "ct.nrrd")))
    np.testing.assert_array_equal(read.voxels, volume.voxels)
    np.testing.assert_allclose(read.ijk_to_ras, above @ volume.ijk_to_ras, atol=1e-5)
    assert b"encoding: raw" in (tmp_path / "ct.nrrd").read_bytes()


def test_a_file_of_another_library_comes_into_the_scene(application: Application, tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.arange(27000, dtype=np.int16).reshape(30, 30, 30))
    image.SetOrigin((10.0, 20.0, 30.0))
    image.SetSpacing((1.0, 2.0, 3.0))
    sitk.WriteImage(image, str(tmp_path / "a.nii"))
    volume = volume_from_node(read_into(application.scene, tmp_path / "a.nii", "a"))
    np.testing.assert_array_equal(volume.voxels, sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.grid.ras_of([1, 0, 0])[0], [-11.0, -20.0, 30.0])


def test_a_disk_that_refuses_leaves_no_file(application: Application, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_mask(blob(affine()), tmp_path / "file" / "mask.nrrd")


def test_facts_name_thick_slices_tilt_and_a_low_image(application: Application) -> None:
    sheared = affine(spacing=(0.5, 0.5, 3.0))
    sheared[1, 2] = 3.0 * np.tan(np.radians(12.0))
    hounsfield = np.linspace(-1000, 2000, 9 * 11 * 13).reshape(9, 11, 13).astype(np.int16)
    facts = describe_volume(node_from_volume(application.scene, Volume(hounsfield, sheared), "ct"))
    assert (facts.shape, facts.is_ct) == ((9, 11, 13), True)
    assert facts.tilt == pytest.approx(12.0, abs=1e-6)
    assert facts.slice_distance == pytest.approx(3.0 / np.cos(np.radians(12.0)))
    assert [
        word for word in ("apart", "tilted by 12.0", "27 mm high") if not any(word in w for w in facts.warnings)
    ] == []


def test_facts_of_a_good_mask_warn_of_nothing(application: Application) -> None:
    mask = Volume(np.ones((100, 4, 4), np.uint8), affine(spacing=(1.0, 1.0, 1.0)))
    mask.voxels[0] = 0
    facts = describe_volume(node_from_volume(application.scene, mask, "mask"))
    assert (facts.is_ct, facts.warnings, facts.tilt) == (False, (), 0.0)
