"""What the client and its worker say to each other: one JSON object a line, versioned and typed.

Volumes and meshes go as files, never through here. Numbers on the wire are finite.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from CranialReconstructionLib.engine.records import MisfitError, from_json

VERSION = 1
# Bytes; what is longer is no message of ours, and is not gathered in memory.
LONGEST_LINE = 4 << 20


@dataclass(frozen=True)
class Hello:
    """The worker's first words. Torch is not imported for them, so an environment without it answers too.

    Attributes:
        library: version of this library.
        python: version of the worker's Python.
        torch: version of the torch that is installed, or None.
        executable: the worker's Python.
        process: its number, which behind a launcher is not the one that the client started.
    """

    library: str
    python: str
    torch: str | None
    executable: str
    process: int


@dataclass(frozen=True)
class Heartbeat:
    """The worker is alive; ``id`` is the job at work."""

    id: int | None


@dataclass(frozen=True)
class Request:
    """Do ``operation``; the answer is a ``Result`` or a ``Failure`` with the same ``id``."""

    id: int
    operation: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Progress:
    """A stage begins; ``fraction`` of the job is done, 0 to 1, where that is known."""

    id: int
    stage: str
    fraction: float | None


@dataclass(frozen=True)
class Result:
    """The job is done."""

    id: int
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Failure:
    """The job, or with no ``id`` the worker itself, has failed.

    Attributes:
        code: a key of ``faults.FAULTS``.
        problem, where, remedy: as of ``UserError``.
        detail: traceback, or the last lines of the log; empty where there is nothing to add.
    """

    id: int | None
    code: str
    problem: str
    where: str = ""
    remedy: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Cancel:
    """Leave the job between two of its stages."""

    id: int


@dataclass(frozen=True)
class Shutdown:
    """Leave the job between two of its stages, and end."""


Message = Hello | Heartbeat | Request | Progress | Result | Failure | Cancel | Shutdown

_KINDS: Mapping[str, type[Message]] = {
    kind.__name__.lower(): kind for kind in (Hello, Heartbeat, Request, Progress, Result, Failure, Cancel, Shutdown)
}


class ProtocolError(Exception):
    """A line that is no message.

    Args:
        problem: what is wrong with it.
        id: the job that it speaks of, if that much can be read.
    """

    def __init__(self, problem: str, id: int | None = None) -> None:
        self.problem = problem
        self.id = id
        super().__init__(problem)


def encode(message: Message) -> bytes:
    """The message's line, ASCII, ending in a newline.

    Raises:
        TypeError, ValueError: it holds what JSON does not (NaN among it), or is too long.
    """
    values = {"protocol": VERSION, "kind": type(message).__name__.lower(), **asdict(message)}
    line = json.dumps(values, allow_nan=False).encode("ascii") + b"\n"
    if len(line) > LONGEST_LINE:
        raise ValueError(f"a message of {len(line)} bytes is too long")
    return line


def decode(line: bytes) -> Message:
    """The message in a line.

    Raises:
        ProtocolError: no JSON object, another version, an unknown kind, a missing, unknown or mistyped entry.
    """
    if len(line) > LONGEST_LINE:
        raise ProtocolError(f"a line of more than {LONGEST_LINE} bytes")
    try:
        values = json.loads(line.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
    # A line of opening brackets ends in the second.
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON ({error}): {line[:80]!r}") from error
    if not isinstance(values, dict):
        raise ProtocolError(f"not a JSON object: {line[:80]!r}")
    named = values.get("id")
    job = named if isinstance(named, int) and not isinstance(named, bool) else None
    version, kind = values.pop("protocol", None), values.pop("kind", None)
    if version != VERSION:
        raise ProtocolError(f"protocol version {version!r}, where {VERSION} is spoken", job)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ProtocolError(f"a message of unknown kind {kind!r}", job)
    try:
        return from_json(_KINDS[kind], values)
    except MisfitError as error:
        raise ProtocolError(f"in a message of kind {kind}: {error}", job) from error


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not a finite number")
