"""How far the making of a set is."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class SetProgress:
    """Counts cases as they come, and tells the rate and the time left.

    Attributes:
        wanted: accepted cases.
        accepted: of them there, those of a former run included.
        rejected: by reason.
        made: cases made by this run.
    """

    wanted: int
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    made: int = 0
    _began: float = field(default_factory=lambda: time.monotonic())

    def count(self, reason: str, made: bool = True) -> None:
        """One more case, rejected for ``reason`` or, if that is empty, accepted."""
        self.made += made
        if reason:
            self.rejected[reason] += 1
        else:
            self.accepted += 1

    @property
    def tried(self) -> int:
        """Accepted and rejected."""
        return self.accepted + self.rejected.total()

    @property
    def rate(self) -> float:
        """Cases a second of this run, written; 0 before the first."""
        seconds = time.monotonic() - self._began
        return self.made / seconds if self.made and seconds > 0.0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Until all wanted cases are there, at this rate and share of rejections; None if that is unknown."""
        share = self.accepted / self.tried if self.tried else 0.0
        if not self.rate or not share:
            return None
        return (self.wanted - self.accepted) / (self.rate * share)

    @property
    def line(self) -> str:
        """All of it on one line."""
        words = f"{self.accepted} of {self.wanted} cases"
        if self.rejected:
            words += f", {self.rejected.total()} rejected"
        if self.rate:
            words += f", {self.rate:.2f} cases/s"
        left = self.seconds_left
        if left is None or self.accepted >= self.wanted:
            return words
        minutes, seconds = divmod(round(left), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{words}, {hours}:{minutes:02d}:{seconds:02d} left"
