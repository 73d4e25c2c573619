"""A report as PDF: A4, numbered pages, the same parts in the same order as the page."""

from __future__ import annotations

import unicodedata
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, Flowable, Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus import Table as Grid

from CranialReconstructionLib.implant.report.document import (
    Document,
    Gallery,
    Picture,
    Remark,
    Signature,
    Table,
    Tone,
)

# Bitstream Vera, free to be embedded, comes with reportlab and has the letters of most Latin scripts.
FONT, BOLD = "Vera", "VeraBd"
INK, FAINT, LINE, ACCENT, ALARM = map(HexColor, ("#1c2026", "#5c626a", "#d5d9de", "#14506b", "#a3122a"))
TONES: dict[Tone, tuple[HexColor, HexColor]] = {
    "plain": (INK, HexColor("#f5f6f8")),
    "pass": (HexColor("#1c6b3c"), HexColor("#e9f5ee")),
    "warn": (HexColor("#8a5200"), HexColor("#fff1d6")),
    "fail": (white, ALARM),
}
MARGIN, HEAD_ROOM = 16.0 * mm, 24.0 * mm
WIDTH = A4[0] - 2.0 * MARGIN
PICTURE_GAP = 2.5 * mm
LARGEST_PICTURE = 78.0 * mm
BAR_WIDTH = 92.0 * mm
# What a heading, or a table's title, needs under it, or it goes to the next page.
HEADING_ROOM, TITLE_ROOM = 55.0 * mm, 25.0 * mm


def write_pdf(document: Document, path: Path) -> None:
    """Write the report; letters that the font lacks lose their accents or become question marks."""
    _register_fonts()
    template = SimpleDocTemplate(
        str(path),
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=HEAD_ROOM,
        bottomMargin=20.0 * mm,
        title=f"{document.title}: {document.subtitle}",
        subject=document.notice,
        creator="SlicerCranialReconstruction",
    )
    story: list[Flowable] = [
        _paragraph(document.title, _style(18, bold=True)),
        _paragraph(document.subtitle, _style(9, FAINT)),
        _paragraph(document.notice, _style(9, ACCENT, bold=True)),
        Spacer(0, 3 * mm),
    ]
    if document.stamp:
        story += [_boxed(document.stamp, _style(13, white, bold=True), ALARM), Spacer(0, 3 * mm)]
    for section in document.sections:
        heading = _paragraph(section.title, _style(13, ACCENT, bold=True, before=5 * mm))
        for number, part in enumerate(section.parts):
            before = [] if number else [heading]
            if isinstance(part, Gallery):
                story.append(KeepTogether([*before, *_gallery(part)]))
            else:
                story += [CondPageBreak(HEADING_ROOM if before else TITLE_ROOM), *before, *_part(part, section.title)]
    template.build(story, canvasmaker=lambda *words, **options: _NumberedPages(document, *words, **options))


class _NumberedPages(Canvas):
    """Pages with the title above and their number below, known once all of them are there."""

    def __init__(self, document: Document, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self._document = document
        self._states: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 (reportlab's name)
        self._states.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        states = self._states
        for number, state in enumerate(states, start=1):
            self.__dict__.update(state)
            self._furnish(number, len(states))
            super().showPage()
        super().save()

    def _furnish(self, number: int, count: int) -> None:
        top, right = A4[1] - 13.0 * mm, A4[0] - MARGIN
        self.setFillColor(FAINT)
        self.setFont(FONT, 7.5)
        if number > 1:
            self.drawString(MARGIN, top, _shortened(self._document.title, 60))
        self.drawString(MARGIN, 11.0 * mm, self._document.notice)
        self.drawRightString(right, 11.0 * mm, f"Page {number} of {count}")
        if self._document.stamp:
            self.setFillColor(ALARM)
            self.setFont(BOLD, 9)
            self.drawRightString(right, top, _shortened(self._document.stamp, 60))
        self.setStrokeColor(LINE)
        self.line(MARGIN, 15.0 * mm, right, 15.0 * mm)
        self.line(MARGIN, top - 2.0 * mm, right, top - 2.0 * mm)


def _part(part: Table | Remark | Signature, heading: str) -> list[Flowable]:
    match part:
        case Table():
            return _table(part, heading)
        case Remark():
            ink, paper = TONES[part.tone]
            return [_boxed(part.text, _style(9, ink, bold=part.tone == "fail"), paper), Spacer(0, 2 * mm)]
        case Signature():
            return [_signature(part)]


def _table(part: Table, heading: str) -> list[Flowable]:
    header = [_paragraph(name, _style(7.5, bold=True)) for name in part.header]
    plain, code = _style(8), _style(7.2)
    cells = [
        [_paragraph(text, code if column in part.code else plain) for column, text in enumerate(row)]
        for row in part.rows
    ]
    look: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, 0), 1.0, INK),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, LINE),
        ("TOPPADDING", (0, 0), (-1, -1), 2.2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.8),
        ("LEFTPADDING", (0, 0), (-1, -1), 3.0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3.0),
    ]
    for number, tone in enumerate(part.tones):
        ink, paper = TONES[tone]
        cells[number][-1] = _paragraph(part.rows[number][-1], _style(8, ink, bold=True))
        look.append(("BACKGROUND", (-1, number + 1), (-1, number + 1), paper))
    grid = Grid([header, *cells], [share * WIDTH for share in part.widths], repeatRows=1, style=look, hAlign="LEFT")
    title = [_paragraph(part.title, _style(9, bold=True, before=2 * mm))] if part.title != heading else []
    return [*title, grid, Spacer(0, 2 * mm)]


def _gallery(part: Gallery) -> list[Flowable]:
    columns = 3 if len(part.pictures) % 3 == 0 else 2
    width = min((WIDTH - (columns - 1) * PICTURE_GAP) / columns, LARGEST_PICTURE)
    caption = _style(7.5, FAINT)
    shown = [[_image(picture, width), _paragraph(picture.title, caption)] for picture in part.pictures]
    shown += [[]] * (-len(shown) % columns)
    rows = [shown[first : first + columns] for first in range(0, len(shown), columns)]
    pad = [(f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP")]
    grid = Grid(rows, [width + PICTURE_GAP] * columns, style=[*pad, ("VALIGN", (0, 0), (-1, -1), "TOP")], hAlign="LEFT")
    together: list[Flowable] = [_paragraph(part.title, _style(10, bold=True, before=2 * mm)), Spacer(0, 1 * mm), grid]
    if part.bar:
        together += [_paragraph(part.bar.title, _style(8)), _image(part.bar, BAR_WIDTH)]
    if part.remark:
        together.append(_paragraph(part.remark, caption))
    return [*together, Spacer(0, 2 * mm)]


def _signature(part: Signature) -> Flowable:
    labels = [_paragraph(label, _style(8, FAINT)) for label in part.labels]
    gap = 6.0 * mm
    room = (WIDTH - gap * (len(labels) - 1)) / len(labels)
    cells: list[Any] = []
    widths: list[float] = []
    look: list[tuple[Any, ...]] = [("LEFTPADDING", (0, 0), (-1, -1), 0)]
    for number, label in enumerate(labels):
        if number:
            cells.append("")
            widths.append(gap)
        look.append(("LINEABOVE", (len(cells), 0), (len(cells), 0), 0.6, INK))
        cells.append(label)
        widths.append(room)
    return KeepTogether([Spacer(0, 20 * mm), Grid([cells], widths, style=look, hAlign="LEFT")])


def _boxed(text: str, style: ParagraphStyle, paper: HexColor) -> Flowable:
    look = [
        ("BACKGROUND", (0, 0), (-1, -1), paper),
        ("TOPPADDING", (0, 0), (-1, -1), 5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
    ]
    return Grid([[_paragraph(text, style)]], [WIDTH], style=look, hAlign="LEFT")


def _image(picture: Picture, width: float) -> Image:
    columns, rows = picture.size
    return Image(BytesIO(picture.png), width, width * rows / columns, hAlign="LEFT")


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(_known(text)), style)


@cache
def _style(size: float, ink: HexColor = INK, bold: bool = False, before: float = 0.0) -> ParagraphStyle:
    return ParagraphStyle(
        f"{size} {ink} {bold} {before}",
        fontName=BOLD if bold else FONT,
        fontSize=size,
        leading=1.36 * size,
        textColor=ink,
        spaceBefore=before,
        spaceAfter=0.25 * size,
        splitLongWords=1,
    )


def _known(text: str) -> str:
    """``text`` in letters that the font has."""
    glyphs = pdfmetrics.getFont(FONT).face.charToGlyph

    def shown(letter: str) -> str:
        if ord(letter) in glyphs and letter.isprintable():
            return letter
        if letter.isspace():
            return " "
        plain = [part for part in unicodedata.normalize("NFKD", letter) if ord(part) in glyphs]
        return "".join(plain) or "?"

    return "".join(map(shown, text))


def _shortened(text: str, length: int) -> str:
    known = _known(text)
    return known if len(known) <= length else known[: length - 1].rstrip() + "…"


@cache
def _register_fonts() -> None:
    for name in (FONT, BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
