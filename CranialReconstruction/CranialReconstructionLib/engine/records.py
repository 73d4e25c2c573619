"""Dataclasses from JSON objects and back, every value checked against its declared type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class MisfitError(ValueError):
    """What in a JSON object does not fit the dataclass."""


def from_json(kind: type[T], values: Mapping[str, Any]) -> T:
    """An instance of the dataclass ``kind``; no key too many, none missing, no value of another type.

    Raises:
        MisfitError: with the name of the key.
    """
    hints = get_type_hints(kind)
    entries = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in entries:
            raise MisfitError(f"{name!r} is unknown")
    for name, entry in entries.items():
        if name not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise MisfitError(f"{name!r} is missing")
    return kind(**{name: _value(name, hints[name], value) for name, value in values.items()})


def to_json(value: Any) -> Any:
    """``value`` as JSON holds it: paths as texts, numpy's numbers as Python's, what is no finite number as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return to_json(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): to_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(entry) for entry in value]
    if isinstance(value, Path):
        return str(value)
    # Arrays and numbers of numpy, which is not imported for it.
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _value(name: str, hint: Any, value: Any) -> Any:
    """``value`` as the declared type holds it."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is UnionType:
        wanted = [part for part in parts if part is not type(None)]
        return None if value is None else _value(name, wanted[0], value)
    if origin is tuple:
        several = len(parts) == 2 and parts[1] is Ellipsis
        if not isinstance(value, list | tuple) or not (several or len(value) == len(parts)):
            raise MisfitError(f"{name!r} is {_short(value)}, not a list of {'values' if several else len(parts)}")
        return tuple(_value(name, parts[0], entry) for entry in value)
    if hint is Path and isinstance(value, str | Path):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, origin or hint) or (isinstance(value, bool) and hint is not bool):
        raise MisfitError(f"{name!r} is {_short(value)}, not of type {getattr(origin or hint, '__name__', hint)}")
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
