"""What the pages of the Trainer share: its parameter node, the runs, the commands under way, and what is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import qt
import slicer

from CranialAugmentationTrainerLib.widgets.parameters import TrainerParameters
from CranialAugmentationTrainerLib.workflow.commands import Command, begin
from CranialAugmentationTrainerLib.workflow.run_watch import RunsWatch
from CranialReconstructionLib.engine.faults import user_failure
from CranialReconstructionLib.engine.protocol import Failure
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.widgets.place import chosen_python

T = TypeVar("T")

_FOLDERS = "CranialAugmentationTrainer/RunFolders"


class TrainerSession:
    """The Trainer's state beyond the scene, and who wants to know of changes.

    Attributes:
        parameters: of the Trainer's node in this scene; None while there is none.
        runs: all of the folders that the user keeps runs in.
        at: called with the page that is at work, below which the user is told of it.
        begun: called before something begins that the user asked for.
        changed: called after something has changed.
        failed: called with a failure.
        told: called with a sentence for the user.
        prepared: asked before a process is started; False leaves it undone.
    """

    def __init__(self) -> None:
        self.parameters: TrainerParameters | None = None
        self.runs = RunsWatch(kept_folders())
        self.at: Callable[[Any], None] = lambda page: None
        self.begun: Callable[[], None] = lambda: None
        self.changed: Callable[[], None] = lambda: None
        self.failed: Callable[[Failure], None] = lambda failure: None
        self.told: Callable[[str], None] = lambda text: None
        self.prepared: Callable[[], bool] = lambda: True
        self._followed: dict[Command, Callable[[], None]] = {}

    @property
    def node(self) -> Any:
        """The Trainer's parameter node, which owns what it shows in the scene.

        Raises:
            UserError: there is none.
        """
        if self.parameters is None:
            raise UserError("there is no scene", where="panel", remedy="Open the module first.")
        return self.parameters.parameterNode

    @property
    def python(self) -> Path:
        """The Python that computes; both modules share the choice."""
        return chosen_python()

    @property
    def commands(self) -> tuple[Command, ...]:
        """Those that are followed, the oldest first."""
        return tuple(self._followed)

    def do(self, work: Callable[[], T]) -> T | None:
        """Do something at once; what the user can mend is told as a failure."""
        try:
            return work()
        except UserError as error:
            self.failed(user_failure(error))
            return None

    def start(self, title: str, folder: Path, words: Sequence[str], then: Callable[[], None]) -> Command | None:
        """Start a command of ``cranial`` in a process of its own; ``then`` is called when it is done.

        What goes wrong is told as a failure. A process that outlives Slicer is found again with
        ``workflow.commands.find`` and handed to ``follow``.

        Args:
            title: for a person.
            folder: that it works in; it is made.
            words: of the command line, without ``cranial``; paths in them must be absolute.
        """
        self.begun()
        if not self.prepared():
            return None
        command = self.do(lambda: begin(title, folder, words, self.python))
        if command is not None:
            self.follow(command, then)
        return command

    def follow(self, command: Command, then: Callable[[], None]) -> None:
        """Call ``then`` when it is done, and tell it as a failure where it is not."""
        self._followed[command] = then
        self.changed()

    def poll(self) -> None:
        """Read what runs and commands have written; called by a timer."""
        new = bool(self.runs.poll())
        for command in self.commands:
            state = command.state
            if state != "working":
                new = True
                self._end(command, state)
        if new:
            self.changed()

    def keep_folder(self, folder: Path) -> None:
        """Look for runs in this folder too, now and when Slicer is opened again."""
        if folder not in self.runs.folders:
            self._keep([*self.runs.folders, folder])

    def forget_folder(self, folder: Path) -> None:
        """Look for runs in this folder no more; they stay where they are."""
        self._keep([kept for kept in self.runs.folders if kept != folder])

    def tell(self, text: str) -> None:
        """Say something to the user."""
        self.told(text)

    def _keep(self, folders: list[Path]) -> None:
        self.runs.folders = folders
        qt.QSettings().setValue(_FOLDERS, [str(path) for path in folders])
        self.runs.rescan()
        self.changed()

    def _end(self, command: Command, state: str) -> None:
        then = self._followed.pop(command)
        if state == "done":
            self.do(then)
        elif state != "stopped":
            self.failed(user_failure(command.problem()))


def kept_folders() -> list[Path]:
    """The folders that runs are looked for in: those that the user chose, and one of the documents at first."""
    kept = slicer.util.settingsValue(_FOLDERS, None)
    if not kept:
        documents = qt.QStandardPaths.writableLocation(qt.QStandardPaths.DocumentsLocation)
        return [Path(documents) / "CranialTraining"]
    return [Path(folder) for folder in ([kept] if isinstance(kept, str) else kept)]
