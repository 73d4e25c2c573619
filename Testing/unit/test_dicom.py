"""DICOM folders made here: an ellipsoid of bone, seen by straight, tilted and uneven stacks of slices."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_scans import AIR, BONE, CENTRE, Scan, ellipsoid, enhanced
from pydicom.uid import RLELossless

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.dicom import read_dicom_series
from CranialReconstructionLib.imaging.files import read_volume, write_volume
from CranialReconstructionLib.imaging.scan import read_scan
from CranialReconstructionLib.imaging.volume import Volume


def truth_on(volume: Volume) -> np.ndarray:
    k, j, i = np.indices(volume.voxels.shape)
    ras = volume.grid.ras_of(np.stack([i.ravel(), j.ravel(), k.ravel()], axis=1))
    return ellipsoid(ras * [-1.0, -1.0, 1.0]).reshape(volume.voxels.shape)


def perpendicular(volume: Volume) -> bool:
    axes = volume.ijk_to_ras[:3, :3] / volume.spacing
    return bool(np.allclose(axes.T @ axes, np.eye(3), atol=1e-6))


def centre_and_volume(volume: Volume) -> tuple[np.ndarray, float]:
    share = (volume.voxels.astype(float) - AIR) / (BONE - AIR)
    share = np.clip(share, 0.0, 1.0)
    k, j, i = np.indices(share.shape)
    ras = volume.grid.ras_of(np.stack([i.ravel(), j.ravel(), k.ravel()], axis=1))
    centre = (ras * share.reshape(-1, 1)).sum(0) / share.sum()
    return centre * [-1, -1, 1], float(share.sum()) * volume.grid.voxel_volume


EVEN = np.arange(-22.0, 22.5, 1.25)


def test_a_straight_series_is_taken_as_it_is(tmp_path: Path) -> None:
    Scan(EVEN).write(tmp_path)
    series = read_dicom_series(tmp_path)
    assert series.warnings == ()
    assert series.slices == len(EVEN) == len(series.volume.voxels)
    assert series.volume.spacing == pytest.approx((1.1, 0.9, 1.25))
    assert series.volume.voxels.dtype == np.int16
    # Stored in steps of 2 HU.
    np.testing.assert_allclose(series.volume.voxels, truth_on(series.volume), atol=2.6)


def test_agrees_with_itk(tmp_path: Path) -> None:
    Scan(EVEN).write(tmp_path)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))
    reference = Volume.from_itk(sitk.ReadImage(names))
    volume = read_volume(tmp_path)
    assert volume.grid.same_as(reference.grid)
    np.testing.assert_array_equal(volume.voxels, reference.voxels)


def test_an_oblique_series(tmp_path: Path) -> None:
    angle = np.radians(15.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    Scan(EVEN, turn=turn).write(tmp_path)
    series = read_dicom_series(tmp_path)
    assert series.tilt_degrees == 0.0
    np.testing.assert_allclose(series.volume.voxels, truth_on(series.volume), atol=2.6)


@pytest.mark.parametrize("tilt", [18.5, -12.0])
def test_a_tilted_gantry_is_straightened(tmp_path: Path, tilt: float) -> None:
    Scan(EVEN, tilt=tilt).write(tmp_path)
    series = read_dicom_series(tmp_path)
    assert series.tilt_degrees == pytest.approx(abs(tilt), abs=0.01)
    assert any(f"tilted by {abs(tilt):.1f} degrees" in warning for warning in series.warnings)
    assert perpendicular(series.volume)
    centre, size = centre_and_volume(series.volume)
    np.testing.assert_allclose(centre, CENTRE, atol=0.02)
    # The soft edge is centred on the surface: a little more than the ellipsoid's own volume.
    straight = tmp_path / "straight"
    Scan(EVEN).write(straight)
    assert size == pytest.approx(centre_and_volume(read_dicom_series(straight).volume)[1], rel=2e-3)
    # A straight-through reading would be wrong by up to 9 mm, the whole 2000 HU of the edge.
    assert np.abs(series.volume.voxels - truth_on(series.volume)).mean() < 4.0
    assert np.abs(series.volume.voxels - truth_on(series.volume)).max() < 200.0


def test_uneven_gaps_are_interpolated(tmp_path: Path) -> None:
    heights = np.concatenate([np.arange(-22.0, 0.0, 1.0), np.arange(0.4, 22.5, 2.0)])
    Scan(heights).write(tmp_path)
    series = read_dicom_series(tmp_path)
    assert series.volume.spacing[2] == pytest.approx(1.0)
    assert any("0.40 to 2.00 mm apart" in warning or "1.00 to 2.00" in warning for warning in series.warnings)
    centre, _ = centre_and_volume(series.volume)
    np.testing.assert_allclose(centre, CENTRE, atol=0.05)
    assert np.abs(series.volume.voxels - truth_on(series.volume)).mean() < 10.0


def test_tilted_and_uneven_together(tmp_path: Path) -> None:
    heights = np.concatenate([np.arange(-22.0, 0.0, 1.3), np.arange(0.5, 23.0, 2.4)])
    Scan(heights, tilt=18.5).write(tmp_path)
    series = read_dicom_series(tmp_path)
    assert perpendicular(series.volume)
    centre, _ = centre_and_volume(series.volume)
    np.testing.assert_allclose(centre, CENTRE, atol=0.08)


def test_rounded_positions_are_even(tmp_path: Path) -> None:
    Scan(np.round(np.arange(-20.0, 20.0, 0.625), 1)).write(tmp_path)
    series = read_dicom_series(tmp_path)
    assert series.warnings == ()
    assert series.volume.spacing[2] == pytest.approx(0.625, abs=2e-3)


def test_files_without_a_preamble_are_read_and_other_files_are_not(tmp_path: Path) -> None:
    Scan(EVEN).write(tmp_path / "whole")
    expected = read_dicom_series(tmp_path / "whole").volume
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file():
            dataset = pydicom.dcmread(path)
            del dataset.file_meta
            dataset.preamble = None
            dataset.save_as(bare / path.name, implicit_vr=True, little_endian=True, enforce_file_format=False)
            assert (bare / path.name).read_bytes()[128:132] != b"DICM"
    (bare / "letter.pdf").write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 20)
    (bare / "notes.txt").write_text("nothing to see here\n" * 50)
    series = read_dicom_series(bare)
    assert series.warnings == ()
    assert np.array_equal(series.volume.voxels, expected.voxels)


def test_missing_slices_are_refused(tmp_path: Path) -> None:
    Scan(EVEN[np.abs(EVEN) > 4.0]).write(tmp_path)
    with pytest.raises(UserError, match=r"slices are missing: a gap of 8\.\d mm where 1\.2 mm are usual"):
        read_dicom_series(tmp_path)


def test_thick_slices_are_warned_about(tmp_path: Path) -> None:
    Scan(EVEN, extra={"SliceThickness": 2.5}).write(tmp_path)
    series = read_dicom_series(tmp_path)
    assert series.slice_thickness == 2.5
    assert any("2.5 mm thick" in warning for warning in series.warnings)


def test_a_command_tells_of_thick_slices_once(tmp_path: Path) -> None:
    Scan(np.arange(-22.0, 22.5, 2.5), extra={"SliceThickness": 2.5}).write(tmp_path / "scan")
    volume, warnings = read_scan(tmp_path / "scan")
    assert sum("2.5 mm" in warning for warning in warnings) == 1
    write_volume(volume, tmp_path / "scan.nrrd")
    assert sum("2.50 mm" in warning for warning in read_scan(tmp_path / "scan.nrrd")[1]) == 1


def test_two_patients_are_refused(tmp_path: Path) -> None:
    Scan(EVEN).write(tmp_path / "a")
    other = Scan(EVEN, patient="two", number=7)
    other.write(tmp_path / "b")
    with pytest.raises(UserError, match="images of 2 patients") as caught:
        read_dicom_series(tmp_path)
    assert "Test" not in str(caught.value)
    assert read_dicom_series(tmp_path, other.series).series_uid == other.series
    # One identifier and two names are two patients as well.
    Scan(EVEN, extra={"PatientName": "Else^Somebody"}).write(tmp_path / "b" / "c")
    with pytest.raises(UserError, match="patients"):
        read_dicom_series(tmp_path / "b")


def test_one_name_in_two_spellings_is_one_patient(tmp_path: Path) -> None:
    Scan(EVEN).write(tmp_path)
    Scan(EVEN[:5], number=3, extra={"PatientName": "ONE TEST"}).write(tmp_path, "x")
    assert read_dicom_series(tmp_path).slices == len(EVEN)


def test_the_axial_original_with_most_slices_is_chosen(tmp_path: Path) -> None:
    head = Scan(EVEN, number=3)
    head.write(tmp_path / "deep" / "down")
    Scan(EVEN[:20], number=1).write(tmp_path, "few")
    localizer = ("ORIGINAL", "PRIMARY", "LOCALIZER")
    Scan(np.arange(-25.0, 25.0), number=4, image_type=localizer).write(tmp_path, "scout")
    derived = ("DERIVED", "SECONDARY", "AXIAL")
    Scan(np.arange(-25.0, 25.0), number=5, image_type=derived).write(tmp_path, "derived")
    coronal = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    Scan(np.arange(-25.0, 25.0), number=6, turn=coronal).write(tmp_path, "coronal")
    Scan(np.arange(-25.0, 25.0), number=7, extra={"Modality": "MR"}).write(tmp_path, "mr")
    Scan(np.arange(-25.0, 25.0), number=8, extra={"SeriesDescription": "3D MIP"}).write(tmp_path, "mip")
    series = read_dicom_series(tmp_path)
    assert series.series_uid == head.series
    (told,) = series.warnings
    assert told.startswith(f"read series 3 'Head' ({len(EVEN)} slices); left out")
    for number in (1, 4, 5, 6, 7, 8):
        assert f"series {number} " in told


def test_a_series_by_number_or_uid(tmp_path: Path) -> None:
    few = Scan(EVEN[:20], number=9)
    few.write(tmp_path, "few")
    Scan(EVEN).write(tmp_path)
    for name in ("9", few.series):
        assert read_dicom_series(tmp_path, name).series_number == "9"
    with pytest.raises(UserError, match="no series 11"):
        read_dicom_series(tmp_path, "11")


def test_two_studies_are_said(tmp_path: Path) -> None:
    Scan(EVEN, extra={"StudyDate": "20200102"}).write(tmp_path / "a")
    Scan(EVEN[:20], study="1.2.4", extra={"StudyDate": "20210304"}).write(tmp_path / "b")
    told = read_dicom_series(tmp_path).warnings
    assert any("2 studies" in warning and "number 1 of 2" in warning for warning in told)
    assert not any("2020" in warning for warning in told)


def test_two_kernels_in_one_series_are_two_stacks(tmp_path: Path) -> None:
    scan = Scan(EVEN, extra={"ConvolutionKernel": "BONE"})
    scan.write(tmp_path, "bone")
    Scan(EVEN[3:], series=scan.series, extra={"ConvolutionKernel": "SOFT"}).write(tmp_path, "soft")
    series = read_dicom_series(tmp_path)
    assert (series.kernel, series.slices) == ("BONE", len(EVEN))
    assert "left out" in series.warnings[0]


def test_mixed_orientations_in_one_series_are_two_stacks(tmp_path: Path) -> None:
    scan = Scan(EVEN)
    scan.write(tmp_path)
    Scan(EVEN[:9], tilt=10.0, series=scan.series).write(tmp_path, "tilted")
    series = read_dicom_series(tmp_path)
    assert (series.slices, series.tilt_degrees) == (len(EVEN), 0.0)


def test_places_that_are_there_twice(tmp_path: Path) -> None:
    scan = Scan(EVEN, extra={"AcquisitionNumber": 1})
    scan.write(tmp_path)
    # The very same files in another folder are no second slices.
    for file in list(tmp_path.iterdir()):
        (tmp_path / "copy").mkdir(exist_ok=True)
        (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
    assert read_dicom_series(tmp_path).slices == len(EVEN)
    Scan(EVEN, series=scan.series, extra={"AcquisitionNumber": 2}).write(tmp_path, "again")
    assert read_dicom_series(tmp_path).slices == len(EVEN)
    Scan(EVEN, series=scan.series, extra={"AcquisitionNumber": 2}).write(tmp_path, "third")
    with pytest.raises(UserError, match="same place"):
        read_dicom_series(tmp_path)


def test_padding_is_air_and_metal_stays(tmp_path: Path) -> None:
    Scan(EVEN, extra={"RescaleSlope": 30, "RescaleIntercept": -3000}).write(tmp_path)
    voxels = read_dicom_series(tmp_path).volume.voxels
    assert voxels.min() == -1024
    assert voxels.max() == 1012 * 30 - 3000


def test_a_missing_rescale_is_said(tmp_path: Path) -> None:
    scan = Scan(EVEN)
    for height in EVEN:
        dataset = scan.header(height)
        del dataset.RescaleSlope
        dataset.save_as(tmp_path / f"{height}.dcm", enforce_file_format=True)
    assert any("rescale" in warning for warning in read_dicom_series(tmp_path).warnings)


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "PixelSpacing"])
def test_slices_without_a_place_are_none(tmp_path: Path, keyword: str) -> None:
    dataset = Scan(EVEN).header(0.0)
    delattr(dataset, keyword)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(UserError, match="no DICOM slices"):
        read_dicom_series(tmp_path)


def test_what_is_no_ct(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UserError, match="no DICOM slices"):
        read_volume(tmp_path)
    Scan(EVEN, extra={"Modality": "MR"}).write(tmp_path)
    with pytest.raises(UserError, match=r"no CT images \(modality MR\)"):
        read_volume(tmp_path)


def test_only_a_localizer(tmp_path: Path) -> None:
    Scan(EVEN, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")).write(tmp_path)
    with pytest.raises(UserError, match="only localizers"):
        read_volume(tmp_path)


def test_an_absurd_spacing(tmp_path: Path) -> None:
    Scan(EVEN, extra={"PixelSpacing": [0.0009, 0.0011]}).write(tmp_path)
    with pytest.raises(UserError, match="voxel spacing"):
        read_dicom_series(tmp_path)


def test_too_few_slices(tmp_path: Path) -> None:
    Scan(EVEN[:2]).write(tmp_path)
    with pytest.raises(UserError, match="2 slices"):
        read_volume(tmp_path)


def test_a_slice_cut_short(tmp_path: Path) -> None:
    Scan(EVEN).write(tmp_path)
    victim = sorted(tmp_path.iterdir())[4]
    victim.write_bytes(victim.read_bytes()[:-500])
    with pytest.raises(UserError, match="damaged, cut short") as caught:
        read_volume(tmp_path)
    assert caught.value.where == str(victim)


@pytest.mark.parametrize(("keyword", "value"), [("ImageOrientationPatient", [0.0] * 6), ("RescaleSlope", 0)])
def test_a_damaged_header_is_counted(tmp_path: Path, keyword: str, value: object) -> None:
    Scan(EVEN).write(tmp_path)
    bad = Scan(EVEN).header(40.0)
    setattr(bad, keyword, value)
    bad.save_as(tmp_path / "bad", enforce_file_format=True)
    series = read_dicom_series(tmp_path)
    assert series.slices == len(EVEN)
    assert any("1 damaged DICOM files were left out (first: bad)" in warning for warning in series.warnings)


def test_an_enhanced_multi_frame_file(tmp_path: Path) -> None:
    enhanced(Scan(EVEN)).save_as(tmp_path / "all.dcm", enforce_file_format=True)
    series = read_dicom_series(tmp_path)
    assert series.slices == len(EVEN)
    np.testing.assert_allclose(series.volume.voxels, truth_on(series.volume), atol=2.6)


@pytest.mark.parametrize("multi_frame", [False, True])
def test_a_compressed_series(tmp_path: Path, multi_frame: bool) -> None:
    scan = Scan(EVEN)
    datasets = [enhanced(scan)] if multi_frame else [scan.header(height) for height in EVEN]
    for place, dataset in enumerate(datasets):
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(tmp_path / f"{place}.dcm", enforce_file_format=True)
    series = read_dicom_series(tmp_path)
    np.testing.assert_allclose(series.volume.voxels, truth_on(series.volume), atol=2.6)


def test_a_compression_without_a_decoder(tmp_path: Path) -> None:
    for height in EVEN:
        dataset = Scan(EVEN, series="1.2.3.4").header(height)
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.HTJ2KLossless
        dataset.PixelData = pydicom.encaps.encapsulate([dataset.PixelData])
        dataset["PixelData"].VR = "OB"
        dataset.save_as(tmp_path / f"{height}.dcm", enforce_file_format=True)
    with pytest.raises(UserError, match="High-Throughput JPEG 2000"):
        read_dicom_series(tmp_path)
