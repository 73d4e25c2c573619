"""A run on disk: ``run.json``, ``events.jsonl``, ``checkpoints/``, ``previews/`` (DESIGN.md, Contracts)."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from CranialReconstructionLib.errors import UserError

RECORDED_PACKAGES = ("torch", "monai", "lightning", "numpy", "slicer-cranial-reconstruction")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run. Whoever shows a run reads these files.

    Attributes:
        path: of the folder.
        tell: is told each event as a line of text as well.
    """

    path: Path
    tell: Callable[[str], None] = lambda line: None

    @property
    def checkpoint(self) -> Path:
        """The last whole checkpoint."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def events(self) -> Path:
        """One JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def previews(self) -> Path:
        """Pictures of what the network says of the same validation cases, one a validation."""
        return self.path / "previews"

    @property
    def shape_model(self) -> Path:
        """Shape model of a shell run, fitted to its training skulls."""
        return self.path / "shape.safetensors"

    @property
    def split(self) -> Path:
        """The skulls of training, validation and test."""
        return self.path / "split.json"

    def create(self, configuration: Mapping[str, Any], data: Path) -> None:
        """Make the folder and write ``run.json``.

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
            content = {
                "configuration": configuration,
                "data": str(data),
                "versions": {name: version(name) for name in RECORDED_PACKAGES},
                "machine": platform.platform(),
            }
            (self.path / "run.json").write_text(json.dumps(content, indent=1) + "\n")
        except OSError as error:
            raise UserError(
                f"the run folder cannot be written ({error.strerror or error})",
                where=str(self.path),
                remedy="Name a folder that you may write to, on a disk with space.",
            ) from error

    def read_configuration(self) -> dict[str, Any]:
        """The configuration that the run was started with.

        Raises:
            UserError: this is not a run folder.
        """
        try:
            configuration: dict[str, Any] = json.loads((self.path / "run.json").read_text())["configuration"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                "not a run folder: no readable run.json", where=str(self.path), remedy="Name a run's folder."
            ) from error
        return configuration

    def log(self, event: str, **values: Any) -> None:
        """Append one event."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **values})
        with self.events.open("a") as file:
            file.write(line + "\n")
        self.tell(" ".join([event, *(f"{name}={value}" for name, value in values.items())]))
