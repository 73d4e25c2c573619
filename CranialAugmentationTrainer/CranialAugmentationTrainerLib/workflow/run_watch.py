"""Runs watched by their folders: cheap to ask twice a second for tens of them.

Nothing here asks a run; what it has written is enough, also after Slicer was closed for a week.
"""

from __future__ import annotations

import math
import re
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from CranialAugmentationTrainerLib.training import run_state
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.workflow.event_file import EventFile, identity
from CranialAugmentationTrainerLib.workflow.launch import RECORD, Launch, read_launch
from CranialReconstructionLib.errors import UserError

# "starting": its process is there and has not begun yet; "gone": the folder is.
State = Literal["starting", "running", "done", "stopped", "failed", "killed", "elsewhere", "gone"]
UNDER_WAY = ("starting", "running", "elsewhere")
RUN_COMMANDS = ("train", "train-reconstruction", "runs")
# JSON's whole numbers may be larger than any that a computer reckons with.
LARGEST = 1e300


@dataclass
class Curve:
    """One figure over the steps of a run; ``values`` may hold NaN. Steps rise."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, step: int, value: float) -> None:
        """One more point; those of its step and later ones are void."""
        self.cut(step - 1)
        self.steps.append(step)
        self.values.append(value)

    def cut(self, last: int) -> None:
        """Leave nothing after step ``last``."""
        while self.steps and self.steps[-1] > last:
            self.steps.pop()
            self.values.pop()


@dataclass(frozen=True)
class Preview:
    """What a run showed at a step: a picture, and label volumes (1 skull, 2 missing bone) where there are any."""

    step: int
    picture: Path
    volumes: tuple[Path, ...] = ()


@dataclass(frozen=True)
class WatchedRun:
    """A run as it stands.

    Attributes:
        folder: of the run.
        method, preset: as it was begun; of ``cranial train-reconstruction`` the stage of its network.
        state: ``killed``: its process has gone without a word; ``elsewhere``: another computer trains it, or
            did, and has not told of an end.
        step, steps: done, in all; 0 where that is not known yet.
        seconds_a_step, seconds_left: at the last report; None where that is not known, or it has ended.
        losses: of the last report.
        figures: of the last validation.
        warnings: sentences, since the run last began, the last one of each kind.
        previews: those that are still on disk, by step.
        left_out: cases that could not be used.
        cause: why it failed or stopped.
        host, pid: of the process that trained it last.
        data: folders that it learns from.
        configuration: all of it.
    """

    folder: Path
    method: str
    preset: str
    state: State
    step: int = 0
    steps: int = 0
    seconds_a_step: float | None = None
    seconds_left: float | None = None
    losses: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    previews: tuple[Preview, ...] = ()
    left_out: int = 0
    cause: str = ""
    host: str = ""
    pid: int = 0
    data: tuple[Path, ...] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def under_way(self) -> bool:
        """Whether somebody may be training it now."""
        return self.state in UNDER_WAY


@dataclass
class _Heard:
    """What the events have told so far."""

    begun: dict[str, Any] = field(default_factory=dict)
    times: int = 0
    ending: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    reached: int | None = None
    saved: int = 0
    steps: int = 0
    left_out: int = 0
    warnings: dict[str, str] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    previews: dict[int, Preview] = field(default_factory=dict)


class RunWatch:
    """One run, read as it goes on.

    Attributes:
        losses, figures: curves by name, of the reports and of the validations. A resumed run's are cut where it
            went on: the steps after its last checkpoint were lost.
        run: as of the last ``poll``.

    Raises:
        UserError: the folder is no run's, and none was started in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.losses: dict[str, Curve] = {}
        self.figures: dict[str, Curve] = {}
        self._folder = RunFolder(folder)
        self._events = EventFile(self._folder.events)
        self._launch: Launch | None = None
        self._about: tuple[object, object] | None = None
        self._configuration: dict[str, Any] = {}
        self._data: tuple[Path, ...] = ()
        self._heard = _Heard()
        self._heard_at = time.monotonic()
        if not self._look_about():
            raise UserError("there is no run", where=str(folder), remedy="Choose the folder of a run.")
        self.run = self._as_it_stands()
        self.poll()

    @property
    def silence(self) -> float:
        """Seconds since something new was read, by a clock that never jumps."""
        return time.monotonic() - self._heard_at

    def poll(self) -> bool:
        """Read what is new; whether anything is, or there is more than one call reads."""
        there = self._look_about()
        new = self._events.look()
        if new.anew:
            self._begin_anew()
        for event in new.events:
            self._hear(event)
        if new.events:
            self._heard_at = time.monotonic()
        former, self.run = self.run, self._as_it_stands() if there else self._gone()
        return bool(new.events) or new.anew or new.more or self.run != former

    def _look_about(self) -> bool:
        """Read the configuration and the launch where they have changed; False where neither is there."""
        about = identity(self.folder / "run.json"), identity(self.folder / RECORD)
        if about == self._about:
            return about != (None, None)
        launch = read_launch(self.folder)
        self._launch = launch if launch is not None and launch.words[:1] and launch.words[0] in RUN_COMMANDS else None
        try:
            self._configuration = self._folder.read_configuration()
            self._data = tuple(self._folder.data_folders())
        except UserError:
            if self._launch is None:
                return False
            self._configuration = {}
        self._about = about
        return True

    def _begin_anew(self) -> None:
        self._heard = _Heard()
        self.losses.clear()
        self.figures.clear()

    def _hear(self, event: Mapping[str, Any]) -> None:
        name, heard = event["event"], self._heard
        step = event.get("step")
        if name == "begun":
            heard.begun, heard.times = dict(event), heard.times + 1
            heard.ending, heard.report, heard.reached, heard.left_out = {}, {}, None, 0
            heard.warnings.clear()
        elif name == "started":
            heard.steps = _count(event.get("steps"))
            self._go_on_from(_count(step))
        elif name == "step":
            heard.report = dict(event)
            heard.losses = self._take(self.losses, event, run_state.NO_LOSS)
        elif name == "validated":
            heard.figures = self._take(self.figures, event, run_state.NO_FIGURE)
        elif name == "warning":
            problem = str(event.get("problem", ""))
            heard.warnings[re.sub(r"\d", "", problem)] = problem
        elif name == "left_out":
            heard.left_out += _count(event.get("cases", 1))
        elif name == "preview":
            self._take_preview(event)
        elif name == "checkpoint":
            heard.saved = _count(step)
        elif name in ("done", "stopped", "failed"):
            heard.ending = dict(event)
        if isinstance(step, int):
            heard.reached = max(_count(step), heard.reached or 0)

    def _go_on_from(self, step: int) -> None:
        for curve in (*self.losses.values(), *self.figures.values()):
            curve.cut(step)
        self._heard.previews = {number: shown for number, shown in self._heard.previews.items() if number <= step}

    def _take(self, curves: dict[str, Curve], event: Mapping[str, Any], others: set[str]) -> dict[str, float]:
        found = {name: value for name in event if name not in others and (value := _number(event[name])) is not None}
        for name, value in found.items():
            curves.setdefault(name, Curve()).add(_count(event.get("step")), value)
        return found

    def _take_preview(self, event: Mapping[str, Any]) -> None:
        volumes = event.get("volumes", ())
        shown = Preview(
            _count(event.get("step")),
            self._found(str(event.get("path", ""))),
            tuple(self._found(str(path), 2) for path in volumes) if isinstance(volumes, list) else (),
        )
        previews = {**self._heard.previews, shown.step: shown}
        # A new one thins out the former ones.
        self._heard.previews = {step: previews[step] for step in sorted(previews) if _is_file(previews[step].picture)}

    def _found(self, told: str, depth: int = 1) -> Path:
        """A file of the previews, also where the run has been moved since."""
        path = Path(told)
        return path if _is_file(path) else self._folder.previews.joinpath(*path.parts[-depth:])

    def _as_it_stands(self) -> WatchedRun:
        heard, configuration = self._heard, self._configuration
        state, cause = self._state()
        stage = f"train-reconstruction ({configuration.get('stage', '?')})"
        return WatchedRun(
            folder=self.folder,
            method=str(configuration.get("method", stage)) if configuration else self._word(1),
            preset=str(configuration.get("preset", "")) if configuration else self._option("--preset"),
            state=state,
            step=heard.saved if heard.reached is None else heard.reached,
            steps=heard.steps or _count(configuration.get("steps")),
            seconds_a_step=_number(heard.report.get("seconds_a_step")),
            seconds_left=_number(heard.report.get("seconds_left")) if state in ("running", "elsewhere") else None,
            losses=heard.losses,
            figures=heard.figures,
            warnings=tuple(heard.warnings.values()),
            previews=tuple(heard.previews.values()),
            left_out=heard.left_out,
            cause=cause,
            host=str(heard.begun.get("host", "")),
            pid=_count(heard.begun.get("pid")),
            data=self._data,
            configuration=configuration,
        )

    def _state(self) -> tuple[State, str]:
        """The state, and the cause of an end."""
        heard, launch = self._heard, self._launch
        # Of what was started here last nothing has been heard yet.
        if launch is not None and heard.times <= launch.begun:
            if launch.is_alive():
                return "starting", ""
            if launch.host == socket.gethostname() and not self._folder.is_held():
                return "failed", launch.last_words()
        if heard.ending:
            ending: State = run_state.ENDINGS[heard.ending["event"]]
            return ending, str(heard.ending.get("cause", ""))
        if self._folder.is_held():
            return "running", ""
        if launch is not None and heard.times == launch.begun + 1 and launch.exit_code():
            # It could not tell its events any more, as on a full disk, but its last words.
            return "failed", launch.last_words()
        here = socket.gethostname()
        return ("elsewhere" if str(heard.begun.get("host", here)) != here else "killed"), ""

    def _gone(self) -> WatchedRun:
        return WatchedRun(self.folder, self.run.method, self.run.preset, "gone", self.run.step, self.run.steps)

    def _word(self, place: int) -> str:
        words = self._launch.words if self._launch else ()
        return words[place] if len(words) > place else ""

    def _option(self, name: str) -> str:
        words = self._launch.words if self._launch else ()
        return next((after for word, after in pairwise(words) if word == name), "")


class RunsWatch:
    """All runs under some folders.

    Args:
        folders: each a run itself, or with runs in it or in its folders; more may be added.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self.folders = list(folders)
        self.watches: dict[Path, RunWatch] = {}
        self.rescan()

    @property
    def runs(self) -> tuple[WatchedRun, ...]:
        """All of them as of the last ``poll``, by folder."""
        return tuple(watch.run for _, watch in sorted(self.watches.items()))

    def rescan(self) -> None:
        """Find new runs, and forget those that are gone; costs a look into every folder."""
        found = {path for folder in self.folders for path in run_folders(folder)}
        self.watches = {path: watch for path, watch in self.watches.items() if path in found}
        for path in found - self.watches.keys():
            try:
                self.watches[path] = RunWatch(path)
            except UserError:
                # Some other program's run.json.
                continue

    def poll(self) -> tuple[WatchedRun, ...]:
        """The runs that have changed."""
        return tuple(watch.run for _, watch in sorted(self.watches.items()) if watch.poll())


def run_folders(folder: Path) -> set[Path]:
    """Folders that look like runs: ``folder`` itself, its folders, and theirs; none where it is not there."""
    names = ("run.json", RECORD)
    return {path.parent for above in ("", "*/", "*/*/") for name in names for path in folder.glob(above + name)}


def _number(value: Any) -> float | None:
    """A number, or one that JSON has no word for; None for anything else."""
    if isinstance(value, str):
        return float(value) if value in ("nan", "inf", "-inf") else None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST:
        return None
    return float(value)


def _count(value: Any) -> int:
    number = _number(value)
    return int(number) if number is not None and math.isfinite(number) else 0


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # No name that a file can have.
        return False
