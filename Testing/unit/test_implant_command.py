"""``cranial implant`` from files to files, on a spherical skull with a round hole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import trimesh
from dicom_scans import empty_dataset
from pydicom.uid import CTImageStorage, generate_uid
from spherical_skull import SphericalSkull, grid_around

from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.imaging.files import read_volume, write_volume
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.mesh_file import read_mesh

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with skull.nrrd and defect.nrrd."""
    folder = tmp_path_factory.mktemp("case")
    skull, defect = SphericalSkull(hole_radius=11.0).masks(grid_around((0.0, 0.0, 1.0), 80.0, (1.0, 1.0, 1.0), 64.0))
    write_volume(skull, folder / "skull.nrrd")
    write_volume(defect, folder / "defect.nrrd")
    return folder


@pytest.fixture(scope="module")
def files(case: Path) -> list[str]:
    return ["--skull", str(case / "skull.nrrd"), "--defect", str(case / "defect.nrrd"), "--no-report"]


@pytest.fixture(scope="module")
def scan(case: Path) -> Path:
    """The skull as a DICOM series, slice by slice."""
    skull, folder = read_volume(case / "skull.nrrd"), case / "ct"
    folder.mkdir()
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    origin = skull.grid.ras_of([[0, 0, 0]])[0] * [-1.0, -1.0, 1.0]
    for k, pixels in enumerate(skull.voxels):
        one = empty_dataset(CTImageStorage)
        one.PatientName, one.PatientID, one.PatientBirthDate = "Doe^Jane", "P7", "19800102"
        one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = study, series, frame
        one.Modality, one.SeriesNumber, one.ImageType = "CT", 3, ["ORIGINAL", "PRIMARY", "AXIAL"]
        one.ImagePositionPatient = [origin[0], origin[1], origin[2] + k]
        one.ImageOrientationPatient = [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0]
        one.PixelSpacing, one.SliceThickness = [1.0, 1.0], 1.0
        one.RescaleSlope, one.RescaleIntercept = 1, -1000
        one.Rows, one.Columns = pixels.shape
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
        one.PixelData = (pixels.astype("<u2") * 2000).tobytes()
        one.save_as(folder / f"{k:03d}", enforce_file_format=True)
    return folder


def figures_of(folder: Path) -> dict:
    """The implant's part of report.json."""
    (figures,) = json.loads((folder / "report.json").read_text())["implants"]
    return figures


def test_an_implant_that_passes_is_written(files: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["implant", *files, "-o", str(out), "--gap", "0.6", "--format", "stl,3mf"]
    assert main(words) == 0
    report = json.loads((out / "report.json").read_text())
    (figures,) = report["implants"]
    assert report["use"] == "Research use only."
    assert {check["verdict"] for check in figures["checks"]} <= {"pass", "warn"}
    assert {"gap", "symmetry", "sharp edges", "volume kept", "printable surface", "file read back"} <= {
        check["name"] for check in figures["checks"]
    }
    assert report["files"] == {name: sha256_of(out / name) for name in ("design.json", "implant.3mf", "implant.stl")}
    assert sha256_of(Path(files[1])) == report["inputs"]["skull (skull.nrrd)"]
    assert abs(figures["gap"]["mean"] - 0.6) < 0.1
    judged = trimesh.load_mesh(out / "implant.stl")
    assert judged.is_watertight
    assert judged.is_winding_consistent
    assert abs(judged.volume / 1000.0 - figures["volume_ml"]) < 0.01
    assert read_mesh(out / "implant.stl").volume > 0.0
    assert json.loads((out / "design.json").read_text())["gap"] == 0.6


def test_the_number_counts_up_and_former_files_go(files: list[str], tmp_path: Path) -> None:
    def made(*more: str) -> tuple[int, set[str]]:
        assert main(["implant", *files, "-o", str(tmp_path), *more]) == 0
        return json.loads((tmp_path / "design.json").read_text())["number"], {file.name for file in tmp_path.iterdir()}

    both = {"design.json", "report.json"}
    assert made("--format", "stl,ply") == (1, {*both, "implant.stl", "implant.ply"})
    (tmp_path / "notes.txt").write_text("mine")
    assert made("--format", "stl") == (1, {*both, "implant.stl", "notes.txt"})
    assert made("--gap", "0.4", "--format", "obj") == (2, {*both, "implant.obj", "notes.txt"})
    saved = ["--design", str(tmp_path / "design.json"), "--format", "stl"]
    assert made(*saved) == (2, {*both, "implant.stl", "notes.txt"})
    assert made(*saved, "--gap", "0.6")[0] == 3


def test_what_has_no_reader_is_read_back_as_stl(files: list[str], tmp_path: Path) -> None:
    assert main(["implant", *files, "-o", str(tmp_path), "--format", "3mf,glb"]) == 0
    assert {file.name for file in tmp_path.iterdir()} == {"design.json", "report.json", "implant.3mf", "implant.glb"}
    assert "file read back" in {check["name"] for check in figures_of(tmp_path)["checks"]}


def test_a_failing_check_writes_nothing_unless_forced(files: list[str], tmp_path: Path) -> None:
    design = tmp_path / "design.json"
    # The walls of so many holes need more triangles than the whole implant may have.
    holes = {"diameter": 2.0, "pitch": 5.0, "margin": 2.0}
    design.write_text(json.dumps({"triangle_budget": 1000, "perfusion": holes}))
    words = ["implant", *files, "--design", str(design), "--format", "stl"]
    assert main([*words, "-o", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()
    assert main([*words, "-o", str(tmp_path / "out"), "--force"]) == 1
    assert json.loads((tmp_path / "out" / "report.json").read_text())["forced"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--gap", "9"], "gap"),
        (["--axis", "1,2"], "3 numbers"),
        (["--holes", "two"], "2 numbers"),
        (["--format", "doc"], "doc"),
        (["--material", "wood"], "wood"),
    ],
)
def test_what_cannot_be_is_told(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert main(["implant", *files, "-o", str(tmp_path / "out"), *more]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in told
    assert not (tmp_path / "out").exists()


def test_a_saved_design_asks_for_its_host_bone(files: list[str], tmp_path: Path) -> None:
    design = tmp_path / "design.json"
    design.write_text(json.dumps({"host_model": True, "triangle_budget": 40_000}))
    out = tmp_path / "out"
    assert main(["implant", *files, "-o", str(out), "--design", str(design), "--format", "stl"]) == 0
    assert trimesh.load_mesh(out / "host-bone.stl").is_watertight


def test_dicom_joins_patient_and_study_of_the_source(
    files: list[str], scan: Path, tmp_path: Path, capsys: Captured
) -> None:
    words = ["implant", *files, "-o", str(tmp_path), "--format", "dicom-stl,dicom-seg", "--source", str(scan)]
    assert main([*words, "--patient"]) == 0
    first = pydicom.dcmread(next(scan.iterdir()))
    for name in ("implant.dcm", "defect.dcm"):
        written = pydicom.dcmread(tmp_path / name)
        assert (str(written.PatientName), written.StudyInstanceUID) == ("Doe^Jane", first.StudyInstanceUID)
    (segment,) = written.SegmentSequence
    # Nothing says how this defect was found.
    assert segment.SegmentAlgorithmType == "MANUAL"
    assert json.loads((tmp_path / "report.json").read_text())["patient"]["Patient ID"] == "P7"
    assert "unnamed" not in capsys.readouterr().err


def test_without_a_source_dicom_is_unnamed_and_says_so(files: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main(["implant", *files, "-o", str(tmp_path), "--format", "dicom-stl"]) == 0
    assert str(pydicom.dcmread(tmp_path / "implant.dcm").PatientName) == ""
    assert "unnamed patient" in capsys.readouterr().err
    assert json.loads((tmp_path / "report.json").read_text())["patient"] == {}


@pytest.fixture
def reconstructed(case: Path, tmp_path: Path) -> Path:
    """A folder as ``cranial reconstruct`` leaves it."""
    folder = tmp_path / "reconstructed"
    folder.mkdir()
    defect = read_volume(case / "defect.nrrd")
    write_volume(defect, folder / "defect.nrrd")
    write_volume(defect.with_voxels(defect.voxels.astype(np.float32)), folder / "confidence.nrrd")
    hashes = {name: sha256_of(folder / name) for name in ("defect.nrrd", "confidence.nrrd")}
    model = {"name": "vault", "version": "0.2", "licence": "any", "sha256": {"coarse": "abc"}}
    report = {"cranial": "1", "method": "network", "model": model, "files": hashes}
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_the_confidence_of_an_unchanged_defect_is_used(
    case: Path, reconstructed: Path, tmp_path: Path, capsys: Captured
) -> None:
    words = ["implant", "--skull", str(case / "skull.nrrd"), "--defect", str(reconstructed / "defect.nrrd")]
    words += ["--no-report", "--format", "stl"]
    assert main([*words, "-o", str(tmp_path / "first")]) == 0
    report = json.loads((tmp_path / "first" / "report.json").read_text())
    assert report["inputs"]["confidence (confidence.nrrd)"] == sha256_of(reconstructed / "confidence.nrrd")
    assert report["inputs"]["model (vault 0.2, coarse)"] == "abc"
    assert report["defect_found_by"]["kind"] == "AUTOMATIC"
    assert "confidence.nrrd" in capsys.readouterr().err
    # Somebody corrects the mask: the confidence knows nothing of it.
    defect = read_volume(reconstructed / "defect.nrrd")
    corrected = defect.voxels.copy()
    corrected[:, :, : corrected.shape[2] // 2] &= np.roll(corrected, 2, axis=2)[:, :, : corrected.shape[2] // 2]
    write_volume(defect.with_voxels(corrected), reconstructed / "defect.nrrd")
    assert main([*words, "-o", str(tmp_path / "second")]) == 0
    report = json.loads((tmp_path / "second" / "report.json").read_text())
    assert report["defect_found_by"]["kind"] == "SEMIAUTOMATIC"
    assert "confidence (confidence.nrrd)" not in report["inputs"]
    assert any("changed since" in warning for warning in report["warnings"])


def spoiled(change: Callable[[Volume, Volume], Volume]) -> Callable[[Path, Path], list[str]]:
    """Words with a defect that is made from skull and defect."""

    def words(case: Path, folder: Path) -> list[str]:
        skull, defect = read_volume(case / "skull.nrrd"), read_volume(case / "defect.nrrd")
        write_volume(change(skull, defect), folder / "spoiled.nrrd")
        return ["--skull", str(case / "skull.nrrd"), "--defect", str(folder / "spoiled.nrrd")]

    return words


def with_files(skull: str, defect: str, *more: str) -> Callable[[Path, Path], list[str]]:
    return lambda case, folder: ["--skull", str(case / skull), "--defect", str(case / defect), *more]


def unwritable(case: Path, folder: Path) -> list[str]:
    (folder / "out").write_text("a file")
    return with_files("skull.nrrd", "defect.nrrd")(case, folder)


@pytest.mark.parametrize(
    ("words", "where", "problem"),
    [
        (spoiled(lambda skull, defect: defect.cropped((0, 0, 0), (90, 90, 90))), "spoiled.nrrd", "different grids"),
        (spoiled(lambda skull, defect: defect.with_voxels(defect.voxels * 0)), "spoiled.nrrd", "is empty"),
        (spoiled(lambda skull, defect: skull), "spoiled.nrrd", "is bone in the skull already"),
        (
            spoiled(lambda skull, defect: defect.with_voxels(np.roll(defect.voxels, -40, axis=0))),
            "spoiled.nrrd",
            "from any bone",
        ),
        (
            spoiled(lambda skull, defect: defect.with_voxels(defect.voxels * np.float32(0.7))),
            "spoiled.nrrd",
            "grey values",
        ),
        (with_files("defect.nrrd", "defect.nrrd"), "defect.nrrd", "does not look like a skull"),
        (with_files("gone.nrrd", "defect.nrrd"), "gone.nrrd", "no such file"),
        (with_files("skull.nrrd", "gone.nrrd"), "gone.nrrd", "no such file"),
        (with_files("skull.nrrd", "defect.nrrd", "--design", "gone.json"), "gone.json", "No such file"),
        (with_files("skull.nrrd", "defect.nrrd", "--format", "dicom-seg"), "dicom-seg", "series is needed"),
        (with_files("skull.nrrd", "defect.nrrd", "--patient"), "the patient in the report", "series is needed"),
        (with_files("skull.nrrd", "defect.nrrd", "--source", "nowhere"), "nowhere", "no such folder"),
        (unwritable, "out", "cannot be written"),
    ],
)
def test_bad_input_is_told_in_one_line(
    case: Path,
    tmp_path: Path,
    capsys: Captured,
    words: Callable[[Path, Path], list[str]],
    where: str,
    problem: str,
) -> None:
    assert main(["implant", *words(case, tmp_path), "-o", str(tmp_path / "out")]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("cranial: ")]
    assert len(told) == 1
    assert where in told[0]
    assert problem in told[0]
    assert not (tmp_path / "out").is_dir()


def test_somebody_elses_design_is_not_written_over(files: list[str], tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "design.json").write_text('{"rooms": 4}')
    assert main(["implant", *files, "-o", str(tmp_path)]) == 2
    assert "rooms" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["design.json"]


def test_help_shows_a_design_that_can_be_used(capsys: Captured) -> None:
    from CranialReconstructionLib.implant.design import parse_design

    with pytest.raises(SystemExit):
        main(["implant", "--help"])
    text = capsys.readouterr().out
    design = parse_design(json.loads(text[text.index("  {\n") : text.index("\n  }") + 4]))
    assert design.holes
    assert design.cuts
