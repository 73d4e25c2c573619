"""Reading a JSON object key by key, so that every refusal names the key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from CranialReconstructionLib.errors import UserError


class JsonSection:
    """One object of a JSON file that users may have written or damaged.

    Every getter raises ``UserError`` with the file, the path of keys and what was expected there.

    Args:
        values: what the JSON parser gave.
        where: the file, and the keys that lead here.
        remedy: what the user should do when something is off.
    """

    def __init__(self, values: object, where: str, remedy: str) -> None:
        if not isinstance(values, dict):
            raise UserError("an object {...} is expected here", where=where, remedy=remedy)
        self._values: dict[str, Any] = values
        self._where = where
        self._remedy = remedy

    def refusal(self, key: str, problem: str) -> UserError:
        """The error for what stands at ``key``."""
        return UserError(f"{key} {problem}", where=self._where, remedy=self._remedy)

    def value(self, key: str) -> Any:
        """Whatever stands at ``key``."""
        if key not in self._values:
            raise self.refusal(key, "is missing")
        return self._values[key]

    def text(self, key: str) -> str:
        """A string that is not blank."""
        value = self.value(key)
        if not isinstance(value, str) or not value.strip():
            raise self.refusal(key, "must be a text")
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        return self._finite(key, self.value(key))

    def whole(self, key: str) -> int:
        """A whole number of zero or more."""
        value = self.number(key)
        if value < 0 or not value.is_integer():
            raise self.refusal(key, f"must be a whole number of zero or more, not {value:g}")
        return int(value)

    def items(self, key: str) -> list[Any]:
        """A list of anything."""
        value = self.value(key)
        if not isinstance(value, list):
            raise self.refusal(key, "must be a list [...]")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self.items(key)
        if not all(isinstance(value, str) for value in values):
            raise self.refusal(key, "must be a list of texts")
        return tuple(values)

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        """A list of ``count`` finite numbers."""
        values = self.items(key)
        if len(values) != count:
            raise self.refusal(key, f"must hold {count} numbers, not {len(values)}")
        return tuple(self._finite(key, value) for value in values)

    def section(self, key: str) -> JsonSection:
        """The object at ``key``."""
        return JsonSection(self.value(key), f"{self._where}, {key}", self._remedy)

    def sections(self, key: str) -> list[JsonSection]:
        """The list of objects at ``key``."""
        return [
            JsonSection(value, f"{self._where}, {key}[{index}]", self._remedy)
            for index, value in enumerate(self.items(key))
        ]

    def names(self) -> list[str]:
        """The keys, in the file's order."""
        return list(self._values)

    def mapping(self) -> Mapping[str, Any]:
        """The object as it stands."""
        return dict(self._values)

    def _finite(self, key: str, value: object) -> float:
        # JSON's true and false are numbers to Python, never to the one who wrote them.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.refusal(key, "must be a finite number")
        return float(value)
