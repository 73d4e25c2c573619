"""Volumes in and out of files, held against independent readers."""

import gzip
import logging
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOImage import vtkNrrdReader

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import READABLE, WRITABLE, read_volume, write_volume
from CranialReconstructionLib.imaging.volume import Volume

SHAPE = (24, 32, 40)
SPACING = (1.1, 0.9, 1.7)


def oblique() -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [10, -25, 40], degrees=True).as_matrix() * SPACING
    # A left-handed grid, as sagittal series have it.
    matrix[:3, 0] *= -1.0
    matrix[:3, 3] = [12.0, -30.0, 7.0]
    return matrix


def some_volume(dtype: type = np.int16, matrix: np.ndarray | None = None) -> Volume:
    low, high = (0, 2) if dtype in (np.uint8, np.bool_) else (-1000 if np.dtype(dtype).kind != "u" else 0, 2000)
    voxels = np.random.default_rng(0).integers(low, high, SHAPE).astype(dtype)
    return Volume(voxels, oblique() if matrix is None else matrix)


def with_itk(volume: Volume, path: Path, compressed: bool = False) -> Path:
    sitk.WriteImage(volume.to_itk(), str(path), compressed)
    return path


def nrrd(path: Path, fields: str, voxels: np.ndarray) -> Path:
    sizes = " ".join(str(n) for n in voxels.shape[::-1])
    header = f"NRRD0004\ntype: {voxels.dtype}\ndimension: {voxels.ndim}\nsizes: {sizes}\n{fields}\n"
    path.write_bytes((header + "encoding: raw\nendian: little\n\n").encode() + voxels.tobytes())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_volume(path)
    assert str(path.parent) in caught.value.where
    assert caught.value.remedy.endswith(".")
    assert "\n" not in str(caught.value)
    return caught.value.problem


@pytest.mark.parametrize("suffix", WRITABLE)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str, dtype: type) -> None:
    volume = some_volume(dtype)
    write_volume(volume, tmp_path / f"v{suffix}")
    again = read_volume(tmp_path / f"v{suffix}")
    assert again.voxels.dtype == dtype
    np.testing.assert_array_equal(again.voxels, volume.voxels)
    assert again.grid.same_as(volume.grid, tolerance=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == [f"v{suffix}"]


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_reads_what_itk_writes(tmp_path: Path, suffix: str, compressed: bool) -> None:
    assert suffix in READABLE
    volume = some_volume()
    again = read_volume(with_itk(volume, tmp_path / f"v{suffix}", compressed))
    np.testing.assert_array_equal(again.voxels, volume.voxels)
    assert again.grid.same_as(volume.grid, tolerance=1e-3)


def test_nibabel_reads_our_nifti(tmp_path: Path) -> None:
    volume = some_volume()
    write_volume(volume, tmp_path / "v.nii.gz")
    image = nibabel.load(tmp_path / "v.nii.gz")
    np.testing.assert_allclose(image.affine, volume.ijk_to_ras, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, volume.voxels)
    assert image.header.get_xyzt_units()[0] == "mm"


def test_vtk_reads_our_nrrd(tmp_path: Path) -> None:
    volume = some_volume(matrix=np.diag([-0.8, -0.9, 1.7, 1.0]))
    write_volume(volume, tmp_path / "v.nrrd")
    reader = vtkNrrdReader()
    reader.SetFileName(str(tmp_path / "v.nrrd"))
    reader.Update()
    image = reader.GetOutput()
    assert image.GetSpacing() == pytest.approx((0.8, 0.9, 1.7))
    np.testing.assert_array_equal(vtk_to_numpy(image.GetPointData().GetScalars()).reshape(SHAPE), volume.voxels)


def test_a_mask_of_booleans_is_written_as_bytes(tmp_path: Path) -> None:
    volume = some_volume(np.bool_)
    for suffix in WRITABLE:
        write_volume(volume, tmp_path / f"v{suffix}")
        assert read_volume(tmp_path / f"v{suffix}").voxels.dtype == np.uint8


def test_a_sheared_nifti_loses_nothing(tmp_path: Path) -> None:
    matrix = oblique()
    matrix[:3, 2] += 0.6 * matrix[:3, 1]
    volume = some_volume(matrix=matrix)
    write_volume(volume, tmp_path / "v.nii.gz")
    assert read_volume(tmp_path / "v.nii.gz").grid.same_as(volume.grid, tolerance=1e-4)


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, np.float64, ">i2"])
def test_wide_and_foreign_types_keep_their_values(tmp_path: Path, dtype: str | type) -> None:
    values = np.random.default_rng(1).integers(0, 70000 if dtype != ">i2" else 3000, SHAPE)
    nibabel.save(nibabel.Nifti1Image(values.T.astype(dtype), oblique(), dtype=dtype), tmp_path / "v.nii.gz")
    again = read_volume(tmp_path / "v.nii.gz")
    np.testing.assert_array_equal(again.voxels, values)
    assert again.voxels.dtype in (np.int32, np.float32, np.int16)


def test_scaled_nifti(tmp_path: Path) -> None:
    stored = np.random.default_rng(2).integers(0, 4000, SHAPE).astype(np.uint16)
    for slope, dtype in ((1.0, np.int16), (0.5, np.float32)):
        image = nibabel.Nifti1Image(stored.T, oblique())
        image.header.set_slope_inter(slope, -1024)
        path = tmp_path / "v.nii.gz"
        # nibabel rescales on saving; the raw voxels and the header are put together by hand.
        image.header["vox_offset"] = 352
        path.write_bytes(gzip.compress(image.header.binaryblock + bytes(4) + stored.tobytes()))
        again = read_volume(path)
        assert again.voxels.dtype == dtype
        np.testing.assert_array_equal(again.voxels, stored * slope - 1024)


def test_units_of_a_nifti(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(some_volume().voxels.T, np.diag([0.001, 0.001, 0.001, 1.0]))
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "v.nii")
    assert read_volume(tmp_path / "v.nii").spacing == pytest.approx((1.0, 1.0, 1.0))


def test_a_single_time_point_is_dropped(tmp_path: Path) -> None:
    volume = some_volume()
    nibabel.save(nibabel.Nifti1Image(volume.voxels.T[..., None], volume.ijk_to_ras), tmp_path / "v.nii")
    nrrd(tmp_path / "v.nrrd", "spacings: 1.1 0.9 1.7 1", volume.voxels[None])
    for path in (tmp_path / "v.nii", tmp_path / "v.nrrd"):
        np.testing.assert_array_equal(read_volume(path).voxels, volume.voxels)


def test_more_than_three_dimensions(tmp_path: Path) -> None:
    series = np.stack([some_volume().voxels] * 2)
    nibabel.save(nibabel.Nifti1Image(series.T, oblique()), tmp_path / "v.nii")
    assert "4 dimensions" in refusal(tmp_path / "v.nii")
    assert "4 dimensions" in refusal(nrrd(tmp_path / "v.nrrd", "spacings: 1 1 1 1", series))
    layers = nrrd(tmp_path / "v.seg.nrrd", "kinds: list domain domain domain", np.moveaxis(series, 0, 3).copy())
    assert "2 values a voxel" in refusal(layers)


def test_fewer_than_three_dimensions(tmp_path: Path) -> None:
    assert "two-dimensional" in refusal(nrrd(tmp_path / "v.nrrd", "spacings: 1 1", some_volume().voxels[0]))
    nibabel.save(nibabel.Nifti1Image(some_volume().voxels[:1].T, oblique()), tmp_path / "v.nii")
    assert "two-dimensional" in refusal(tmp_path / "v.nii")


def test_colours_and_complex_values(tmp_path: Path) -> None:
    colours = sitk.GetImageFromArray(np.zeros((*SHAPE, 3), np.uint8), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "v.nrrd"))
    assert "3 values a voxel" in refusal(tmp_path / "v.nrrd")
    rgb = np.zeros(SHAPE[::-1], [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(rgb, oblique()), tmp_path / "v.nii")
    assert "3 values a voxel" in refusal(tmp_path / "v.nii")
    nibabel.save(nibabel.Nifti1Image(np.zeros(SHAPE[::-1], np.complex64), oblique()), tmp_path / "c.nii")
    assert "complex" in refusal(tmp_path / "c.nii")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("suffix", WRITABLE)
def test_values_that_are_not_numbers(tmp_path: Path, bad: float, suffix: str) -> None:
    volume = some_volume(np.float32)
    volume.voxels[3, 4, 5] = bad
    write_volume(volume, tmp_path / f"v{suffix}")
    assert "not numbers" in refusal(tmp_path / f"v{suffix}")


def test_what_is_not_there_or_not_an_image(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nothing.nrrd")
    for suffix in READABLE:
        path = tmp_path / f"v{suffix}"
        path.touch()
        assert "empty" in refusal(path)
        path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 9)
        assert "PDF" in refusal(path)
        path.write_bytes(b"PK\x03\x04" + bytes(range(256)) * 9)
        assert "not a" in refusal(path) or "damaged" in refusal(path)
    (tmp_path / "v.jpg").write_bytes(b"\xff\xd8\xff")
    assert "not known by its name" in refusal(tmp_path / "v.jpg")
    (tmp_path / "v.dcm").write_bytes(bytes(128) + b"DICM")
    assert "single DICOM file" in refusal(tmp_path / "v.dcm")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", [".nrrd", ".nii", ".nii.gz", ".mha"])
def test_a_file_cut_short(tmp_path: Path, suffix: str, compressed: bool, capfd: pytest.CaptureFixture[str]) -> None:
    path = with_itk(some_volume(), tmp_path / f"v{suffix}", compressed)
    whole = path.read_bytes()
    for length in (len(whole) // 2, len(whole) - 6):
        path.write_bytes(whole[:length])
        assert "cut short" in refusal(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_a_damaged_file(tmp_path: Path, suffix: str) -> None:
    path = with_itk(some_volume(), tmp_path / f"v{suffix}", True)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0x55
    path.write_bytes(bytes(damaged))
    assert "damaged" in refusal(path) or "cut short" in refusal(path)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
def test_a_header_without_its_voxels(tmp_path: Path, suffix: str, compressed: bool) -> None:
    header = with_itk(some_volume(), tmp_path / f"v{suffix}", compressed)
    (data,) = (path for path in tmp_path.iterdir() if path != header)
    data.write_bytes(data.read_bytes()[:-100])
    assert "cut short" in refusal(header)
    data.unlink()
    assert "missing" in refusal(header)


@pytest.mark.parametrize("spacing", ["0", "-1", "nan", "inf", "0.01", "25"])
def test_absurd_spacing(tmp_path: Path, spacing: str) -> None:
    voxels = some_volume().voxels
    assert "spacing" in refusal(nrrd(tmp_path / "v.nrrd", f"spacings: 1 {spacing} 1", voxels))
    meta = tmp_path / "v.mha"
    meta.write_bytes(
        f"ObjectType = Image\nNDims = 3\nElementSpacing = 1 {spacing} 1\nDimSize = 40 32 24\n"
        "ElementType = MET_SHORT\nElementDataFile = LOCAL\n".encode()
        + voxels.tobytes()
    )
    assert "spacing" in refusal(meta)
    image = nibabel.Nifti1Image(voxels.T, None)
    image.header["pixdim"][2] = float(spacing)
    nifti = tmp_path / "v.nii"
    image.header["vox_offset"] = 352
    image.header["magic"] = b"n+1"
    nifti.write_bytes(image.header.binaryblock + bytes(4) + voxels.tobytes())
    assert "spacing" in refusal(nifti)


@pytest.mark.parametrize("word", ["nan", "inf", "0"])
def test_absurd_directions(tmp_path: Path, word: str) -> None:
    fields = f"space: left-posterior-superior\nspace directions: ({word},0,0) (0,1,0) (0,0,1)"
    assert "spacing" in refusal(nrrd(tmp_path / "v.nrrd", fields, some_volume().voxels))


@pytest.mark.parametrize("size", ["a b c", "-1 32 24", "40 0 24", "nan 32 24"])
def test_absurd_size(tmp_path: Path, size: str) -> None:
    path = tmp_path / "v.mha"
    path.write_bytes(
        f"ObjectType = Image\nNDims = 3\nElementSpacing = 1 1 1\nDimSize = {size}\n"
        "ElementType = MET_SHORT\nElementDataFile = LOCAL\n".encode()
        + some_volume().voxels.tobytes()
    )
    assert size in refusal(path)


def test_a_nifti_with_a_flat_affine(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(some_volume().voxels.T, None)
    image.header.set_sform(np.diag([1.0, 0.0, 1.0, 1.0]), code=1)
    image.header["vox_offset"] = 352
    image.header["magic"] = b"n+1"
    path = tmp_path / "v.nii"
    path.write_bytes(image.header.binaryblock + bytes(4) + some_volume().voxels.tobytes())
    assert "spacing" in refusal(path)


@pytest.mark.parametrize("spacing", [0.3, 19.0])
def test_absurd_extent(tmp_path: Path, spacing: float) -> None:
    voxels = np.zeros((30, 30, 120), np.uint8)
    path = nrrd(tmp_path / "v.nrrd", f"spacings: {spacing} {spacing} {spacing}", voxels)
    assert "no head" in refusal(path)


def test_a_missing_spacing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        volume = read_volume(nrrd(tmp_path / "v.nrrd", "content: bare", some_volume().voxels))
    assert volume.spacing == (1.0, 1.0, 1.0)
    assert "no voxel spacing" in caplog.text


def test_a_header_that_asks_for_too_much(tmp_path: Path) -> None:
    path = tmp_path / "v.nrrd"
    path.write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 600000 600000 60000\nspacings: 1 1 1\n"
        b"encoding: raw\nendian: little\n\n0000"
    )
    assert "memory" in refusal(path)


def test_writing_to_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not known by its name"):
        write_volume(some_volume(), tmp_path / "v.png")


def test_writing_makes_the_folder_and_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "v.nrrd"
    write_volume(some_volume(np.uint8), path)
    write_volume(some_volume(np.int16), path)
    assert read_volume(path).voxels.dtype == np.int16


def test_writing_where_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "v.nrrd").mkdir()
    with pytest.raises(UserError, match="it is a folder"):
        write_volume(some_volume(), tmp_path / "v.nrrd")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_volume(some_volume(), tmp_path / "file" / "v.nrrd")


def test_a_device_or_a_pipe_is_left_alone(tmp_path: Path) -> None:
    """Renaming over a device, as root may, would leave the machine without it."""
    os.mkfifo(tmp_path / "pipe.nrrd")
    (tmp_path / "link.nrrd").symlink_to(tmp_path / "pipe.nrrd")
    for name in ("pipe.nrrd", "link.nrrd"):
        with pytest.raises(UserError, match="a device or a pipe"):
            write_volume(some_volume(), tmp_path / name)
    assert (tmp_path / "pipe.nrrd").is_fifo()


def test_writing_to_a_link_replaces_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link.nrrd").symlink_to(tmp_path / "kept" / "v.nrrd")
    write_volume(some_volume(), tmp_path / "link.nrrd")
    assert (tmp_path / "link.nrrd").is_symlink()
    assert read_volume(tmp_path / "kept" / "v.nrrd").grid.same_as(some_volume().grid)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """A disk that is full after ``size`` bytes, as far as the system calls can tell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", WRITABLE)
def test_no_space_leaves_the_former_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    write_volume(some_volume(), path)
    before = path.read_bytes()
    # The last few bytes are the treacherous ones: ITK does not look whether they were written.
    for limit in (2048, len(before) - 5):
        with files_up_to(limit), pytest.raises(UserError, match="cannot be written"):
            write_volume(some_volume(), path)
        assert list(tmp_path.iterdir()) == [path]
        assert path.read_bytes() == before


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sitk, "WriteImage", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_volume(some_volume(), tmp_path / "v.nrrd")
    assert not any(tmp_path.iterdir())
