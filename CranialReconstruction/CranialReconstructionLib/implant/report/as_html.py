"""A report as one HTML page that needs nothing but itself."""

from __future__ import annotations

from base64 import b64encode
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from CranialReconstructionLib.implant.report.document import (
    Document,
    Gallery,
    Part,
    Picture,
    Remark,
    Signature,
    Table,
)

STYLE = """
:root { --ink: #1c2026; --faint: #5c626a; --line: #d5d9de; --shade: #f5f6f8; --accent: #14506b; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 3rem; max-width: 62rem; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header { border-bottom: 3px solid var(--accent); padding-bottom: .75rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
header p { margin: .25rem 0 0; color: var(--faint); }
header .notice { color: var(--accent); font-weight: 600; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; color: var(--accent); }
h3 { font-size: 1rem; margin: 1.25rem 0 .4rem; }
.stamp { margin: 1.25rem 0; padding: .9rem 1.1rem; border: 4px solid #a3122a; color: #a3122a; background: #fdeef0;
  font-size: 1.3rem; font-weight: 700; overflow-wrap: anywhere; }
.remark { margin: .5rem 0; padding: .5rem .8rem; border-left: 4px solid var(--line); background: var(--shade); }
.remark.warn { border-color: #b26a00; background: #fff6e6; }
.remark.fail { border-color: #a3122a; background: #fdeef0; color: #a3122a; font-weight: 700; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; margin: .25rem 0 1rem; }
caption { text-align: left; font-weight: 600; padding: .5rem 0 .3rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid var(--ink); font-size: .85rem; }
tbody th { font-weight: 500; }
.code { font: .8rem/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
td.pass, td.warn, td.fail { font-weight: 700; white-space: nowrap; }
td.pass { color: #1c6b3c; background: #e9f5ee; }
td.warn { color: #8a5200; background: #fff1d6; }
td.fail { color: #fff; background: #a3122a; }
.gallery { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .75rem; }
.gallery.few { grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); }
.gallery.one { max-width: 30rem; }
figure { margin: 0; }
.gallery figure { border: 1px solid var(--line); }
img { display: block; width: 100%; height: auto; }
figcaption { padding: .3rem .6rem; font-size: .85rem; color: var(--faint); border-top: 1px solid var(--line); }
.bar { max-width: 34rem; margin: .75rem 0 0; }
.bar figcaption { border: 0; padding: 0 0 .2rem; color: var(--ink); }
.small { margin: .3rem 0 0; font-size: .85rem; color: var(--faint); }
.sign { display: grid; grid-template-columns: 2fr 1fr 2fr; gap: 1.5rem; margin-top: 4rem; }
.sign div { border-top: 1px solid var(--ink); padding-top: .25rem; font-size: .85rem; }
footer { margin-top: 3rem; padding-top: .5rem; border-top: 1px solid var(--line); color: var(--faint); }
@media (max-width: 34rem) { .sign { grid-template-columns: 1fr; gap: 3rem; } td.pass, td.warn, td.fail
  { white-space: normal; } th, td { padding: .35rem .4rem; } }
@media print {
  @page { size: A4; margin: 16mm 15mm; }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  h2, h3, caption { break-after: avoid; }
  figure, tr, .remark, .stamp, .sign { break-inside: avoid; }
  thead { display: table-header-group; }
  .gallery { grid-template-columns: repeat(3, 1fr); }
  .gallery.few { grid-template-columns: repeat(2, 1fr); }
  .gallery.one { grid-template-columns: 1fr; max-width: 50%; }
  .stamp, .remark, td { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"""


def html_of(document: Document) -> str:
    """The page. Texts are put in as texts, so no name can become markup."""
    page = Element("html", lang="en")
    head = SubElement(page, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "title", f"{document.title}: {document.subtitle}")
    _add(head, "style", STYLE)
    body = SubElement(page, "body")
    header = SubElement(body, "header")
    _add(header, "h1", document.title)
    _add(header, "p", document.subtitle)
    _add(header, "p", document.notice, "notice")
    main = SubElement(body, "main")
    if document.stamp:
        stamp = _add(main, "p", document.stamp, "stamp")
        stamp.set("role", "alert")
    for number, section in enumerate(document.sections, start=1):
        block = SubElement(main, "section", {"aria-labelledby": f"section-{number}"})
        _add(block, "h2", section.title).set("id", f"section-{number}")
        for part in section.parts:
            _part(block, part, section.title)
    _add(SubElement(body, "footer"), "p", document.notice)
    return "<!DOCTYPE html>\n" + ElementTree.tostring(page, encoding="unicode", method="html") + "\n"


def _part(block: Element, part: Part, heading: str) -> None:
    match part:
        case Table():
            _table(block, part, heading)
        case Gallery():
            _gallery(block, part)
        case Remark():
            _add(block, "p", part.text, f"remark {part.tone}")
        case Signature():
            lines = SubElement(block, "div", {"class": "sign"})
            for label in part.labels:
                _add(lines, "div", label)


def _table(block: Element, part: Table, heading: str) -> None:
    table = SubElement(SubElement(block, "div", {"class": "wide"}), "table")
    if part.title != heading:
        _add(table, "caption", part.title)
    header = SubElement(SubElement(table, "thead"), "tr")
    for name, width in zip(part.header, part.widths, strict=True):
        _add(header, "th", name).attrib.update(scope="col", style=f"width: {100.0 * width:g}%")
    body = SubElement(table, "tbody")
    for number, (name, *cells) in enumerate(part.rows):
        row = SubElement(body, "tr")
        _add(row, "th", name).set("scope", "row")
        for column, text in enumerate(cells, start=1):
            _add(row, "td", text, "code" if column in part.code else "")
        if part.tones:
            row[-1].set("class", part.tones[number])


def _gallery(block: Element, part: Gallery) -> None:
    _add(block, "h3", part.title)
    few = {1: " one", 2: " few", 4: " few"}.get(len(part.pictures), "")
    grid = SubElement(block, "div", {"class": f"gallery{few}"})
    for picture in part.pictures:
        figure = SubElement(grid, "figure")
        _image(figure, picture)
        _add(figure, "figcaption", picture.title)
    if part.bar:
        figure = SubElement(block, "figure", {"class": "bar"})
        _add(figure, "figcaption", part.bar.title)
        _image(figure, part.bar)
    if part.remark:
        _add(block, "p", part.remark, "small")


def _image(figure: Element, picture: Picture) -> None:
    width, height = picture.size
    source = "data:image/png;base64," + b64encode(picture.png).decode("ascii")
    SubElement(figure, "img", src=source, alt=picture.description, width=str(width), height=str(height))


def _add(parent: Element, tag: str, text: str, style: str = "") -> Element:
    element = SubElement(parent, tag, {"class": style} if style else {})
    # Browsers take no control characters.
    element.text = "".join(letter for letter in text if letter.isprintable() or letter == "\n")
    return element
