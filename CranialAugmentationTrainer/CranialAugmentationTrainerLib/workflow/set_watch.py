"""Sets watched by their folders: how many cases there are, how fast they come, and what the first ones are.

Nothing here asks who makes them; what is written is enough, also after Slicer was closed meanwhile.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from CranialAugmentationTrainerLib.cli import generate, mask_defects, register_pairs
from CranialAugmentationTrainerLib.cli.in_words import duration_in_words
from CranialAugmentationTrainerLib.datasets.synthetic_set import SyntheticSet, parse_line
from CranialAugmentationTrainerLib.scene.pair_surfaces import PairFiles
from CranialAugmentationTrainerLib.workflow.commands import Command
from CranialAugmentationTrainerLib.workflow.event_file import EventFile
from CranialAugmentationTrainerLib.workflow.launch import Launch, read_launch
from CranialAugmentationTrainerLib.workflow.set_orders import SET_COMMANDS, SyntheticOrder
from CranialReconstructionLib.errors import UserError

# "there": whoever made it did not begin it by this room, so that its end is not known.
State = Literal["working", "done", "stopped", "failed", "killed", "there", "gone"]
CAN_GO_ON = ("stopped", "failed", "killed")

# Cases that are kept to be looked at.
KEPT = 100
# The rate is that of the last seconds, or of the last cases where they come slowly.
SECONDS, CASES = 30.0, 5

_PARSERS = {"generate": generate, "register-pairs": register_pairs, "mask-defects": mask_defects}


@dataclass(frozen=True)
class SetCase:
    """An accepted case.

    Attributes:
        number: in its set.
        volume: its labels.
        pair: what it was made of, where that was kept.
        facts: how it was made, as its line tells.
    """

    number: int
    volume: Path
    pair: PairFiles | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class WatchedSet:
    """A set as it stands.

    Attributes:
        folder: of the set.
        command: that makes it, one of ``SET_COMMANDS``; empty for one that was not begun by this room.
        state: ``stopped``: paused.
        wanted: accepted cases of a generator, tried ones of the others; 0 where it is not known.
        accepted: cases in it.
        rejected: those that are not, by reason, the most frequent first.
        rate: cases tried a second, lately; None while nobody makes any.
        seconds_left: at that rate; None where it is not known.
        said: the last words of who made it, where something went wrong.
    """

    folder: Path
    command: str
    state: State
    wanted: int = 0
    accepted: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    rate: float | None = None
    seconds_left: float | None = None
    said: str = ""

    @property
    def tried(self) -> int:
        """Accepted and rejected."""
        return self.accepted + sum(self.rejected.values())

    @property
    def done(self) -> int:
        """What ``wanted`` counts."""
        return self.accepted if self.command == SyntheticOrder.COMMAND else self.tried

    @property
    def share(self) -> float:
        """Done of what is wanted, 0 to 1."""
        return min(1.0, self.done / self.wanted) if self.wanted else float(self.state in ("done", "there"))


def pace_of(made: WatchedSet) -> str:
    """How fast cases come, and how long it takes; empty where neither is known."""
    words = []
    if made.rate:
        quick = made.rate >= 0.1
        words.append(f"{made.rate:.2g} a second" if quick else f"{duration_in_words(1.0 / made.rate)} each")
    if made.seconds_left is not None:
        words.append(f"{duration_in_words(made.seconds_left)} left")
    return ", ".join(words)


class SetWatch:
    """One set, read as it grows.

    Attributes:
        set: as of the last ``poll``.
        cases: the first that were accepted, in the order in which they came, up to ``KEPT``; of a set that is
            done, in order of number.

    Raises:
        UserError: the folder is no set's, and none was begun in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: list[SetCase] = []
        self._made = SyntheticSet(folder)
        self._index = EventFile(self._made.index, parse_line)
        self._reasons: dict[int, str] = {}
        self._counts: Counter[str] = Counter()
        self._times: deque[tuple[float, int]] = deque()
        self._behind = True
        self._launch: Launch | None = None
        self._wanted = 0
        if set_launch(folder) is None and not self._made.index.is_file():
            raise UserError("there is no set", where=str(folder), remedy="Choose the folder of a set.")
        self.set = self._as_it_stands()
        self.poll()

    def poll(self) -> bool:
        """Read what is new; whether anything is, or there is more than one call reads."""
        new = self._index.look()
        if new.anew:
            self.cases, self._reasons, self._counts = [], {}, Counter()
        for line in new.events:
            self._take(line)
        if new.anew or new.more or self._behind:
            # These were there already; they tell nothing of the rate.
            self._times.clear()
        if new.events:
            self._times.append((time.monotonic(), len(self._reasons)))
        self._behind = new.more
        former, self.set = self.set, self._as_it_stands()
        return new.more or self.set != former

    def _take(self, line: Mapping[str, Any]) -> None:
        number, reason = int(line["number"]), str(line["rejected"])
        former = self._reasons.get(number)
        if former is not None:
            self._counts[former] -= 1
        self._reasons[number] = reason
        self._counts[reason] += 1
        if not reason and former is None and len(self.cases) < KEPT:
            self.cases.append(_case(self.folder, line))

    def _as_it_stands(self) -> WatchedSet:
        launch = set_launch(self.folder)
        if launch != self._launch:
            self._launch = launch
            self._wanted = 0 if launch is None else int(vars(words_of(launch)).get("count") or 0)
        if launch is not None:
            state: State = Command("", launch).state
        else:
            state = "there" if self._made.index.is_file() else "gone"
        stands = WatchedSet(
            self.folder,
            "" if launch is None else launch.words[0],
            state,
            self._wanted,
            self._counts[""],
            {reason: count for reason, count in self._counts.most_common() if reason and count},
            said=launch.last_words() if launch is not None and state == "failed" else "",
        )
        if state != "working":
            return stands
        rate = self._rate()
        return replace(stands, rate=rate, seconds_left=_seconds_left(stands, rate))

    def _rate(self) -> float | None:
        now = time.monotonic()
        while len(self._times) > CASES + 1 and self._times[0][0] < now - SECONDS:
            self._times.popleft()
        if len(self._times) < 2:
            return None
        (first, before), (last, after) = self._times[0], self._times[-1]
        return (after - before) / (last - first) if last > first else None


def set_launch(folder: Path) -> Launch | None:
    """The process that makes a set, or did; None if this room has begun none."""
    launch = read_launch(folder)
    return launch if launch is not None and launch.words[:1] and launch.words[0] in SET_COMMANDS else None


def words_of(launch: Launch) -> argparse.Namespace:
    """The options that a set was begun with; none where the words are not this version's."""
    command = _PARSERS[launch.words[0]]
    parser = _Quiet()
    command.add_arguments(parser)
    try:
        return parser.parse_args(launch.words[1:])
    except ValueError:
        return argparse.Namespace()


class _Quiet(argparse.ArgumentParser):
    """One that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _case(folder: Path, line: Mapping[str, Any]) -> SetCase:
    facts, volume = line["facts"], folder / line["file"]
    try:
        beside = {role: folder / place for role, place in facts["beside"].items()}
        pair = PairFiles(beside["moving"], beside["fixed"], volume, beside["determinant"])
    except (KeyError, TypeError, AttributeError):
        pair = None
    return SetCase(int(line["number"]), volume, pair, facts)


def _seconds_left(stands: WatchedSet, rate: float | None) -> float | None:
    if not rate or not stands.wanted or not stands.tried:
        return None
    good = stands.done / stands.tried
    return max(0, stands.wanted - stands.done) / (rate * good) if good else None
