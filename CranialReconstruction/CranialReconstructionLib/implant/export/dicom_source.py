"""The DICOM series that an implant or a defect was made from: its patient, study and frame of reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.dicom import read_dicom_series
from CranialReconstructionLib.imaging.dicom_slices import DicomSlice, find_slices

# DICOM PS3.3 C.7.1.1 and C.7.2.1: what must be there, if only empty, and what goes along where it is stated.
_PATIENT_AND_STUDY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_OPTIONAL = (
    "IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight", "PatientIdentityRemoved",
    "DeidentificationMethod", "StudyDescription",
)  # fmt: skip

_REPORTED = {
    "Name": "PatientName",
    "Patient ID": "PatientID",
    "Birth date": "PatientBirthDate",
    "Sex": "PatientSex",
    "Study date": "StudyDate",
    "Study": "StudyDescription",
    "Accession number": "AccessionNumber",
}


@dataclass(frozen=True, eq=False)
class DicomSource:
    """A series without its pixels. It names the patient.

    Attributes:
        folder: where it was found.
        slices: places of the slices, RAS millimetres, in the order of ``headers`` and of their frames.
        headers: a pydicom data set for each file.
    """

    folder: Path
    slices: tuple[DicomSlice, ...]
    headers: tuple[Any, ...]

    def patient(self) -> dict[str, str]:
        """What a report may say of patient and study: only what is stated, and only when it was asked for."""
        first = self.headers[0]
        return {label: str(first.get(keyword)) for label, keyword in _REPORTED.items() if first.get(keyword)}

    def copy_patient_and_study(self, target: Any) -> None:
        """Put patient, study and frame of reference into another data set, as text in UTF-8."""
        first = self.headers[0]
        target.StudyInstanceUID = first.StudyInstanceUID
        for keyword in (*_PATIENT_AND_STUDY, *_OPTIONAL, "FrameOfReferenceUID", "PositionReferenceIndicator"):
            if keyword in first:
                value = first.get(keyword)
                setattr(target, keyword, str(value) if keyword.endswith("Name") else value)


def read_dicom_source(folder: Path, series_uid: str | None = None) -> DicomSource:
    """The headers of a series under ``folder``.

    Args:
        folder: searched with its subfolders.
        series_uid: SeriesInstanceUID, as ``read_dicom_series`` gives it for the volume that it read. Without it
            the one series there, or of several the one that ``read_dicom_series`` chooses.

    Raises:
        UserError: no such series.
    """
    found, _ = find_slices(folder)
    held = dict.fromkeys(one.series for one in found)
    wanted = next(iter(held), None) if series_uid is None else series_uid
    if series_uid is None and len(held) > 1:
        wanted = read_dicom_series(folder).series_uid
    if wanted not in held:
        raise UserError(
            "it holds no DICOM slices" if series_uid is None else f"it holds no series {series_uid}",
            where=str(folder),
            remedy="Give the folder of the DICOM series that the volume was read from.",
        )
    # The same file twice in the folder is one instance.
    slices = tuple({(one.instance, one.frame): one for one in found if one.series == wanted}.values())
    paths = dict.fromkeys(one.path for one in slices)
    return DicomSource(folder, slices, tuple(_header(path) for path in paths))


def anonymous(target: Any) -> None:
    """Put an unnamed patient, a new study and a new frame of reference into a data set."""
    for keyword in _PATIENT_AND_STUDY:
        setattr(target, keyword, "")
    target.StudyInstanceUID = pydicom.uid.generate_uid()
    target.FrameOfReferenceUID = pydicom.uid.generate_uid()


def _header(path: Path) -> Any:
    """A file's header, with what the standard wants there at least empty."""
    header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    for keyword in _PATIENT_AND_STUDY:
        if keyword not in header:
            setattr(header, keyword, "")
    return header
