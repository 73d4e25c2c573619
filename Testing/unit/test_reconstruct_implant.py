"""``cranial reconstruct --implant``: from a skull with a hole to the implant, in one command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthetic_head import SyntheticHead

from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.implant.mesh_file import read_mesh


def test_reconstruct_makes_the_implant_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, out = SyntheticHead(hole_radius=18.0), tmp_path / "out"
    write_volume(head.skull(head.grid((1.5, 1.5, 1.5))), tmp_path / "skull.nrrd")
    (tmp_path / "design.json").write_text(json.dumps({"material": "PMMA", "gap": 0.7, "number": 6}))
    words = ["reconstruct", str(tmp_path / "skull.nrrd"), "-o", str(out), "--method", "mirror", "--json"]
    words += ["--implant", "--design", str(tmp_path / "design.json"), "--format", "stl", "--force"]
    status = main(words)
    report = json.loads(capsys.readouterr().out)
    (figures,) = report["implant"]["implants"]
    assert status == any(check["verdict"] == "fail" for check in figures["checks"])
    assert report["implant"] == json.loads((out / "implant" / "report.json").read_text())
    assert report["files"]["defect.nrrd"] == sha256_of(out / "defect.nrrd")
    assert report["implant"]["inputs"]["defect (defect.nrrd)"] == report["files"]["defect.nrrd"]
    assert report["implant"]["inputs"]["scan (skull.nrrd)"] == sha256_of(tmp_path / "skull.nrrd")
    assert report["implant"]["defect_found_by"]["name"] == "mirror"
    assert (report["implant"]["design"]["gap"], report["implant"]["design"]["number"]) == (0.7, 6)
    assert read_mesh(out / "implant" / "implant.stl").volume > 0.0
    assert report["implant"]["files"]["implant.stl"] in (out / "implant" / "report.html").read_text()
    assert (out / "implant" / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_healthy_skull_has_no_implant_to_make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = SyntheticHead(hole_radius=0.0)
    write_volume(head.skull(head.grid((3.0, 3.0, 3.0))), tmp_path / "skull.nrrd")
    words = ["reconstruct", str(tmp_path / "skull.nrrd"), "-o", str(tmp_path / "out"), "--method", "mirror"]
    assert main([*words, "--implant"]) == 0
    assert "no implant to make" in capsys.readouterr().out
    assert not (tmp_path / "out" / "implant").exists()


def test_a_wrong_order_is_told_before_the_reconstruction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["reconstruct", str(tmp_path / "gone.nrrd"), "-o", str(tmp_path / "out"), "--design", "gone.json"]
    assert main(words) == 2
    assert "--implant" in capsys.readouterr().err
    assert main([*words, "--implant"]) == 2
    assert "gone.json" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
