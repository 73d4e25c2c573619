"""Runs of this computer: begun, gone on with, repeated with changes, stopped, deleted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from CranialAugmentationTrainerLib.training.run_folder import PATIENCE, RunFolder
from CranialAugmentationTrainerLib.training.run_state import ask_to_stop
from CranialAugmentationTrainerLib.workflow.launch import LOG, RECORD, Launch, launch, read_launch
from CranialAugmentationTrainerLib.workflow.recorded import ENDING
from CranialAugmentationTrainerLib.workflow.run_order import RunOrder, order_of
from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch, WatchedRun
from CranialReconstructionLib.errors import UserError

# What a run leaves in its folder; the configuration goes last, so that a run that is half deleted is still one.
_CONTENT = (
    "cache",
    "previews",
    "checkpoints",
    "events.jsonl",
    "shape.safetensors",
    "split.json",
    "stop",
    LOG,
    RECORD,
    ENDING,
    "lock",
    "run.json",
)


def start_run(order: RunOrder, folder: Path, python: Path | None = None) -> Launch:
    """Begin a run in a process of its own; its state follows by a ``RunWatch`` of the folder.

    Args:
        folder: a new one, or one without a run.
        python: with torch; this process's own without it.

    Raises:
        UserError: there is a run already, or it cannot be started.
    """
    if (folder / "run.json").exists():
        raise UserError("there is a run in this folder already", where=str(folder), remedy="Choose another folder.")
    # What a run of this folder's former name has told is not this one's.
    if RunFolder(folder).events.exists():
        raise UserError("events of another run are in this folder", where=str(folder), remedy="Choose another folder.")
    return launch(folder, order.words(folder), python)


def resume_run(folder: Path, data: Sequence[Path] = (), python: Path | None = None, steps: int | None = None) -> Launch:
    """Go on with a run from its last checkpoint, whoever began it.

    Args:
        data: where its data sets lie now; where they were without it.
        steps: its last step from now on, with which a generator's run that is done trains on.

    Raises:
        UserError: it is no run, it is under way, it is done, or it cannot be started.
    """
    run = RunWatch(folder).run
    if run.under_way or (run.state == "done" and steps is None):
        raise UserError(f"the run is {_words_of(run)}", where=str(folder), remedy="There is nothing to go on with.")
    _wait_for_end(folder)
    words = ["runs", "resume", str(folder.absolute())]
    for path in data:
        words += ["--data", str(path.absolute())]
    if steps is not None:
        words += ["--steps", str(steps)]
    begun = sum(event["event"] == "begun" for event in RunFolder(folder).read_events())
    return launch(folder, words, python, begun)


def duplicate_run(folder: Path, into: Path, changes: Sequence[str] = (), python: Path | None = None) -> Launch:
    """Begin a run like that in ``folder``, with its division by skull and with ``changes`` (``key=value``).

    Raises:
        UserError: as of ``order_of`` and ``start_run``.
    """
    order = order_of(folder)
    return start_run(replace(order, overrides=(*order.overrides, *changes)), into, python)


def stop_run(folder: Path) -> None:
    """Ask a run to stop, with a checkpoint; one that is just starting has none, and is ended at once.

    Raises:
        UserError: nobody trains it.
    """
    started = read_launch(folder)
    if started is not None and RunWatch(folder).run.state == "starting":
        started.kill()
    else:
        ask_to_stop(folder)


def delete_run(folder: Path) -> tuple[Path, ...]:
    """Delete a run that nobody trains.

    Only what runs leave in their folders goes; the folder itself goes when nothing else is in it.

    Returns:
        What else is in the folder, and stays.

    Raises:
        UserError: it is no run, it is under way, or the system refuses.
    """
    run = RunWatch(folder).run
    if run.under_way:
        raise UserError(f"the run is {_words_of(run)}", where=str(folder), remedy="Stop it first.")
    try:
        for name in _CONTENT:
            path = folder / name
            # A cache may be a link to one that several runs share.
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        left = tuple(sorted(folder.iterdir()))
        if not left and not folder.is_symlink():
            folder.rmdir()
    except OSError as error:
        raise UserError(
            f"it cannot be deleted ({error.strerror or error})",
            where=str(error.filename or folder),
            remedy="Check the rights on it, and that no program has it open.",
        ) from error
    return left


def _wait_for_end(folder: Path) -> None:
    """A process that has told of the end of its run needs a moment for its own."""
    former, patience = read_launch(folder), time.monotonic() + PATIENCE
    while former is not None and former.is_alive() and time.monotonic() < patience:
        time.sleep(0.05)


def _words_of(run: WatchedRun) -> str:
    return "trained by another computer" if run.state == "elsewhere" else run.state
