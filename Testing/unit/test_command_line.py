"""``cranial`` as a script calls it: exit status, one line on what is wrong, nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from synthetic_head import SyntheticHead

from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume, write_volume
from CranialReconstructionLib.imaging.result_folder import result_folder
from CranialReconstructionLib.imaging.volume import Volume

CRANIAL = [sys.executable, "-m", "CranialReconstructionLib.cli.main"]
RESULTS = {"defect.nrrd", "confidence.nrrd", "complete.nrrd", "picture.png", "report.json"}
HEAD = SyntheticHead()


@pytest.fixture(scope="module")
def skull_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic skull with a hole on its right, 1.5 mm voxels."""
    path = tmp_path_factory.mktemp("skull") / "skull.nrrd"
    write_volume(HEAD.skull(HEAD.grid((1.5, 1.5, 1.5))), path)
    return path


def refuses(capsys: pytest.CaptureFixture[str], arguments: list[str], *words: str) -> None:
    """The command ends with status 2 and one line on standard error that holds ``words``."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("cranial: ")]
    assert len(lines) == 1
    assert "Traceback" not in captured.err
    assert captured.out == ""
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize("method", ["network", "mirror"])
def test_a_reconstruction_from_end_to_end(
    method: str, skull_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    arguments = ["reconstruct", str(skull_file), "-o", str(folder), "--method", method, "--device", "cpu", "--json"]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert {file.name for file in folder.iterdir()} == RESULTS
    assert report == json.loads((folder / "report.json").read_text())
    assert report["method"] == method
    assert report["defect_found"]
    skull, defect, confidence, complete = (
        read_volume(path)
        for path in (skull_file, *(folder / f"{name}.nrrd" for name in ("defect", "confidence", "complete")))
    )
    for volume in (defect, confidence, complete):
        assert volume.grid.same_as(skull.grid)
    assert defect.voxels.dtype == np.uint8
    assert not (defect.voxels & (skull.voxels > 0)).any()
    np.testing.assert_array_equal(complete.voxels, (skull.voxels > 0) | (defect.voxels > 0))
    assert 0.0 <= confidence.voxels.min() <= confidence.voxels.max() <= 1.0
    truth = HEAD.defect(skull.grid).voxels > 0
    overlap = 2.0 * (truth & (defect.voxels > 0)).sum() / (truth.sum() + (defect.voxels > 0).sum())
    assert overlap > 0.7


def bad_volumes(folder: Path) -> dict[str, Volume]:
    ones = np.ones((60, 80, 70), np.uint8)
    grid = np.diag([2.5, 2.5, 2.5, 1.0])
    ball = np.linalg.norm(np.indices((60, 80, 70)) - np.array([30, 40, 35])[:, None, None, None], axis=0) < 20
    return {
        "empty": Volume(0 * ones, grid),
        "all ones": Volume(ones, grid),
        "not a head": Volume(ball.astype(np.uint8), grid),
        "grey values": Volume(np.random.default_rng(0).integers(0, 200, ones.shape).astype(np.uint8), grid),
    }


@pytest.mark.parametrize("kind", ["empty", "all ones", "not a head", "grey values"])
def test_a_volume_that_is_no_skull_is_refused(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "input.nrrd"
    write_volume(bad_volumes(tmp_path)[kind], path)
    refuses(capsys, ["reconstruct", str(path), "-o", str(tmp_path / "out")], "input.nrrd")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("truncated.nrrd", None), ("really.nrrd", b"%PDF-1.7\n1 0 obj\n"), ("nothing.nrrd", b""), ("odd.xyz", b"1")],
)
def test_a_file_that_is_no_volume_is_refused(
    name: str, content: bytes | None, skull_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(skull_file.read_bytes()[:3000] if content is None else content)
    refuses(capsys, ["reconstruct", str(path), "-o", str(tmp_path / "out")], name)


def test_a_missing_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refuses(capsys, ["reconstruct", str(tmp_path / "gone.nrrd"), "-o", str(tmp_path / "out")], "gone.nrrd")


def test_an_absent_gpu_is_refused(skull_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    arguments = ["reconstruct", str(skull_file), "-o", str(tmp_path / "out"), "--device", "cuda"]
    refuses(capsys, arguments, 'device "cpu"')


def test_an_unknown_model_is_refused(skull_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["reconstruct", str(skull_file), "-o", str(tmp_path / "out"), "--model", "nobody"]
    refuses(capsys, arguments, "nobody")


def test_a_folder_that_cannot_be_made_is_refused(
    skull_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    refuses(capsys, ["reconstruct", str(skull_file), "-o", str(in_the_way / "out")], "-o")
    refuses(capsys, ["reconstruct", str(skull_file), "-o", str(in_the_way)], "it is a file")


def test_a_refused_input_leaves_no_folders(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    assert main(["reconstruct", str(tmp_path / "absent.nrrd"), "-o", str(tmp_path / "old" / "new" / "out")]) == 2
    assert not any((tmp_path / "old").iterdir())


def test_what_the_system_refuses_is_mendable_and_a_bug_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = errno.EACCES

    def refused(path: Path) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr("CranialReconstructionLib.imaging.scan.read_scan", refused)
    command = ["segment-skull", "shut/ct.nrrd", "-o", "skull.nrrd"]
    refuses(capsys, command, "shut/ct.nrrd", "Permission denied")
    number = errno.ENOSPC
    refuses(capsys, command, "No space left")
    number = errno.EBADF
    with pytest.raises(OSError, match="Bad file"):
        main(command)


def test_results_move_in_only_when_all_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "report.json").write_text("old")

    def interrupted() -> None:
        with result_folder(folder) as beside:
            (beside / "report.json").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.name for file in folder.iterdir()] == ["report.json"]
    assert (folder / "report.json").read_text() == "old"


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    def full() -> None:
        with result_folder(tmp_path / "out") as beside:
            (beside / "defect.nrrd").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left"):
        full()
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_read_elsewhere_is_not_blamed_on_the_results(tmp_path: Path) -> None:
    def work() -> None:
        with result_folder(tmp_path / "out"):
            (tmp_path / "absent").read_text()

    with pytest.raises(FileNotFoundError):
        work()
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to another process")
def test_ctrl_c_leaves_nothing_half_written(skull_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    process = subprocess.Popen(
        [*CRANIAL, "reconstruct", str(skull_file), "-o", str(folder), "--method", "mirror"],
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background inherits a SIGINT that is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    while "reconstruct" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert not folder.exists()


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for command in ("segment-skull", "reconstruct", "evaluate", "train-reconstruction", "package-model", "models"):
        assert command in text


def test_a_wrong_option_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["reconstruct"])
    assert ended.value.code == 2
