"""A run's folder, read while somebody writes it, tells what it tells when it is read at once."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_runs import STEPS, begin, new_run, preview, report

from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.run_state import read_run
from CranialAugmentationTrainerLib.workflow.run_watch import RunsWatch, RunWatch
from CranialReconstructionLib.errors import UserError

SAME = ("method", "preset", "state", "step", "steps", "losses", "figures", "warnings", "left_out", "cause", "host")


def assert_as_read_at_once(watch: RunWatch, run: RunFolder) -> None:
    known = read_run(run.path)
    assert {name: getattr(watch.run, name) for name in SAME} == {name: getattr(known, name) for name in SAME}
    assert watch.run.seconds_a_step == known.seconds_a_step
    if watch.run.state == "running":
        assert watch.run.seconds_left == known.seconds_left


def live(run: RunFolder, seed: int) -> Any:
    """One event after another of a run that is killed and goes on, and ends in one way or another."""
    draw = np.random.default_rng(seed)
    begin(run)
    yield
    for step in range(1, 8):
        report(run, step, loss=float(draw.random()), dice=float(draw.random()))
        yield
        if step % 3 == 0:
            run.log("validated", step=step, validation_dice=float(draw.random()))
            yield
            run.log("warning", step=step, problem=f"{step} of 9 codes are unused")
            run.log("warning", step=step, problem="the cases look alike")
            yield
            run.log("checkpoint", step=step, path="last.ckpt")
            yield
    run.log("left_out", cases=2)
    yield
    begin(run, step=6, resumed=True)
    yield
    report(run, 7, loss=0.5)
    yield
    endings: list[dict[str, Any]] = [
        {"event": "done", "steps": STEPS},
        {"event": "stopped", "step": 7, "cause": "asked to stop"},
        {"event": "failed", "cause": "the loss is nan at step 8"},
    ]
    run.log(**endings[seed % 3])
    yield


@pytest.mark.parametrize("seed", range(3))
def test_a_watched_run_is_at_every_event_what_it_is_when_read_at_once(tmp_path: Path, seed: int) -> None:
    run = new_run(tmp_path / "run")
    watch = RunWatch(run.path)
    assert (watch.run.state, watch.run.step, watch.run.steps) == ("killed", 0, STEPS)
    with run.held():
        for _ in live(run, seed):
            assert watch.poll()
            assert_as_read_at_once(watch, run)
            assert not watch.poll()
    assert_as_read_at_once(RunWatch(run.path), run)
    assert RunWatch(run.path).losses == watch.losses


def test_the_lock_alone_tells_a_running_run_from_a_killed_one(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    begin(run)
    watch = RunWatch(run.path)
    assert watch.run.state == "killed"
    with run.held():
        assert watch.poll()
        assert (watch.run.state, watch.run.under_way) == ("running", True)
        # Those who look do not see one another.
        assert all(RunFolder(run.path).is_held() for _ in range(3))
    assert watch.poll()
    assert watch.run.state == "killed"
    begin(run, host="another-computer")
    watch.poll()
    assert watch.run.state == "elsewhere"


@pytest.mark.parametrize("seed", range(4))
def test_lines_that_come_in_pieces_are_each_read_once(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    source, run = new_run(tmp_path / "source"), new_run(tmp_path / "run")
    for _ in live(source, seed):
        pass
    # A line that a kill tore, in the middle.
    text = source.events.read_bytes().replace(b'{"time"', b'{"time": 1, "eve\n{"time"', 2)
    watch = RunWatch(run.path)
    places = np.unique(np.concatenate([[0, len(text)], draw.integers(0, len(text), 60)]))
    for start, end in pairwise(places):
        with run.events.open("ab") as file:
            file.write(text[start:end])
        watch.poll()
        assert watch.run.step == read_run(run.path).step
    assert watch.losses == RunWatch(source.path).losses
    assert_as_read_at_once(watch, run)


def test_a_file_that_is_cut_or_replaced_is_read_anew(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    begin(run)
    for step in range(1, 6):
        report(run, step)
    whole = run.events.read_bytes()
    watch = RunWatch(run.path)
    run.events.write_bytes(whole[: len(whole) // 2])
    assert watch.poll()
    assert watch.losses["loss"].steps == RunWatch(run.path).losses["loss"].steps
    # Another file, as long as this one and written at the same time, that ends alike.
    facts = run.events.stat()
    other = tmp_path / "other.jsonl"
    other.write_bytes(run.events.read_bytes().replace(b'"loss": 1.0', b'"loss": 3.0'))
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.replace(run.events)
    assert watch.poll()
    assert watch.losses["loss"].values == RunWatch(run.path).losses["loss"].values
    assert watch.losses["loss"].values[0] == 3.0
    run.events.unlink()
    assert watch.poll()
    assert (watch.losses, watch.run.step) == ({}, 0)
    report(run, 9)
    assert watch.poll()
    assert (watch.run.step, watch.losses["loss"].steps) == (9, [9])


def test_another_run_in_the_same_place_is_another_run(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    begin(run)
    report(run, 4)
    watch = RunWatch(run.path)
    shutil.rmtree(run.path)
    assert watch.poll()
    assert (watch.run.state, watch.run.method) == ("gone", "vae")
    new_run(run.path, "wgan-gp")
    assert watch.poll()
    assert (watch.run.method, watch.run.step, watch.losses) == ("wgan-gp", 0, {})


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run(tmp_path / "run")
    watch = RunWatch(run.path)
    seen = []
    with run.held():
        begin(run)
        for step, now in enumerate((2e9, 5.0, 4e9, -3.0), start=1):
            monkeypatch.setattr(time, "time", lambda now=now: now)
            report(run, step)
            os.utime(run.events, (max(now, 0.0), max(now, 0.0)))
            assert watch.poll()
            assert 0.0 <= watch.silence < 60.0
            seen.append((watch.run.step, watch.run.seconds_a_step, watch.run.seconds_left, watch.run.state))
    assert seen == [(step, 0.25, 0.25 * (STEPS - step), "running") for step in range(1, 5)]


def test_a_resumed_run_forgets_the_steps_that_a_kill_took_back(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    begin(run)
    for step in range(1, 6):
        report(run, step, loss=float(step))
        preview(run, step, cases=1)
    begin(run, step=3, resumed=True)
    watch = RunWatch(run.path)
    assert (watch.losses["loss"].steps, watch.losses["loss"].values) == ([1, 2, 3], [1.0, 2.0, 3.0])
    assert [shown.step for shown in watch.run.previews] == [1, 2, 3]
    report(run, 4, loss=40.0)
    watch.poll()
    assert watch.losses["loss"].values == [1.0, 2.0, 3.0, 40.0]
    assert watch.run.step == 4


def test_previews_are_those_on_disk_wherever_the_run_lies_now(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    begin(run)
    for step in (1, 2):
        preview(run, step)
    (run.previews / "step-000001.png").unlink()
    preview(run, 3)
    moved = tmp_path / "elsewhere" / "moved"
    shutil.copytree(run.path, moved)
    shutil.rmtree(run.path)
    found = RunWatch(moved).run.previews
    assert [shown.step for shown in found] == [2, 3]
    assert all(path.is_file() and path.is_relative_to(moved) for shown in found for path in shown.volumes)


STRANGE = [
    b"\xff\xfe\x00" * 1000,
    b'[1, 2]\n"words"\nnull\n{"event": {"a": 1}}\n{"event": ["step"]}\n{"no": 1}\n',
    b'{"event": "step", "step": "seven", "loss": {"a": 1}, "seconds_left": [], "seconds_a_step": true}\n',
    b'{"event": "step", "step": 1e400, "loss": NaN}\n{"event": "started", "step": null, "steps": "all"}\n',
    b'{"event": "step", "step": 1' + b"0" * 400 + b', "loss": 1' + b"0" * 400 + b"}\n",
    b'{"event": "preview", "path": 7, "volumes": 3}\n{"event": "preview", "path": "' + b"x" * 5000 + b'"}\n',
    b'{"event": "warning"}\n{"event": "left_out", "cases": "many"}\n{"event": "begun", "host": 3, "pid": "x"}\n',
    b'{"event": "failed", "cause": null}\n',
    b"[" * 20000,
    b"no end of the line " * 300000,
]


@pytest.mark.parametrize("content", STRANGE, ids=range(len(STRANGE)))
def test_events_of_another_program_hurt_nobody(tmp_path: Path, content: bytes) -> None:
    run = new_run(tmp_path / "run")
    run.events.write_bytes(content)
    watch = RunWatch(run.path)
    for _ in range(3):
        watch.poll()
    begin(run)
    report(run, 2, loss=0.5)
    while watch.poll():
        pass
    assert watch.run.losses == {"loss": 0.5}
    assert watch.losses["loss"].values[-1] == 0.5


def test_a_run_that_could_write_no_more_has_its_last_words(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    begin(run)
    report(run, 3)
    (tmp_path / "output.log").write_text("cranial: last.ckpt: No space left on device. Free some space.\n")
    about = {"words": ["train", "vae"], "pid": 1, "host": socket.gethostname(), "begun": 0}
    (tmp_path / "launch.json").write_text(json.dumps(about))
    assert RunWatch(tmp_path).run.state == "killed"
    (tmp_path / "ending.json").write_text(json.dumps({"code": 2}))
    found = RunWatch(tmp_path).run
    assert (found.state, found.step) == ("failed", 3)
    assert "No space left" in found.cause
    # Gone on with by somebody else, what is known of that end is old.
    begin(run, step=3, resumed=True)
    assert RunWatch(tmp_path).run.state == "killed"


def test_only_folders_of_runs_are_found(tmp_path: Path) -> None:
    for place in ("a", "group/b"):
        begin(new_run(tmp_path / place))
    for place, text in (("c", "{}"), ("d", "not json"), ("e", '{"configuration": 5}')):
        (tmp_path / place).mkdir()
        (tmp_path / place / "run.json").write_text(text)
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "launch.json").write_text(json.dumps({"words": ["generate"], "pid": 1, "host": "x", "begun": 0}))
    watch = RunsWatch([tmp_path, tmp_path / "nowhere"])
    assert [run.folder.relative_to(tmp_path).as_posix() for run in watch.runs] == ["a", "group/b"]
    with pytest.raises(UserError, match="no run"):
        RunWatch(tmp_path / "c")
    report(RunFolder(tmp_path / "group" / "b"), 5)
    assert [run.step for run in watch.poll()] == [5]
    shutil.rmtree(tmp_path / "a")
    new_run(tmp_path / "new")
    watch.rescan()
    assert [run.folder.name for run in watch.runs] == ["b", "new"]


def test_tens_of_runs_cost_next_to_nothing_to_ask(tmp_path: Path) -> None:
    for number in range(30):
        run = new_run(tmp_path / f"{number}")
        begin(run)
        for step in range(1, 200):
            report(run, step)
    watch = RunsWatch([tmp_path])
    begun = time.process_time()
    for _ in range(10):
        assert watch.poll() == ()
    # Twice a second, a fiftieth of a core at most; measured: a four-hundredth.
    assert time.process_time() - begun < 10 * 0.5 / 50
