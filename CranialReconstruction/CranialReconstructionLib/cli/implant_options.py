"""How an implant is written: the options that ``implant`` and ``reconstruct`` share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.export.about import Frame
    from CranialReconstructionLib.implant.export.dicom_source import DicomSource


@dataclass(frozen=True)
class Delivery:
    """How an implant is to be written.

    Attributes:
        formats: of ``implant.export.formats``.
        frame: of the meshes' coordinates.
        source: the series whose patient and study DICOM files join.
        patient: what the report may say of the patient; empty unless asked for.
        report: whether report.html and report.pdf are made.
        force: write even if a check fails.
    """

    formats: tuple[str, ...]
    frame: Frame
    source: DicomSource | None
    patient: Mapping[str, str]
    report: bool
    force: bool


def add_delivery_arguments(parser: Any) -> None:
    """The options of how an implant is written, for a parser or a group of one."""
    parser.add_argument(
        "--format", default="stl,3mf", metavar="LIST",
        help="of stl, ply, obj, 3mf, glb, dicom-stl, dicom-seg, the last of the missing bone (stl,3mf)",
    )  # fmt: skip
    parser.add_argument("--frame", choices=("LPS", "RAS"), default="LPS", help="of the files' coordinates")
    parser.add_argument(
        "--source", type=Path, metavar="DICOM_FOLDER",
        help="the series whose patient and study DICOM files join (default: the skull's, if that is a DICOM folder)",
    )  # fmt: skip
    parser.add_argument("--patient", action="store_true", help="name the patient of the series in the report")
    parser.add_argument("--no-report", action="store_true", help="make no report.html and report.pdf")
    parser.add_argument("--force", action="store_true", help="write even if a check fails")


def delivery_of(options: argparse.Namespace, scan: Path) -> tuple[Delivery, tuple[str, ...]]:
    """What the options ask for, and warnings.

    Args:
        scan: what the skull was read from: the source if it is a DICOM folder and no other is named.

    Raises:
        UserError: unknown format, no such series, or none where one is needed.
    """
    from CranialReconstructionLib.implant.export.formats import DICOM_SEG, DICOM_STL, parse_formats

    formats = parse_formats(options.format)
    needing = [what for what in (DICOM_SEG,) if what in formats] + ["--patient"] * options.patient
    if options.source is not None and not options.source.is_dir():
        raise UserError(
            "there is no such folder", where=str(options.source), remedy="Name the folder of a DICOM series."
        )
    folder = options.source or (scan if scan.is_dir() else None)
    if folder is None and needing:
        raise UserError(
            "the patient's DICOM series is needed", where=needing[0], remedy="Name its folder with --source."
        )
    wanted = bool(options.source or needing or DICOM_STL in formats)
    source = None
    if folder is not None and wanted:
        from CranialReconstructionLib.implant.export.dicom_source import read_dicom_source

        source = read_dicom_source(folder)
    warnings: tuple[str, ...] = ()
    if DICOM_STL in formats and source is None:
        warnings = ("without --source the DICOM files are of an unnamed patient and of a new study",)
    patient = source.patient() if source is not None and options.patient else {}
    return Delivery(formats, options.frame, source, patient, not options.no_report, options.force), warnings
