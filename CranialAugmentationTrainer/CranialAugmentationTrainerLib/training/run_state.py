"""What a run's folder tells of it: whether it runs, how far it is, what it lost and found."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialReconstructionLib.errors import UserError

State = Literal["running", "done", "stopped", "failed", "killed", "elsewhere"]
ENDINGS: dict[str, State] = {"done": "done", "stopped": "stopped", "failed": "failed"}
NO_LOSS = {"time", "event", "step", "seconds_a_step", "seconds_left"}
NO_FIGURE = {"time", "event", "step"}


@dataclass(frozen=True)
class RunState:
    """A run as its folder shows it.

    Attributes:
        folder: of the run.
        method: and ``preset``; of a run of ``cranial train-reconstruction`` the stage of its network.
        state: ``killed``: its process has gone without a word; ``elsewhere``: another computer trains
            it, or did, and has not told of an end.
        step, steps: done, in all.
        seconds_a_step, seconds_left: at the last report.
        losses: of the last report.
        figures: of the last validation.
        warnings: since the run last began, the last one of each kind.
        left_out: cases that could not be used.
        preview: the newest picture and its label volumes.
        checkpoint: the last one, if there is any.
        cause: why it failed or stopped.
        host, pid: of the process that trained it last.
        configuration: all of it.
    """

    folder: str
    method: str
    preset: str
    state: State
    step: int
    steps: int
    seconds_a_step: float | None
    seconds_left: float | None
    losses: Mapping[str, float]
    figures: Mapping[str, float]
    warnings: tuple[str, ...]
    left_out: int
    preview: str
    volumes: tuple[str, ...]
    checkpoint: str
    cause: str
    host: str
    pid: int
    configuration: Mapping[str, Any] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def read_run(folder: Path) -> RunState:
    """The state of the run in ``folder``.

    Raises:
        UserError: it is not a run folder.
    """
    run = RunFolder(folder)
    configuration = run.read_configuration()
    events = run.read_events()
    begun = _last(events, "begun")
    since = events[events.index(begun) :] if begun else events
    last: dict[str, dict[str, Any]] = {event["event"]: event for event in events}
    # A kill takes back the steps after the last checkpoint; what was told before it is history then.
    started, report = last.get("started", {}), _last(since, "step")
    reached = [event["step"] for event in since if isinstance(event.get("step"), int)]
    preview, volumes = _newest_preview(events)
    ending: dict[str, Any] = next((event for event in reversed(since) if event["event"] in ENDINGS), {})
    return RunState(
        folder=str(folder),
        method=str(configuration.get("method", f"train-reconstruction ({configuration.get('stage', '?')})")),
        preset=str(configuration.get("preset", "")),
        state=_state(run, begun, ending),
        step=max(reached, default=int(last.get("checkpoint", {}).get("step", 0))),
        steps=int(started.get("steps", configuration.get("steps", 0))),
        seconds_a_step=report.get("seconds_a_step"),
        seconds_left=None if ending else report.get("seconds_left"),
        losses={name: value for name, value in last.get("step", {}).items() if name not in NO_LOSS},
        figures={name: value for name, value in last.get("validated", {}).items() if name not in NO_FIGURE},
        warnings=tuple(
            {_kind(event["problem"]): event["problem"] for event in since if event["event"] == "warning"}.values()
        ),
        left_out=sum(int(event.get("cases", 1)) for event in since if event["event"] == "left_out"),
        preview=preview,
        volumes=volumes,
        checkpoint=str(run.checkpoint) if run.checkpoint.is_file() else "",
        cause=str(ending.get("cause", "")),
        host=str(begun.get("host", "")),
        pid=int(begun.get("pid", 0)),
        configuration=configuration,
    )


def find_runs(folder: Path) -> list[RunState]:
    """The runs in ``folder``: itself, its folders, and theirs; by name.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError("there is no such folder", where=str(folder), remedy="Give a folder with runs.")
    found = {path.parent for pattern in ("run.json", "*/run.json", "*/*/run.json") for path in folder.glob(pattern)}
    runs = []
    for path in sorted(found):
        try:
            runs.append(read_run(path))
        except UserError:
            # Some other program's run.json.
            continue
    return runs


def ask_to_stop(folder: Path) -> RunState:
    """Ask a run to stop after the step that it is at.

    Raises:
        UserError: it is no run, or nobody trains it.
    """
    state = read_run(folder)
    if state.state not in ("running", "elsewhere"):
        raise UserError(f"the run is not running: it is {state.state}", where=str(folder), remedy="Nothing to stop.")
    try:
        RunFolder(folder).stop_file.touch()
    except OSError as error:
        raise UserError(
            f"it cannot be asked ({error.strerror or error})", where=str(folder), remedy="Check the rights on it."
        ) from error
    return state


def _state(run: RunFolder, begun: Mapping[str, Any], ending: Mapping[str, Any]) -> State:
    if ending:
        return ENDINGS[ending["event"]]
    if run.is_held():
        return "running"
    return "elsewhere" if begun and begun["host"] != socket.gethostname() else "killed"


def _last(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next((event for event in reversed(events) if event["event"] == name), {})


def _newest_preview(events: list[dict[str, Any]]) -> tuple[str, tuple[str, ...]]:
    """The newest picture and label volumes that are still on disk."""
    for event in reversed(events):
        if event["event"] == "preview" and Path(event["path"]).is_file():
            return event["path"], tuple(path for path in event.get("volumes", ()) if Path(path).is_file())
    return "", ()


def _kind(problem: str) -> str:
    """A warning without its figures."""
    return "".join(letter for letter in problem if not letter.isdigit())
