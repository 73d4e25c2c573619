"""Events read from a file while somebody else writes it: each once, and again from the start if it is another file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.training.run_folder import parse_event

# Bytes looked at in one call: a long run's file takes several, a foreign one does not stop the caller.
MOST = 1 << 20
# An event is far shorter; what goes on for longer is none.
LONGEST_LINE = 1 << 18
# Of what was read last, kept to see whether it still stands there.
REMEMBERED = 64


@dataclass(frozen=True)
class NewEvents:
    """What has come since the last look.

    Attributes:
        events: in the order of the file.
        anew: these are the first of another file, or of one that has been cut; what was heard before is void.
        more: there is more in the file than one look takes.
    """

    events: tuple[dict[str, Any], ...] = ()
    anew: bool = False
    more: bool = False


class EventFile:
    """An ``events.jsonl`` that grows, or another file of lines.

    Args:
        parse: what stands in a line; None if it is torn, or something else stands there.

    A line that is half written is read once it is whole. Neither the times in it nor those of the file are
    compared with the clock of this computer.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], dict[str, Any] | None] = parse_event) -> None:
        self.path = path
        self._parse = parse
        self._read = 0
        self._tail = b""
        self._mark: tuple[int, int, int] | None = None

    def look(self) -> NewEvents:
        """Read on; costs one question to the system where nothing has changed."""
        try:
            facts = self.path.stat()
            mark = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
            if mark == self._mark:
                return NewEvents()
            with self.path.open("rb") as file:
                file.seek(self._read - len(self._tail))
                same = self._mark is None or self._mark[0] == facts.st_ino
                anew = not same or file.read(len(self._tail)) != self._tail
                if anew:
                    self._forget()
                    file.seek(0)
                block = file.read(MOST)
        except FileNotFoundError:
            anew = self._read > 0
            self._forget()
            return NewEvents(anew=anew)
        except OSError:
            # A disk that does not answer just now is asked again.
            return NewEvents()
        # A file that was not read to its end is looked into again, whether it has changed or not.
        more = len(block) == MOST
        self._mark = (facts.st_ino, -1, 0) if more else mark
        return NewEvents(self._take(block), anew, more)

    def _take(self, block: bytes) -> tuple[dict[str, Any], ...]:
        *whole, rest = block.split(b"\n")
        events = [event for line in whole if (event := self._parse(line)) is not None]
        consumed = len(block) - len(rest)
        # Only a whole object ends with its bracket: nothing of it is missing but the end of the line.
        last = self._parse(rest) if rest.endswith(b"}") else None
        if last is not None:
            events.append(last)
        if last is not None or len(rest) > LONGEST_LINE:
            consumed = len(block)
        self._read += consumed
        self._tail = (self._tail + block[:consumed])[-REMEMBERED:]
        return tuple(events)

    def _forget(self) -> None:
        self._read, self._tail, self._mark = 0, b"", None


def identity(path: Path) -> tuple[int, int, int] | None:
    """Another one for another file, or the same one rewritten; None without a file."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
