"""A mesh in the archive: DICOM Encapsulated STL.

DICOM PS3.3 A.85.1 (Encapsulated STL IOD), C.24.2 (Encapsulated Document), C.35.1 (Manufacturing 3D Model).
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import EncapsulatedSTLStorage, ExplicitVRLittleEndian, generate_uid

from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.implant.export.about import CREATOR, RESEARCH_USE_ONLY, About, Pieces, joined
from CranialReconstructionLib.implant.export.dicom_source import DicomSource, anonymous
from CranialReconstructionLib.implant.export.stl import stl_bytes

# Far from the numbers that scanners give.
SERIES_NUMBER = 9001
# Bytes of the value representations LO and ST (PS3.5 6.2), of which a letter may take several.
_LONG_STRING, _SHORT_TEXT = 64, 1024


def write_dicom_stl(pieces: Pieces, path: Path, about: About, source: DicomSource | None = None) -> None:
    """Write a DICOM file that holds a binary STL.

    DICOM's frame is LPS, whatever ``about.frame`` says. Patient, study and frame of reference are those of
    ``source``; without it the patient is unnamed, and study and frame of reference are new. It is a new
    series; the instance has the design's number.

    Raises:
        UserError: nothing to write, or no right or space to write it.
    """
    about = replace(about, frame="LPS")
    stl = stl_bytes(joined(pieces), about)
    now = datetime.datetime.now()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = EncapsulatedSTLStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    file.SpecificCharacterSet = "ISO_IR 192"
    file.SOPClassUID = EncapsulatedSTLStorage
    file.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _origin(file, source)
    _series(file, about)
    file.InstanceNumber = about.number
    file.ContentDate = file.InstanceCreationDate = now.strftime("%Y%m%d")
    file.ContentTime = file.InstanceCreationTime = now.strftime("%H%M%S")
    file.BurnedInAnnotation = "NO"
    file.DocumentTitle = _fitting(f"{RESEARCH_USE_ONLY}: {'; '.join(about.lines)}", _SHORT_TEXT)
    file.ConceptNameCodeSequence = [_coded(codes.cid7061.CT3DCAMModel)]
    file.MIMETypeOfEncapsulatedDocument = "model/stl"
    file.EncapsulatedDocumentLength = len(stl)
    # Every value in DICOM has an even length; the stated one is without the padding.
    file.EncapsulatedDocument = stl + bytes(len(stl) % 2)
    file.MeasurementUnitsCodeSequence = [_coded(codes.UCUM.Millimeter)]
    with whole_file(path) as part:
        file.save_as(part, enforce_file_format=True)


def _origin(file: Any, source: DicomSource | None) -> None:
    """Patient, study, frame of reference, and the images that the model comes from."""
    file.PositionReferenceIndicator = ""
    file.AcquisitionDateTime = ""
    if source is None:
        anonymous(file)
        return
    first = source.headers[0]
    source.copy_patient_and_study(file)
    if not file.get("FrameOfReferenceUID"):
        file.FrameOfReferenceUID = generate_uid()
    day, time = (str(first.get(keyword) or "") for keyword in ("AcquisitionDate", "AcquisitionTime"))
    file.AcquisitionDateTime = first.get("AcquisitionDateTime") or (day + time if day else "")
    file.SourceInstanceSequence = [_reference(header) for header in source.headers]


def _series(file: Any, about: About) -> None:
    file.Modality = "M3D"
    file.SeriesInstanceUID = generate_uid()
    file.SeriesNumber = SERIES_NUMBER
    file.SeriesDescription = _fitting(f"{RESEARCH_USE_ONLY}: {about.title}", _LONG_STRING)
    file.Manufacturer = file.ManufacturerModelName = CREATOR
    file.DeviceSerialNumber = "none"
    file.SoftwareVersions = _fitting(about.version, _LONG_STRING)


def _reference(header: Any) -> Any:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    return item


def _coded(code: Any) -> Any:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def _fitting(text: str, size: int) -> str:
    return text.encode("utf-8")[:size].decode("utf-8", "ignore")
