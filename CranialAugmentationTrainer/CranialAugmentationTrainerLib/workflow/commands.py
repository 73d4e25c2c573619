"""Commands of ``cranial`` that work in a folder and end: sets made, spaces drawn, networks compared.

Each is a process of its own, as a run is. What it makes lies in its folder and is read from there, by this Slicer or
by one that is opened later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from CranialAugmentationTrainerLib.workflow.launch import Launch, launch, read_launch
from CranialReconstructionLib.cli.main import INTERRUPTED
from CranialReconstructionLib.errors import UserError

State = Literal["working", "done", "stopped", "failed", "killed"]


@dataclass(frozen=True)
class Command:
    """A command that was started.

    Attributes:
        title: what it does, for a person.
        launch: its process.
    """

    title: str
    launch: Launch

    @property
    def folder(self) -> Path:
        """That it works in."""
        return self.launch.folder

    @property
    def state(self) -> State:
        """Where it stands now; a question to the system. ``stopped``: as asked; ``killed``: it has gone without a
        word."""
        if self.launch.is_alive():
            return "working"
        code = self.launch.exit_code()
        if code is None:
            return "killed"
        return "done" if code == 0 else "stopped" if code == INTERRUPTED else "failed"

    def problem(self) -> UserError:
        """What went wrong, where something did: its own last words."""
        said = "it was killed" if self.state == "killed" else self.launch.last_words().removeprefix("cranial: ")
        return UserError(
            f"{self.title}: {said or 'it failed without a word'}",
            where=str(self.folder),
            remedy="All that it said is in output.log there.",
        )

    def stop(self) -> None:
        """Ask it to end; what it has finished stays, and the same command goes on from there."""
        self.launch.interrupt()


def begin(title: str, folder: Path, words: Sequence[str], python: Path | None = None) -> Command:
    """Start a command and return at once.

    Args:
        title: for a person.
        folder: that it works in; it is made.
        words: of the command line, without ``cranial``; paths in them must be absolute.
        python: with the packages that it needs; this process's own without it.

    Raises:
        UserError: as of ``launch``.
    """
    return Command(title, launch(folder, words, python))


def find(title: str, folder: Path, name: str) -> Command | None:
    """The command ``name`` that was last started in a folder, by whomever; None if none was."""
    started = read_launch(folder)
    return None if started is None or started.words[:1] != (name,) else Command(title, started)
