"""What cuts may look like, by name and with changes: sizes and places as a user wants them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from CranialAugmentationTrainerLib.augmentation.deformable_masking import MASKING_PRESETS, MaskingRange
from CranialReconstructionLib.errors import UserError

WHERE = "masking settings"


def masking_range(preset: str = "mixed", changes: Iterable[str] = ()) -> MaskingRange:
    """A preset with settings of ``MaskingRange`` changed: ``radius=[20, 5]``, ``places=[[0, 1, 1, 30]]``.

    Args:
        preset: a key of ``MASKING_PRESETS``.
        changes: each ``name=value``, the value in JSON.

    Raises:
        UserError: no such preset or setting, a value of another kind, values that do not go together.
    """
    if preset not in MASKING_PRESETS:
        raise UserError(f"no preset {preset!r}", where=WHERE, remedy=f"Known: {', '.join(MASKING_PRESETS)}.")
    return replace(MASKING_PRESETS[preset], **dict(_change(words) for words in changes))


def _change(words: str) -> tuple[str, Any]:
    name, equals, text = words.partition("=")
    known = {field.name: field.default for field in fields(MaskingRange)}
    if not equals or name not in known:
        raise UserError(f"{words!r} names no setting", where=WHERE, remedy=f"Known: {', '.join(known)}.")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    fitted = _places(value) if name == "places" else _like(known[name], value)
    if fitted is None:
        example = json.dumps(known[name] or [[0.0, 1.0, 1.0, 30.0]])
        raise UserError(f"{text!r} is no value of {name}", where=WHERE, remedy=f"Write it like {name}={example}.")
    return name, fitted


def _like(default: Any, value: Any) -> Any:
    """``value`` as the same kind as ``default``, a number or some; None if it is of another kind."""
    if isinstance(default, tuple):
        numbers = _numbers(value)
        return numbers if numbers is not None and len(numbers) == len(default) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(default, int):
        return value if isinstance(value, int) else None
    return float(value)


def _places(value: Any) -> tuple[tuple[float, ...], ...] | None:
    places = [_numbers(place) for place in value] if isinstance(value, list) else [None]
    whole = tuple(place for place in places if place is not None)
    return whole if len(whole) == len(places) else None


def _numbers(value: Any) -> tuple[float, ...] | None:
    if not isinstance(value, list):
        return None
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in value):
        return None
    return tuple(float(number) for number in value)
