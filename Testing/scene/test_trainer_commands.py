"""Commands as processes of their own: how they end is known, also to who comes later."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from CranialAugmentationTrainerLib.workflow.commands import Command, begin, find
from CranialAugmentationTrainerLib.workflow.recorded import PRIORITY
from CranialReconstructionLib.errors import UserError

pytest.importorskip("slicer")

SECONDS = 120.0
posix = pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")


def ended(command: Command) -> Command:
    end = time.monotonic() + SECONDS
    while command.state == "working":
        assert time.monotonic() < end, command.launch.last_words()
        time.sleep(0.05)
    return command


def test_a_command_that_went_well_is_done(tmp_path: Path) -> None:
    command = ended(begin("List", tmp_path / "work", ["runs", "list", str(tmp_path)]))
    assert command.state == "done"
    assert command.folder == tmp_path / "work"


def test_what_the_user_can_mend_is_told_in_the_commands_own_words(tmp_path: Path) -> None:
    command = ended(begin("Statistics", tmp_path / "work", ["set-statistics", str(tmp_path / "nowhere")]))
    assert command.state == "failed"
    problem = command.problem()
    assert "nowhere" in problem.problem
    assert problem.where == str(tmp_path / "work")


def test_words_that_it_does_not_know_make_it_fail(tmp_path: Path) -> None:
    assert ended(begin("Nonsense", tmp_path, ["set-statistics", "--nonsense"])).state == "failed"


def test_one_that_was_killed_has_no_last_word(tmp_path: Path) -> None:
    command = begin("List", tmp_path, ["runs", "list", str(tmp_path)])
    command.launch.kill()
    assert ended(command).state == "killed"
    assert "killed" in command.problem().problem


@posix
def test_one_that_is_interrupted_is_stopped_and_no_failure(tmp_path: Path) -> None:
    waiting = tmp_path / "python"
    waiting.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{_SLOW}' \"$@\"\n")
    waiting.chmod(0o755)
    command = begin("Wait", tmp_path / "work", ["wait"], waiting)
    _until_said(command, "ready")
    # Slicer's own priority, which it lowers by itself, must not be below that of what it waits for.
    assert os.getpriority(os.PRIO_PROCESS, command.launch.pid) == PRIORITY
    command.stop()
    assert ended(command).state == "stopped"


def test_it_is_found_again_by_its_folder_and_name(tmp_path: Path) -> None:
    started = ended(begin("List", tmp_path, ["runs", "list", str(tmp_path)]))
    found = find("List", tmp_path, "runs")
    assert found is not None
    assert found.state == started.state
    assert found.launch == started.launch
    assert find("List", tmp_path, "embed") is None
    assert find("List", tmp_path / "elsewhere", "runs") is None


def test_a_second_one_waits_for_the_first_in_its_folder(tmp_path: Path) -> None:
    first = begin("List", tmp_path, ["runs", "list", str(tmp_path)])
    with pytest.raises(UserError, match="still at work"):
        begin("List", tmp_path, ["runs", "list", str(tmp_path)])
    ended(first)


# A command that waits, in the place of one of ``cranial``.
_SLOW = """
import sys, time
from pathlib import Path
from CranialAugmentationTrainerLib.workflow import recorded
def wait(words, points):
    print("ready", flush=True)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        return 130
recorded.main = wait
recorded.run(Path(sys.argv[3]), sys.argv[4:])
"""


def _until_said(command: Command, words: str) -> None:
    end = time.monotonic() + SECONDS
    while command.launch.last_words() != words:
        assert time.monotonic() < end
        time.sleep(0.05)
