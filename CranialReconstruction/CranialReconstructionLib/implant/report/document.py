"""A report as a sequence of plain parts, which the page and the PDF both show in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["pass", "warn", "fail", "plain"]


@dataclass(frozen=True)
class Picture:
    """A PNG with a line to show under it and a description for who cannot see it; pixels (width, height)."""

    png: bytes
    size: tuple[int, int]
    title: str
    description: str


@dataclass(frozen=True)
class Gallery:
    """Pictures of one scale, with the bar that tells their colours and a remark."""

    title: str
    pictures: tuple[Picture, ...]
    bar: Picture | None = None
    remark: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the first cell names its row.

    Attributes:
        tones: how the last cell of each row is coloured; empty for none.
        widths: share of the width for each column.
        code: columns with hashes and file names, in letters of one width.
    """

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    widths: tuple[float, ...]
    tones: tuple[Tone, ...] = ()
    code: tuple[int, ...] = ()


@dataclass(frozen=True)
class Remark:
    """A paragraph; ``tone`` says how urgent it is."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Signature:
    """Room to sign: a line over each of the labels."""

    labels: tuple[str, ...]


Part = Gallery | Table | Remark | Signature


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    parts: tuple[Part, ...] = field(default=())


@dataclass(frozen=True)
class Document:
    """The whole report.

    Attributes:
        title: of the design.
        subtitle: iteration and date.
        notice: what it may be used for, on every page.
        stamp: on every page, not to be overlooked; None if nothing failed.
    """

    title: str
    subtitle: str
    notice: str
    stamp: str | None
    sections: tuple[Section, ...]
