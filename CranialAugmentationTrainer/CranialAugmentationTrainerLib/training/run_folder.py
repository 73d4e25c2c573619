"""A run on disk: ``run.json``, ``events.jsonl``, ``checkpoints/``, ``previews/`` (DESIGN.md, Contracts).

Whoever trains holds ``lock`` as long as it lives; a file called ``stop`` asks it to end after the step
that it is at. Both work from any process that sees the folder.
"""

from __future__ import annotations

import json
import math
import os
import platform
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.training.held_lock import is_locked
from CranialReconstructionLib import __version__
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.whole_file import whole_file

RECORDED_PACKAGES = ("torch", "monai", "lightning", "numpy")
# The workers of a run that was killed hold its lock for some seconds more.
PATIENCE = 10.0


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run. Whoever shows a run reads these files.

    Attributes:
        path: of the folder.
        tell: is told each event as a line of text as well.
        silent: nothing is logged; so are all but the first of the processes that train together.
    """

    path: Path
    tell: Callable[[str], None] = lambda line: None
    silent: bool = False

    @property
    def checkpoint(self) -> Path:
        """The last whole checkpoint."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best_checkpoint(self) -> Path:
        """The checkpoint of the best validation, where training stops early."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def sound_checkpoint(self) -> Path:
        """The checkpoint from before a trouble that the run is in now."""
        return self.path / "checkpoints" / "sound.ckpt"

    @property
    def events(self) -> Path:
        """One JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def previews(self) -> Path:
        """Pictures and label volumes that show what the network has learned, step by step."""
        return self.path / "previews"

    @property
    def shape_model(self) -> Path:
        """Shape model of a shell run, fitted to its training skulls."""
        return self.path / "shape.safetensors"

    @property
    def split(self) -> Path:
        """The skulls of training, validation and test."""
        return self.path / "split.json"

    @property
    def stop_file(self) -> Path:
        """Its presence asks the run to stop."""
        return self.path / "stop"

    @property
    def lock_file(self) -> Path:
        """Locked by whoever trains."""
        return self.path / "lock"

    def create(self, configuration: Mapping[str, Any], data: Path | Sequence[Path]) -> None:
        """Make the folder and write ``run.json``.

        Args:
            data: the folder, or folders, that the run learns from.

        Raises:
            UserError: there is a run already, or the folder cannot be written.
        """
        if (self.path / "run.json").exists():
            raise UserError(
                "there is a run in this folder already",
                where=str(self.path),
                remedy="Add --resume to go on with it, or name another folder.",
            )
        try:
            for name in ("checkpoints", "previews"):
                (self.path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"the run folder cannot be written ({error.strerror or error})",
                where=str(self.path),
                remedy="Name a folder that you may write to, on a disk with space.",
            ) from error
        content = {
            "configuration": configuration,
            "data": str(data) if isinstance(data, Path) else [str(folder) for folder in data],
            # In Slicer this library lies in a folder and is no package that is installed.
            "versions": {"cranial": __version__, **{name: version(name) for name in RECORDED_PACKAGES}},
            "machine": platform.platform(),
        }
        self._write(content)

    def lengthen(self, steps: int) -> None:
        """Give the run another last step.

        Raises:
            UserError: this is not a run folder, or another process trains it.
        """
        with self.held():
            content = self._content()
            before = content["configuration"].get("steps")
            content["configuration"]["steps"] = steps
            self._write(content)
            self.log("lengthened", steps=steps, before=before)

    def read_configuration(self) -> dict[str, Any]:
        """The configuration that the run was started with.

        Raises:
            UserError: this is not a run folder.
        """
        configuration: dict[str, Any] = self._content()["configuration"]
        return configuration

    def data_folders(self) -> list[Path]:
        """The folders that the run learns from.

        Raises:
            UserError: this is not a run folder.
        """
        data = self._content().get("data", [])
        return [Path(folder) for folder in ([data] if isinstance(data, str) else data)]

    def _write(self, content: Mapping[str, Any]) -> None:
        with whole_file(self.path / "run.json") as part:
            part.write_text(json.dumps(content, indent=1) + "\n")

    def _content(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads((self.path / "run.json").read_text())
            content["configuration"].items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                "not a run folder: no readable run.json", where=str(self.path), remedy="Name a run's folder."
            ) from error
        return content

    def log(self, event: str, **values: Any) -> None:
        """Append one event."""
        if self.silent:
            return
        line = json.dumps({"time": round(time.time(), 3), "event": event, **_finite(values)}) + "\n"
        with self.events.open("ab") as file:
            # A kill may have torn the last line off in the middle.
            torn = file.tell() > 0 and not self._ends_a_line()
            file.write((b"\n" if torn else b"") + line.encode())
        self.tell(" ".join([event, *(f"{name}={value}" for name, value in values.items())]))

    def read_events(self) -> list[dict[str, Any]]:
        """All events, oldest first, but for lines that a kill tore."""
        try:
            lines = self.events.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [event for line in lines if (event := parse_event(line)) is not None]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run inside: no other process trains it, and all see that one does.

        Raises:
            UserError: another process trains it.
        """
        # Slicer, which only looks at runs, does not bring it.
        from filelock import FileLock, Timeout

        lock = FileLock(self.lock_file)
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout as error:
            raise UserError(
                "another process trains this run",
                where=str(self.path),
                remedy="Wait for it, or stop it with `cranial runs stop`.",
            ) from error
        try:
            self.stop_file.unlink(missing_ok=True)
            yield
        finally:
            lock.release()

    def is_held(self) -> bool:
        """Whether a process of this computer trains the run now."""
        return is_locked(self.lock_file)

    @contextmanager
    def recorded(self, resumed: bool) -> Iterator[None]:
        """However what is done inside ends, those who watch the run see that it did."""
        with self.held():
            self.log("begun", pid=os.getpid(), host=socket.gethostname(), resumed=resumed)
            try:
                yield
            except BaseException as cause:
                self.log("failed", cause=str(cause) or type(cause).__name__)
                raise

    def _ends_a_line(self) -> bool:
        with self.events.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become texts."""
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def parse_event(line: bytes) -> dict[str, Any] | None:
    """The event that a line holds; None if a kill tore it, or something else stands there."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and "event" in event else None
