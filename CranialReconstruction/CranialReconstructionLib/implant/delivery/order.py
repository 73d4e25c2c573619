"""How an implant is to be written, and the case that it is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.export.about import Frame
from CranialReconstructionLib.implant.export.algorithm import Algorithm
from CranialReconstructionLib.implant.export.formats import DICOM_SEG, DICOM_STL, parse_formats

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.export.dicom_source import DicomSource

PATIENT = "the patient in the report"


@dataclass(frozen=True, eq=False)
class Case:
    """What an implant is made from.

    Attributes:
        skull, defect, confidence: volumes on one grid.
        algorithm: what found the defect.
        inputs: what went in (with its file's name) -> SHA256.
        warnings: of the scan, and of how it was read.
    """

    skull: Volume
    defect: Volume
    confidence: Volume | None
    algorithm: Algorithm
    inputs: Mapping[str, str]
    warnings: tuple[str, ...] = ()


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
        warnings: what the user should know of it.
    """

    formats: tuple[str, ...]
    frame: Frame = "LPS"
    source: DicomSource | None = None
    patient: Mapping[str, str] = field(default_factory=dict)
    report: bool = True
    force: bool = False
    warnings: tuple[str, ...] = ()


def delivery_of(
    formats: Sequence[str],
    frame: Frame = "LPS",
    series: Path | None = None,
    patient: bool = False,
    report: bool = True,
    force: bool = False,
) -> Delivery:
    """A delivery whose series, if anything needs it, has been read.

    Args:
        series: folder of the DICOM series that the skull comes from.
        patient: whether the report names its patient.

    Raises:
        UserError: unknown format, no such series, or none where one is needed.
    """
    formats = parse_formats(",".join(formats))
    needing = [DICOM_SEG] * (DICOM_SEG in formats) + [PATIENT] * patient
    if series is None and needing:
        raise UserError(
            "the patient's DICOM series is needed", where=needing[0], remedy="Name the folder of the source series."
        )
    if series is not None and not series.is_dir():
        raise UserError("there is no such folder", where=str(series), remedy="Name the folder of a DICOM series.")
    source = None
    if series is not None and (needing or DICOM_STL in formats):
        # Its library takes long to load.
        from CranialReconstructionLib.implant.export.dicom_source import read_dicom_source

        source = read_dicom_source(series)
    warnings: tuple[str, ...] = ()
    if DICOM_STL in formats and source is None:
        warnings = ("without the source series the DICOM files are of an unnamed patient and of a new study",)
    named = source.patient() if source is not None and patient else {}
    return Delivery(formats, frame, source, named, report, force, warnings)
