"""A report on disk: a page for the screen and a PDF for the records."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.implant.report.as_html import html_of
from CranialReconstructionLib.implant.report.as_pdf import write_pdf
from CranialReconstructionLib.implant.report.contents import ReportContents
from CranialReconstructionLib.implant.report.sections import document_of

HTML, PDF = "report.html", "report.pdf"


def write_report(contents: ReportContents, folder: Path, made: datetime) -> None:
    """Write ``report.html`` and ``report.pdf``, drawn without a display; some seconds an implant.

    Args:
        contents: what to tell.
        folder: where to; made if it is not there.
        made: the date and time that the report bears.

    Raises:
        UserError: a file cannot be written.
    """
    document = document_of(contents, made)
    with whole_file(folder / HTML) as page:
        page.write_text(html_of(document), encoding="utf-8")
    with whole_file(folder / PDF) as pdf:
        write_pdf(document, pdf)
