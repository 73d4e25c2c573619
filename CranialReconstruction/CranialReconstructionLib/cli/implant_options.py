"""How an implant is written: the options that ``implant`` and ``reconstruct`` share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.delivery.order import Delivery


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


def delivery_asked_for(options: argparse.Namespace, scan: Path) -> Delivery:
    """What the options ask for.

    Args:
        scan: what the skull was read from: the source if it is a DICOM folder and no other is named.

    Raises:
        UserError: unknown format, no such series, or none where one is needed.
    """
    from CranialReconstructionLib.implant.delivery.order import delivery_of

    series = options.source or (scan if scan.is_dir() else None)
    formats = options.format.split(",")
    return delivery_of(formats, options.frame, series, options.patient, not options.no_report, options.force)
