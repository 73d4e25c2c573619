"""Frozen dataclasses from what a TOML or JSON file holds, checked by their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from CranialReconstructionLib.errors import UserError

Table = TypeVar("Table")

_KINDS = {int: "a number", float: "a number", str: "a text", bool: "true or false", Mapping: "a table"}


def parse_table(kind: type[Table], content: Any, where: str) -> Table:
    """A ``kind`` from a table of its fields; what the table does not name has its default.

    Lists become tuples, whole numbers become floats where those are asked for, and ``false`` stands for
    None, which TOML lacks.

    Raises:
        UserError: no table, an unknown key, a missing one, a value of the wrong kind.
    """
    if not isinstance(content, Mapping):
        raise UserError(f"{content!r} is not a table", where=where, remedy="Correct it.")
    entries = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for key in content:
        if key not in entries:
            raise UserError(
                f"unknown setting {key!r}", where=where, remedy=f"Known here: {', '.join(sorted(entries))}."
            )
    for name, entry in entries.items():
        if name not in content and entry.default is MISSING and entry.default_factory is MISSING:
            raise UserError(f"it has no setting {name!r}", where=where, remedy="Add the missing setting.")
    hints = get_type_hints(kind)
    return kind(**{name: _checked(hints[name], value, f"{where}, {name}") for name, value in content.items()})


def _checked(hint: Any, value: Any, where: str) -> Any:
    """``value`` as the type ``hint`` wants it."""
    if hint is Any:
        return value
    if isinstance(hint, UnionType):
        if value is None or value is False:
            return None
        (hint,) = (kind for kind in get_args(hint) if kind is not NoneType)
    if is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else parse_table(hint, value, where)
    kind = get_origin(hint) or hint
    if kind is tuple:
        return _checked_list(get_args(hint), value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{value!r} is not {_KINDS[kind]}", where=where, remedy="Correct it.")
    return value


def _checked_list(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise UserError(f"{value!r} is not a list", where=where, remedy="Correct it.")
    wanted = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
    if len(wanted) != len(value):
        raise UserError(f"{list(value)!r} must hold {len(wanted)} values", where=where, remedy="Correct it.")
    return tuple(_checked(kind, entry, where) for kind, entry in zip(wanted, value, strict=True))
