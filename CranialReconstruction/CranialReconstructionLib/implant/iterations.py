"""The number of a design counts its iterations."""

from __future__ import annotations

from dataclasses import replace

from CranialReconstructionLib.implant.design import Design


def numbered(design: Design, start: Design | None, previous: Design | None) -> Design:
    """The design with the number that it should have.

    Args:
        design: what is to be made.
        start: the saved design that it was changed from, if any.
        previous: the design of what the output folder holds, if anything.

    Returns:
        One more than ``start`` and ``previous`` where it differs from them; an unchanged design keeps its number.
    """
    number = design.number
    if start is not None:
        number = start.number + (not _same(design, start))
    if previous is not None:
        number = max(number, previous.number + (not _same(design, previous)))
    return replace(design, number=number)


def _same(one: Design, other: Design) -> bool:
    return replace(one, number=1) == replace(other, number=1)
