"""Implants and missing bone as DICOM, read back by pydicom, trimesh and highdicom."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import trimesh
from dicom_scans import Scan, enhanced

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.dicom import read_dicom_series
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.export.about import About
from CranialReconstructionLib.implant.export.algorithm import Algorithm
from CranialReconstructionLib.implant.export.dicom_seg import write_dicom_seg
from CranialReconstructionLib.implant.export.dicom_source import read_dicom_source
from CranialReconstructionLib.implant.export.dicom_stl import write_dicom_stl
from CranialReconstructionLib.implant.mesh import Mesh

HEIGHTS = np.arange(8) * 3.0
NOTICE = "Research use only"
FRAME = "1.2.3.4"
NETWORK = Algorithm("AUTOMATIC", "vault", "0.2.0", learned=True)
PATIENT = {
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": "Müller^Jörg",
    "PatientBirthDate": "19700102",
    "PatientSex": "M",
    "StudyDate": "20260102",
    "StudyTime": "101112",
    "StudyID": "17",
    "AccessionNumber": "A1",
    "ReferringPhysicianName": "Who^Doctor",
    "FrameOfReferenceUID": FRAME,
    "AcquisitionDate": "20260102",
    "AcquisitionTime": "101010",
}
# DICOM PS3.3: types 1 and 2 of the modules of the Encapsulated STL IOD; the first must have a value.
REQUIRED_VALUES = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality",
    "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "FrameOfReferenceUID",
    "InstanceNumber", "BurnedInAnnotation", "MIMETypeOfEncapsulatedDocument", "EncapsulatedDocument",
    "EncapsulatedDocumentLength", "MeasurementUnitsCodeSequence", "ConceptNameCodeSequence",
)  # fmt: skip
REQUIRED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator", "ContentDate", "ContentTime",
    "AcquisitionDateTime", "DocumentTitle",
)  # fmt: skip


def oblique() -> np.ndarray:
    """A rotation about no axis of the patient's."""
    angle = np.radians(25.0)
    about_x = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    about_z = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return about_x @ about_z


def tetrahedron() -> Mesh:
    """A closed surface of four triangles."""
    vertices = np.array([[10.0, 20.0, 30.0], [13.0, 20.0, 30.0], [10.0, 25.0, 30.0], [10.0, 20.0, 37.0]])
    return Mesh(vertices, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))


def scanned(folder: Path, **changes: Any) -> Volume:
    """A series on the disk, and the volume that is read from it."""
    scan = Scan(HEIGHTS, extra=PATIENT, **changes)
    scan.write(folder)
    return read_dicom_series(folder).volume


def some_defect(volume: Volume) -> Volume:
    """A few voxels that look different from every side; the first and the last slice stay empty."""
    mask = np.zeros(volume.voxels.shape, dtype=np.uint8)
    mask[1:5, 10:20, 5:9] = 1
    mask[2, 40:45, 30:47] = 1
    mask[4, 0, 0] = 1
    return volume.with_voxels(mask)


def test_encapsulated_stl_has_all_that_its_class_requires(tmp_path: Path) -> None:
    scanned(tmp_path / "ct")
    for name, source in (("with.dcm", read_dicom_source(tmp_path / "ct")), ("without.dcm", None)):
        write_dicom_stl(tetrahedron(), tmp_path / name, About(), source)
        file = pydicom.dcmread(tmp_path / name)
        assert file.file_meta.MediaStorageSOPClassUID == file.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.3"
        assert [keyword for keyword in REQUIRED_VALUES if not file.get(keyword)] == []
        assert [keyword for keyword in REQUIRED if keyword not in file] == []
        assert file.MIMETypeOfEncapsulatedDocument == "model/stl"
        assert file.Modality == "M3D"
        assert file.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
        assert NOTICE in file.DocumentTitle
        assert NOTICE in file.SeriesDescription


def test_encapsulated_stl_belongs_to_patient_study_and_frame_of_the_scan(tmp_path: Path) -> None:
    scanned(tmp_path / "ct")
    source = read_dicom_source(tmp_path / "ct")
    write_dicom_stl(tetrahedron(), tmp_path / "implant.dcm", About(number=4), source)
    file, slices = pydicom.dcmread(tmp_path / "implant.dcm"), source.headers
    for keyword in ("PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyID"):
        assert file.get(keyword) == slices[0].get(keyword), keyword
    # The scan's letters are Latin-1, the file's are UTF-8.
    assert str(file.PatientName) == "Müller^Jörg"
    assert file.FrameOfReferenceUID == FRAME
    assert file.AcquisitionDateTime == "20260102101010"
    assert file.InstanceNumber == 4
    assert file.SeriesInstanceUID != slices[0].SeriesInstanceUID
    referenced = {item.ReferencedSOPInstanceUID for item in file.SourceInstanceSequence}
    assert referenced == {one.SOPInstanceUID for one in slices}


def test_without_a_series_the_patient_is_unnamed_and_the_study_new(tmp_path: Path) -> None:
    files = []
    for name in ("one.dcm", "two.dcm"):
        write_dicom_stl(tetrahedron(), tmp_path / name, About())
        files.append(pydicom.dcmread(tmp_path / name))
    assert all(str(file.PatientName) == "" and file.PatientID == "" for file in files)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        assert files[0].get(keyword) != files[1].get(keyword)


@pytest.mark.parametrize("frame", ["LPS", "RAS"])
@pytest.mark.parametrize("triangles", [3, 4])
def test_the_encapsulated_mesh_is_lps_and_even_whatever_was_asked(tmp_path: Path, triangles: int, frame: str) -> None:
    mesh = replace(tetrahedron(), triangles=tetrahedron().triangles[:triangles])
    write_dicom_stl(mesh, tmp_path / "implant.dcm", About(frame=frame))
    file = pydicom.dcmread(tmp_path / "implant.dcm")
    assert len(file.EncapsulatedDocument) % 2 == 0
    stl = file.EncapsulatedDocument[: file.EncapsulatedDocumentLength]
    assert stl.startswith(b"SPACE=LPS")
    seen = trimesh.load_mesh(io.BytesIO(stl), file_type="stl", process=False)
    assert np.allclose(seen.triangles, mesh.corners * [-1.0, -1.0, 1.0])


def geometry(file: Any) -> tuple[np.ndarray, np.ndarray]:
    """LPS places (N, 3) of the voxels of a SEG, frame by frame, and their values (N,): by hand, from the header."""
    shared = file.SharedFunctionalGroupsSequence[0]
    along_i, along_j = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    row, column = (float(length) for length in shared.PixelMeasuresSequence[0].PixelSpacing)
    frames = file.pixel_array.reshape(-1, file.Rows, file.Columns)
    places, values = [], []
    for pixels, group in zip(frames, file.PerFrameFunctionalGroupsSequence, strict=True):
        start = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        j, i = np.indices(pixels.shape)
        places.append((start + i[..., None] * column * along_i + j[..., None] * row * along_j).reshape(-1, 3))
        values.append(pixels.ravel())
    return np.concatenate(places), np.concatenate(values)


def turned_round(axis: int, count: int) -> np.ndarray:
    """From the indices of ``count`` voxels counted from the other end of an axis (of I, J, K) to the usual ones."""
    matrix = np.eye(4)
    matrix[axis, axis], matrix[axis, 3] = -1.0, count - 1.0
    return matrix


@pytest.mark.parametrize("downwards", [False, True])
@pytest.mark.parametrize("turn", [np.eye(3), oblique()], ids=["straight", "oblique"])
def test_seg_lies_where_the_defect_does(tmp_path: Path, turn: np.ndarray, downwards: bool) -> None:
    defect = some_defect(scanned(tmp_path / "ct", turn=turn))
    if downwards:
        defect = Volume(defect.voxels[::-1], defect.ijk_to_ras @ turned_round(2, len(defect.voxels)))
    write_dicom_seg(defect, tmp_path / "defect.dcm", read_dicom_source(tmp_path / "ct"), About(), NETWORK)
    file = pydicom.dcmread(tmp_path / "defect.dcm")
    assert file.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
    places, values = geometry(file)
    seen = places[values > 0] * [-1.0, -1.0, 1.0]
    wanted = defect.grid.ras_of(np.argwhere(defect.voxels)[:, ::-1])
    assert len(seen) == len(wanted) > 0
    assert np.allclose(seen[np.lexsort(seen.T.round(3))], wanted[np.lexsort(wanted.T.round(3))], atol=1e-3)


def test_highdicom_and_itk_read_the_seg_as_it_was_written(tmp_path: Path) -> None:
    defect = some_defect(scanned(tmp_path / "ct", turn=oblique()))
    source = read_dicom_source(tmp_path / "ct")
    write_dicom_seg(defect, tmp_path / "defect.dcm", source, About(number=3), NETWORK)
    seg = highdicom.seg.segread(tmp_path / "defect.dcm")
    ordered = sorted(source.slices, key=lambda one: one.height)
    pixels = seg.get_pixels_by_source_instance(
        [one.instance for one in ordered], segment_numbers=[1], assert_missing_frames_are_empty=True
    )
    assert np.array_equal(pixels[..., 0], defect.voxels)
    assert seg.get_segment_description(1).segment_label == "Missing bone"
    # The four slices that hold bone, without the empty ones at both ends.
    image = sitk.ReadImage(str(tmp_path / "defect.dcm"))
    assert sitk.GetArrayViewFromImage(image).astype(bool).sum() == np.count_nonzero(defect.voxels)
    assert image.GetSize()[:2] == defect.voxels.shape[:0:-1]


def test_seg_belongs_to_patient_study_and_series(tmp_path: Path) -> None:
    defect = some_defect(scanned(tmp_path / "ct"))
    source = read_dicom_source(tmp_path / "ct")
    write_dicom_seg(defect, tmp_path / "defect.dcm", source, About(number=3), NETWORK)
    file, first = pydicom.dcmread(tmp_path / "defect.dcm"), source.headers[0]
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "StudyDate", "StudyID"):
        assert str(file.get(keyword)) == str(first.get(keyword)), keyword
    assert file.FrameOfReferenceUID == FRAME
    assert file.ReferencedSeriesSequence[0].SeriesInstanceUID == first.SeriesInstanceUID
    assert file.InstanceNumber == 3
    assert NOTICE in file.ContentDescription
    assert NOTICE in file.SeriesDescription


def test_seg_of_a_multi_frame_scan(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    scan = enhanced(Scan(HEIGHTS))
    for keyword, value in PATIENT.items():
        setattr(scan, keyword, value)
    scan.save_as(tmp_path / "ct" / "all", enforce_file_format=True)
    defect = some_defect(read_dicom_series(tmp_path / "ct").volume)
    write_dicom_seg(defect, tmp_path / "defect.dcm", read_dicom_source(tmp_path / "ct"), About(), NETWORK)
    places, values = geometry(pydicom.dcmread(tmp_path / "defect.dcm"))
    seen = places[values > 0] * [-1.0, -1.0, 1.0]
    wanted = defect.grid.ras_of(np.argwhere(defect.voxels)[:, ::-1])
    assert np.allclose(seen[np.lexsort(seen.T.round(3))], wanted[np.lexsort(wanted.T.round(3))], atol=1e-3)


def test_seg_on_another_grid_is_refused(tmp_path: Path) -> None:
    volume = scanned(tmp_path / "ct")
    source = read_dicom_source(tmp_path / "ct")
    defect = some_defect(volume)
    shifted = defect.ijk_to_ras.copy()
    shifted[0, 3] += 0.5
    rows_turned = defect.ijk_to_ras @ turned_round(1, defect.voxels.shape[1])
    others = {
        "cropped": defect.cropped((1, 2, 2), (5, 50, 40)),
        "flipped": Volume(defect.voxels[:, ::-1], rows_turned),
        "shifted": Volume(defect.voxels, shifted),
        "tilted": some_defect(scanned(tmp_path / "tilted", tilt=15.0)),
    }
    for name, other in others.items():
        with pytest.raises(UserError, match="slices are not those of the series"):
            write_dicom_seg(other, tmp_path / f"{name}.dcm", source, About(), NETWORK)
    with pytest.raises(UserError, match="straightened"):
        write_dicom_seg(others["tilted"], tmp_path / "t.dcm", read_dicom_source(tmp_path / "tilted"), About(), NETWORK)
    with pytest.raises(UserError, match="no missing bone"):
        write_dicom_seg(volume.with_voxels(np.zeros_like(volume.voxels)), tmp_path / "e.dcm", source, About(), NETWORK)
    assert list(tmp_path.glob("*.dcm")) == []


def test_a_source_is_one_series(tmp_path: Path) -> None:
    scanned(tmp_path / "ct", series="1.2.3.4.5")
    Scan(HEIGHTS, series="1.2.3.4.6", extra=PATIENT).write(tmp_path / "ct", prefix="other")
    # Of several, the one that would be read as a volume.
    chosen = read_dicom_source(tmp_path / "ct").headers[0].SeriesInstanceUID
    assert chosen == read_dicom_series(tmp_path / "ct").series_uid
    with pytest.raises(UserError, match=r"no series 1\.9"):
        read_dicom_source(tmp_path / "ct", "1.9")
    source = read_dicom_source(tmp_path / "ct", "1.2.3.4.6")
    assert len(source.slices) == len(source.headers) == len(HEIGHTS)
    assert {header.SeriesInstanceUID for header in source.headers} == {"1.2.3.4.6"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no DICOM"):
        read_dicom_source(tmp_path / "empty")


@pytest.mark.parametrize(
    ("algorithm", "family"),
    [
        (NETWORK, "Artificial Intelligence"),
        (Algorithm("SEMIAUTOMATIC", "vault", "0.2.0", learned=True), "Artificial Intelligence"),
        (Algorithm("AUTOMATIC", "mirror", "1"), "Mirroring of the other side"),
        (Algorithm(), None),
    ],
)
def test_seg_says_what_found_the_defect(tmp_path: Path, algorithm: Algorithm, family: str | None) -> None:
    defect = some_defect(scanned(tmp_path / "ct"))
    write_dicom_seg(defect, tmp_path / "defect.dcm", read_dicom_source(tmp_path / "ct"), About(), algorithm)
    (segment,) = pydicom.dcmread(tmp_path / "defect.dcm").SegmentSequence
    assert segment.SegmentAlgorithmType == algorithm.kind
    assert segment.get("SegmentAlgorithmName") == (algorithm.name or None)
    stated = segment.get("SegmentationAlgorithmIdentificationSequence")
    if family is None:
        assert not stated
    else:
        assert stated[0].AlgorithmFamilyCodeSequence[0].CodeMeaning == family
        assert (stated[0].AlgorithmName, stated[0].AlgorithmVersion) == (algorithm.name, algorithm.version)


def test_what_is_known_of_the_patient_is_told_when_asked_for(tmp_path: Path) -> None:
    scanned(tmp_path / "ct")
    told = read_dicom_source(tmp_path / "ct").patient()
    assert told["Name"] == "Müller^Jörg"
    assert (told["Patient ID"], told["Birth date"], told["Study date"]) == ("one", "19700102", "20260102")
    assert "Study" not in told
