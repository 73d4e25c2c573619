"""A command of ``cranial`` as a process of its own: it outlives whoever started it, and is found again.

The process writes what it says to ``output.log`` in its folder; ``launch.json`` beside that tells how it was started,
and ``ending.json`` how it ended. On Linux and macOS the log is locked as long as the process, or one that it has
begun, lives: no other process that has got its number later is ever taken for it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import CranialAugmentationTrainerLib
from CranialAugmentationTrainerLib.training.held_lock import is_locked
from CranialAugmentationTrainerLib.workflow.recorded import ENDING
from CranialReconstructionLib.engine.environment import own_python, worker_environment
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.whole_file import whole_file

RECORD = "launch.json"
LOG = "output.log"

_LIBRARY = Path(CranialAugmentationTrainerLib.__file__).resolve().parent
_COMMANDS = "CranialAugmentationTrainerLib.workflow.recorded"
# Of the log's end, where the last words are looked for.
_LAST_WORDS = 8192

if sys.platform == "win32":
    import ctypes

    # A group of its own, no console window over Slicer's, and Slicer itself goes first.
    _FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    _SYNCHRONIZE, _TIMEOUT = 0x00100000, 0x00000102
else:
    import fcntl

    _FLAGS = 0
    _TRIES = 20


@dataclass(frozen=True)
class Launch:
    """A process that was started.

    Attributes:
        folder: that it works in.
        words: of its command line, the command's name first.
        pid, host: of the process; where Slicer's launcher stands between, of that.
        begun: how often the run in the folder had begun before.
    """

    folder: Path
    words: tuple[str, ...]
    pid: int
    host: str
    begun: int = 0

    def is_alive(self) -> bool:
        """Whether it, or what it started, runs on this computer."""
        return self.host == socket.gethostname() and _runs(self.pid, self.folder / LOG)

    def last_words(self) -> str:
        """The last line that it said; empty if it said nothing."""
        try:
            with (self.folder / LOG).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_WORDS))
                lines = file.read().decode("utf-8", "replace").replace("\r", "\n").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def exit_code(self) -> int | None:
        """Of the process, once it has ended by itself; None while it works, and where it was killed."""
        try:
            return int(json.loads((self.folder / ENDING).read_text())["code"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def interrupt(self) -> None:
        """Ask it to end as Ctrl-C does: what it has finished stays."""
        if not self.is_alive():
            return
        if sys.platform == "win32":
            with suppress(OSError):
                os.kill(self.pid, signal.CTRL_BREAK_EVENT)
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it and all that it started, at once; a run loses what it did since its last checkpoint."""
        if not self.is_alive():
            return
        if sys.platform == "win32":
            command = ["taskkill", "/T", "/F", "/PID", str(self.pid)]
            subprocess.run(command, capture_output=True, check=False, creationflags=subprocess.CREATE_NO_WINDOW)
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


def launch(folder: Path, words: Sequence[str], python: Path | None = None, begun: int = 0) -> Launch:
    """Start a command of ``cranial`` and return at once.

    Args:
        folder: gets the log and the record; it is made.
        words: of the command line, without ``cranial``; paths in them must be absolute.
        python: with the packages that the command needs; this process's own without it.
        begun: as of ``Launch``.

    Raises:
        UserError: what was started in the folder before still runs; the folder cannot be written, or the
            Python not be run.
    """
    former = read_launch(folder)
    if former is not None and former.is_alive():
        raise UserError(
            "what was started here is still at work", where=str(folder), remedy="Wait for its end, or stop it."
        )
    python = python or own_python()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG).open("ab") as log:
            _lock(log)
            log.truncate(0)
            (folder / ENDING).unlink(missing_ok=True)
            process = _start([str(python), "-m", _COMMANDS, str(folder.absolute()), *words], python, log)
    except OSError as error:
        raise UserError(
            f"it cannot be started ({error.strerror or error})",
            where=str(error.filename or folder),
            remedy="Check the folder, the rights on it, and the Python that is chosen.",
        ) from error
    # Somebody must hear of its end, or it stays in the system's table until this process ends.
    threading.Thread(target=process.wait, daemon=True).start()
    started = Launch(folder, tuple(words), process.pid, socket.gethostname(), begun)
    with whole_file(folder / RECORD) as part:
        content = {"words": started.words, "pid": started.pid, "host": started.host, "begun": begun}
        part.write_text(json.dumps(content, indent=1) + "\n")
    return started


def read_launch(folder: Path) -> Launch | None:
    """What was last started in a folder; None if nothing was, or the record is not ours."""
    try:
        content = json.loads((folder / RECORD).read_text())
        words = tuple(str(word) for word in content["words"])
        return Launch(folder, words, int(content["pid"]), str(content["host"]), int(content["begun"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def launch_environment(python: Path) -> dict[str, str]:
    """The worker's environment variables, with this library on the path as well."""
    kept = worker_environment(python)
    return {**kept, "PYTHONPATH": os.pathsep.join([str(_LIBRARY.parent), kept["PYTHONPATH"]])}


def _start(command: list[str], python: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=launch_environment(python),
        start_new_session=os.name != "nt",
        creationflags=_FLAGS,
    )


if sys.platform == "win32":

    def _lock(log: IO[bytes]) -> None:
        """A lock there ends with this process."""

    def _runs(pid: int, log: Path) -> bool:
        kernel = ctypes.windll.kernel32
        process = kernel.OpenProcess(_SYNCHRONIZE, False, pid)
        if not process:
            return False
        runs = kernel.WaitForSingleObject(process, 0) == _TIMEOUT
        kernel.CloseHandle(process)
        return bool(runs)

else:

    def _lock(log: IO[bytes]) -> None:
        """It passes on to the process that gets the file, and to those that get it from there."""
        for _ in range(_TRIES):
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                # Somebody looks whether it is locked, which takes microseconds.
                time.sleep(0.01)
            except OSError:
                # A disk that knows no locks: what runs there is not seen until it writes its events.
                return
        raise OSError(0, "another process is just being started there")

    def _runs(pid: int, log: Path) -> bool:
        return is_locked(log)
