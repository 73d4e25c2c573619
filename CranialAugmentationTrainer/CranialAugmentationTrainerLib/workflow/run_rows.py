"""Runs as the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from CranialAugmentationTrainerLib.cli.in_words import duration_in_words, number_in_words
from CranialAugmentationTrainerLib.workflow.methods import GENERATORS
from CranialAugmentationTrainerLib.workflow.run_watch import WatchedRun

# Seconds after which a run that trains and says nothing is worth a word.
SILENT = 900.0


@dataclass(frozen=True)
class RunRow:
    """What is told of a run in one row, as texts.

    Attributes:
        run: its folder.
        name: of the folder.
        method: with its preset.
        data: names of the folders that it learns from.
        step: "400 of 1,200"; rate: seconds a step; left: time left; loss: the last one.
        about: more of it, several lines.
    """

    run: Path
    name: str
    method: str
    data: str
    step: str
    rate: str
    left: str
    loss: str
    about: str


def row_of(run: WatchedRun) -> RunRow:
    """The row of a run."""
    return RunRow(
        run.folder,
        run.folder.name,
        f"{run.method} {run.preset}".strip(),
        ", ".join(path.name for path in run.data),
        f"{run.step:,} of {run.steps:,}" if run.steps else "",
        f"{number_in_words(run.seconds_a_step)} s" if run.seconds_a_step is not None else "",
        "" if run.seconds_left is None else duration_in_words(run.seconds_left),
        number_in_words(run.losses.get("loss")),
        _about(run),
    )


def can_train_on(run: WatchedRun) -> bool:
    """Whether a run that has reached its last step may get more of them: a generator's learning rate is constant."""
    return run.state == "done" and 0 < run.steps <= run.step and run.method in GENERATORS


def concerns_of(run: WatchedRun, silence: float) -> list[str]:
    """What is wrong with a run, or may be, in sentences.

    Args:
        silence: seconds since it was last heard of.
    """
    found = [run.cause] if run.cause else []
    if run.state == "killed":
        found.append("Its process has gone without a word: it was killed, or the computer went down. Resume it.")
    if run.state == "elsewhere":
        found.append(f"It is trained by {run.host or 'another computer'}, or was, and has not told of an end.")
    if run.state == "running" and silence > SILENT:
        found.append(f"Nothing has been heard of it for {duration_in_words(silence)}.")
    if run.left_out:
        found.append(f"{run.left_out} cases could not be used; the events tell why.")
    return found + list(run.warnings)


def _about(run: WatchedRun) -> str:
    lines = [str(run.folder), *(str(path) for path in run.data)]
    lines += [f"{name.replace('_', ' ')}: {number_in_words(value)}" for name, value in run.losses.items()]
    lines += [f"{name.replace('_', ' ')}: {number_in_words(value)}" for name, value in run.figures.items()]
    return "\n".join(lines)
