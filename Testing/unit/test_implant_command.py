"""``cranial implant`` from files to files, on a spherical skull with a round hole."""

import json
from pathlib import Path

import pytest
import trimesh
from spherical_skull import SphericalSkull, grid_around

from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.implant.mesh_file import read_mesh


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("case")
    head = SphericalSkull()
    skull, defect = head.masks(grid_around((0.0, 0.0, 1.0), 80.0, (0.8, 0.8, 0.8), 64.0))
    write_volume(skull, folder / "skull.nrrd")
    write_volume(defect, folder / "defect.nrrd")
    return ["--skull", str(folder / "skull.nrrd"), "--defect", str(folder / "defect.nrrd")]


def test_an_implant_that_passes_is_written(files: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["implant", *files, "-o", str(out), "--gap", "0.6", "--format", "stl,3mf"]
    assert main(words) == 0
    report = json.loads((out / "report.json").read_text())
    (figures,) = report["implants"]
    assert report["use"] == "Research use only."
    assert {check["verdict"] for check in figures["checks"]} <= {"pass", "warn"}
    assert abs(figures["gap"]["mean"] - 0.6) < 0.1
    judged = trimesh.load_mesh(out / "implant.stl")
    assert judged.is_watertight
    assert judged.is_winding_consistent
    assert abs(judged.volume / 1000.0 - figures["volume_ml"]) < 0.01
    assert read_mesh(out / "implant.stl").volume > 0.0
    assert json.loads((out / "design.json").read_text())["gap"] == 0.6
    again = ["implant", *files, "-o", str(tmp_path / "again"), "--design", str(out / "design.json"), "--gap", "0.4"]
    assert main([*again, "--format", "ply"]) == 0
    changed = json.loads((tmp_path / "again" / "design.json").read_text())
    assert (changed["gap"], changed["number"]) == (0.4, 2)


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
