"""Folders of skulls looked through: layouts, persons, grids, what is broken; nine cases drawn."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_cases import ball_case, write_cases

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.datasets.case_pictures import draw_cases, evenly_chosen
from CranialAugmentationTrainerLib.datasets.data_check import check_folder, shared_names
from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.picture import MISSING
from CranialReconstructionLib.imaging.volume import Volume


def write_mask(path: Path, voxels: np.ndarray, matrix: np.ndarray | None = None) -> None:
    write_volume(Volume(voxels.astype(np.uint8), case_grid(16).ijk_to_ras if matrix is None else matrix), path)


def skullbreak(folder: Path, persons: int = 3) -> Path:
    for kind in ("bilateral", "random_1"):
        for number in range(persons):
            skull, defect = ball_case(number)
            write_mask(folder / "defective_skull" / kind / f"{number:03d}.nrrd", skull)
            write_mask(folder / "implant" / kind / f"{number:03d}.nrrd", defect)
    return folder


def test_the_kinds_of_defects_and_the_persons_are_counted(tmp_path: Path) -> None:
    folder = skullbreak(tmp_path / "set")
    (folder / "implant" / "bilateral" / "001.nrrd").unlink()
    check, data = check_folder(folder)
    assert (check.layout, check.cases, check.pairs, check.whole, check.open) == ("SkullBreak", 5, 5, 0, 0)
    assert (check.persons, dict(check.kinds)) == (3, {"bilateral": 2, "random_1": 3})
    assert [(case.name, case.reason) for case in check.broken] == [("bilateral/001", "the case has no implant")]
    assert check.grids is not None
    assert check.grids.spacing == ((16.0, 16.0, 16.0), (16.0, 16.0, 16.0))
    assert check.grids.shape == ((16, 16, 16), (16, 16, 16))
    assert (dict(check.axes), check.oddities) == (
        {"RAS": 5},
        ("5 cases have voxels longer than 1.5 mm, up to 16.0 mm",),
    )
    assert shared_names([data, data]) == ["000", "001", "002"]
    assert json.loads(json.dumps(check.as_json()))["kinds"] == {"bilateral": 2, "random_1": 3}


def test_each_layout_is_told_by_what_is_there(tmp_path: Path) -> None:
    skull, _ = ball_case(0)
    write_mask(tmp_path / "mug" / "A0001" / "A0001_clear.nrrd", skull)
    write_mask(tmp_path / "mug" / "B0001" / "B0001.nrrd", skull)
    mug, _ = check_folder(tmp_path / "mug")
    assert (mug.layout, mug.pairs, mug.whole, mug.open, mug.persons) == ("MUG500+", 0, 1, 1, 2)
    plain, _ = check_folder(write_cases(tmp_path / "plain", 2))
    assert (plain.layout, plain.pairs) == ("plain", 2)
    (tmp_path / "nothing").mkdir()
    nothing, _ = check_folder(tmp_path / "nothing")
    assert (nothing.cases, nothing.grids, nothing.oddities) == (0, None, ())
    with pytest.raises(UserError, match="no such folder"):
        check_folder(tmp_path / "nowhere")


def test_axes_that_lean_or_run_another_way_are_told(tmp_path: Path) -> None:
    turn = np.radians(10.0)
    leaning, left, usual = np.eye(4), np.diag([-1.0, 1.0, 1.0, 1.0]), np.eye(4)
    leaning[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    for number, matrix in enumerate((leaning, left, usual)):
        write_mask(tmp_path / f"{number}.nrrd", ball_case(0)[0], matrix)
    check, _ = check_folder(tmp_path)
    assert dict(check.axes) == {"RAS": 2, "LAS": 1}
    told = " ".join(check.oddities)
    assert "1 case are oblique, by up to 10 degrees" in told
    assert "1 case of 3 have left-handed axes" in told
    assert "2 different ways" in told


def test_nine_cases_are_chosen_evenly() -> None:
    cases = [SkullCase(f"{number:03d}", "", labels=Path("x")) for number in range(100)]
    chosen = [int(case.name) for case in evenly_chosen(cases)]
    assert (len(chosen), chosen[0], chosen[-1]) == (9, 0, 99)
    assert set(np.diff(chosen)) <= {12, 13}
    assert evenly_chosen(cases[:4]) == cases[:4]
    assert evenly_chosen([]) == []


def test_what_is_missing_is_seen_and_a_damaged_case_does_not_spoil_the_picture(tmp_path: Path) -> None:
    folder = write_cases(tmp_path / "plain", 3)
    _, data = check_folder(folder)
    write_mask(folder / "002" / "skull.nrrd", np.zeros((16, 16, 16)))
    write_mask(folder / "002" / "defect.nrrd", np.zeros((16, 16, 16)))
    seen = []
    broken = draw_cases(data.cases, tmp_path / "cases.png", lambda done, of: seen.append((done, of)))
    assert [case.name for case in broken] == ["002"]
    assert seen[-1] == (3, 3)
    pixels = np.asarray(Image.open(tmp_path / "cases.png")).astype(float)
    like_defect = np.linalg.norm(pixels - MISSING, axis=-1) < 60.0
    rows, columns = (length // parts for length, parts in zip(pixels.shape[:2], (1, 3), strict=True))
    shown = [like_defect[: rows - 40, place * columns : (place + 1) * columns].mean() for place in range(3)]
    assert shown[0] > 0.01
    assert shown[2] == 0.0


def test_the_command_tells_and_writes_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    point = EntryPoint("check-data", "CranialAugmentationTrainerLib.cli.check_data:COMMAND", "cranial.commands")
    folder = skullbreak(tmp_path / "set", 2)
    (folder / "implant" / "bilateral" / "001.nrrd").write_text("no volume")
    words = ["check-data", str(folder), str(write_cases(tmp_path / "plain", 1)), "-o", str(tmp_path / "out")]
    assert main(words, [point]) == 0
    printed = capsys.readouterr().out
    assert "SkullBreak, 3 cases of 2 persons, 3 pairs" in printed
    assert "broken: bilateral/001: its header cannot be read" in printed
    assert "1 names stand in several folders" in printed
    content = json.loads((tmp_path / "out" / "data.json").read_text())
    assert (content["shared_names"], content["picture"], content["damaged"]) == (["000"], "cases.png", [])
    assert main(["check-data", str(tmp_path / "plain"), "-o", str(tmp_path / "out"), "--json"], [point]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "out" / "data.json").read_text())
    assert main(["check-data", str(tmp_path / "nowhere"), "-o", str(tmp_path / "out")], [point]) == 2
