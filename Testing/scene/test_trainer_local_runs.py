"""Runs as processes of their own: begun, found again, stopped, gone on with, repeated, deleted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from training_runs import STEPS, begin, new_run, preview, report, write_label_cases

import CranialAugmentationTrainerLib
import CranialReconstructionLib
from CranialAugmentationTrainerLib.cli.__main__ import points
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.workflow.launch import Launch, launch, read_launch
from CranialAugmentationTrainerLib.workflow.local_runs import (
    delete_run,
    duplicate_run,
    resume_run,
    start_run,
    stop_run,
)
from CranialAugmentationTrainerLib.workflow.run_order import RunOrder, order_of
from CranialAugmentationTrainerLib.workflow.run_rows import can_train_on
from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch
from CranialReconstructionLib.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = [
    str(Path(library.__file__).parents[1]) for library in (CranialReconstructionLib, CranialAugmentationTrainerLib)
]
PATIENCE = 120.0
WORDS = ("steps=100000", "report=1", "validate=50", "checkpoint=50", "preview=50", "threads=1", "accelerator=cpu")


def until(what: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def reaches(watch: RunWatch, state: str) -> bool:
    watch.poll()
    return watch.run.state == state


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a program that stands for a Python; what was started with it is ended."""
    made = tmp_path / "python"

    def write(body: str) -> Path:
        made.write_text(f"#!/bin/sh\n{body}\n")
        made.chmod(0o755)
        return made

    yield write
    for record in tmp_path.rglob("launch.json"):
        started = read_launch(record.parent)
        if started is not None:
            started.kill()


posix = pytest.mark.skipif(os.name == "nt", reason="the programs are shell scripts")


def order(data: Path, *words: str) -> RunOrder:
    return RunOrder("vae", (data,), "tiny", words)


@posix
def test_a_process_is_seen_as_long_as_it_lives_and_stands_alone(tmp_path: Path, script: Callable[[str], Path]) -> None:
    folder = tmp_path / "run"
    started = start_run(order(tmp_path), folder, script('echo "here I am"; sleep 60 & wait'))
    assert started.is_alive()
    assert read_launch(folder) == started
    # The end of a terminal or of Slicer is none of its business.
    assert os.getsid(started.pid) == started.pid != os.getsid(0)
    assert RunWatch(folder).run.state == "starting"
    until(lambda: started.last_words() == "here I am")
    with pytest.raises(UserError, match="still at work"):
        launch(folder, ["train"], script("exit 0"))
    with pytest.raises(UserError, match="starting"):
        delete_run(folder)
    stop_run(folder)
    until(lambda: not started.is_alive())
    # Its end was heard of: nothing of it is left in the system's table.
    until(lambda: not exists(started.pid))
    assert RunWatch(folder).run.state == "failed"


@posix
def test_a_start_that_fails_says_why_and_can_be_tried_again(tmp_path: Path, script: Callable[[str], Path]) -> None:
    folder = tmp_path / "run"
    start_run(order(tmp_path), folder, script('echo "Traceback"; echo "cranial: no such setting." >&2; exit 2'))
    watch = RunWatch(folder)
    until(lambda: reaches(watch, "failed"))
    assert (watch.run.cause, watch.run.method, watch.run.preset) == ("cranial: no such setting.", "vae", "tiny")
    start_run(order(tmp_path), folder, script("sleep 60"))
    watch.poll()
    assert watch.run.state == "starting"
    run = new_run(folder)
    begin(run)
    with run.held():
        watch.poll()
        assert watch.run.state == "running"


@posix
def test_both_libraries_are_found_where_nothing_is_installed(tmp_path: Path, script: Callable[[str], Path]) -> None:
    started = launch(tmp_path / "run", ["train"], script('echo "$PYTHONPATH $*"'))
    until(lambda: not started.is_alive())
    paths, _, words = started.last_words().partition(" ")
    assert paths.split(os.pathsep)[:2] == [LIBRARIES[1], LIBRARIES[0]]
    assert words == f"-m CranialAugmentationTrainerLib.workflow.recorded {tmp_path / 'run'} train"


def test_a_python_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be started"):
        start_run(order(tmp_path), tmp_path / "run", tmp_path / "no-python")
    with pytest.raises(UserError):
        RunWatch(tmp_path / "run")


@posix
def test_a_run_goes_on_where_it_was(tmp_path: Path, script: Callable[[str], Path]) -> None:
    run = new_run(tmp_path / "run")
    begin(run)
    report(run, 1)
    run.log("stopped", step=1, cause="asked to stop")
    started = resume_run(run.path, [tmp_path], script("sleep 60"))
    assert started.words == ("runs", "resume", str(run.path), "--data", str(tmp_path))
    watch = RunWatch(run.path)
    assert watch.run.state == "starting"
    with pytest.raises(UserError, match="starting"):
        resume_run(run.path)
    begin(run, 1, resumed=True)
    with run.held():
        watch.poll()
        assert (watch.run.state, watch.run.step) == ("running", 1)
        with pytest.raises(UserError, match="running"):
            resume_run(run.path)
        stop_run(run.path)
        assert run.stop_file.exists()
    run.log("done", steps=20)
    with pytest.raises(UserError, match="done"):
        resume_run(run.path)


@posix
def test_a_generator_that_is_done_trains_on(tmp_path: Path, script: Callable[[str], Path]) -> None:
    for method, more in (("vae", True), ("reconstruction", False)):
        run = new_run(tmp_path / method, method)
        begin(run)
        report(run, STEPS)
        assert not can_train_on(RunWatch(run.path).run)
        run.log("done", steps=STEPS)
        assert can_train_on(RunWatch(run.path).run) == more
    # The process that has told of the end is not gone yet.
    launch(tmp_path / "vae", ["train"], script("sleep 0.5"))
    on = resume_run(tmp_path / "vae", python=script("sleep 60"), steps=2 * STEPS)
    assert on.words == ("runs", "resume", str(tmp_path / "vae"), "--steps", str(2 * STEPS))


def test_an_order_names_every_setting_of_a_run(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    table = {
        "method": "ldm-vae",
        "preset": "tiny",
        "settings": {"seed": 3, "network": {"widths": [8, 16], "norm": "group"}, "clip": None},
        "watched": "",
        "split": {"same_person": [["a", "b"]]},
        "autoencoder": str(tmp_path),
    }
    run.create(table, [tmp_path])
    run.split.write_text("{}")
    made = order_of(run.path)
    assert (made.method, made.preset, made.data, made.split, made.autoencoder) == (
        "ldm-vae", "tiny", (tmp_path,), run.split, tmp_path,
    )  # fmt: skip
    assert made.overrides == (
        "settings.seed=3",
        "settings.network.widths=[8, 16]",
        "settings.network.norm=group",
        "settings.clip=null",
        "watched=",
        'split.same_person=[["a", "b"]]',
    )
    run.path.joinpath("run.json").write_text(json.dumps({"configuration": {"stage": "shell"}, "data": []}))
    with pytest.raises(UserError, match="cranial train"):
        order_of(run.path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "gan"}, "no method"),
        ({"preset": "huge"}, "no preset"),
        ({"data": ()}, "no data"),
        ({"data": (Path("nowhere"),)}, "no such folder"),
        ({"overrides": ("steps",)}, "sets nothing"),
    ],
)
def test_an_order_that_cannot_be_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        RunOrder(**{"method": "vae", "data": (tmp_path,), **changes})  # type: ignore[arg-type]


def test_only_what_a_run_left_is_deleted(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    begin(run)
    preview(run, 1)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "head.npy").write_bytes(b"1")
    (run.path / "cache").symlink_to(shared)
    notes = run.path / "notes.txt"
    notes.write_text("mine")
    with run.held(), pytest.raises(UserError, match="running"):
        delete_run(run.path)
    assert run.events.exists()
    assert delete_run(run.path) == (notes,)
    assert (shared / "head.npy").exists()
    for folder in (run.path, tmp_path):
        with pytest.raises(UserError, match="no run"):
            delete_run(folder)
    other = new_run(tmp_path / "other")
    begin(other, host="another-computer")
    with pytest.raises(UserError, match="another computer"):
        delete_run(other.path)
    other.log("done", steps=20)
    assert delete_run(other.path) == ()
    assert not other.path.exists()


def test_the_commands_are_those_of_the_installed_package() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["cranial.commands"]
    own = {name: value for name, value in scripts.items() if value.startswith("CranialAugmentationTrainerLib")}
    assert {point.name: point.value for point in points()} == own


def test_a_real_run_outlives_whoever_began_it(tmp_path: Path) -> None:
    data, folder = write_label_cases(tmp_path / "data", 4), tmp_path / "run"
    # It stands for a Slicer that is killed in the middle.
    code = (
        f"import os, signal, sys; sys.path[:0] = {LIBRARIES}\n"
        "from pathlib import Path\n"
        "from CranialAugmentationTrainerLib.workflow.local_runs import start_run\n"
        "from CranialAugmentationTrainerLib.workflow.run_order import RunOrder\n"
        f"start_run(RunOrder('vae', (Path({str(data)!r}),), 'tiny', {WORDS}), Path({str(folder)!r}))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == -signal.SIGKILL
    watch = RunWatch(folder)
    started = watch_launch(folder)
    try:
        assert watch.run.state == "starting"
        until(lambda: reaches(watch, "running") and len(watch.run.previews) >= 2)
        assert watch.run.seconds_left is not None
        # The panel is closed and opened: the curves are whole.
        again = RunWatch(folder)
        assert again.losses["loss"].steps == list(range(1, again.run.step + 1))
        stop_run(folder)
        until(lambda: reaches(watch, "stopped"))
    finally:
        started.kill()
    assert watch.run.cause == "asked to stop"
    assert RunFolder(folder).checkpoint.is_file()
    assert watch.losses["loss"].steps == list(range(1, watch.run.step + 1))
    assert set(watch.figures) == set(watch.run.figures) != set()
    assert [len(shown.volumes) for shown in watch.run.previews[:2]] == [4, 4]
    until(lambda: not started.is_alive())
    assert "Stopped, with a checkpoint." in started.last_words()
    assert {*WORDS} <= {word.removeprefix("settings.") for word in order_of(folder).overrides}
    with pytest.raises(UserError, match="already"):
        duplicate_run(folder, folder)
    assert delete_run(folder) == ()


def watch_launch(folder: Path) -> Launch:
    started = read_launch(folder)
    assert started is not None
    return started
