"""Figures of a run as a person reads them."""

from __future__ import annotations


def number_in_words(value: float | str | None) -> str:
    """Four digits; empty where there is none."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, int | float) else str(value)


def duration_in_words(seconds: float | None) -> str:
    """Hours and minutes, or minutes and seconds; "none" where there is none."""
    if seconds is None:
        return "none"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
