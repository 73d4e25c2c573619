"""The slices in DICOM files: their place, their series, their Hounsfield units."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import SimpleITK as sitk
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Array

# Nothing is thinner than air; lower values are the padding around the reconstruction circle.
AIR = -1024

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])

_FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_TAGS = [
    "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription",
    "StudyDate", "PatientID", "PatientName", "Modality", "ImageType", "AcquisitionNumber",
    "ConvolutionKernel", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "Rows", "Columns", "SamplesPerPixel", "RescaleSlope", "RescaleIntercept", "NumberOfFrames",
    *_FUNCTIONAL_GROUPS,
]  # fmt: skip
# What pydicom raises on a header that is damaged or filled with what the standard does not allow.
_DAMAGED = (
    AttributeError,
    BytesLengthException,
    EOFError,
    KeyError,
    NotImplementedError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, eq=False)
class DicomSlice:
    """One slice: a file, or one frame of a multi-frame file. Places in RAS, lengths in millimetres."""

    path: Path
    frame: int
    frames: int
    instance: str
    study: str
    study_date: str
    series: str
    series_number: str
    description: str
    patient_id: str
    patient_name: str
    modality: str
    image_type: tuple[str, ...]
    acquisition: str
    kernel: str
    thickness: float | None
    position: npt.NDArray[np.float64]
    along_i: npt.NDArray[np.float64]
    along_j: npt.NDArray[np.float64]
    spacing: tuple[float, float]
    shape: tuple[int, int]
    rescale: tuple[float, float] | None

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """Unit vector across the slice, in RAS."""
        return np.cross(self.along_i, self.along_j)

    @property
    def height(self) -> float:
        """Place of the slice along its normal."""
        return float(self.position @ self.normal)

    def stacks_with(self, other: DicomSlice) -> bool:
        """Whether one volume can hold both: same series, kernel, size, spacing and orientation."""
        return (
            (self.series, self.kernel, self.shape) == (other.series, other.kernel, other.shape)
            and np.allclose(self.spacing, other.spacing, rtol=1e-4)
            and np.allclose(self.along_i, other.along_i, atol=1e-3)
            and np.allclose(self.along_j, other.along_j, atol=1e-3)
        )


def find_slices(folder: Path) -> tuple[list[DicomSlice], list[str]]:
    """Every slice under ``folder`` that states its place, and what was passed over, for the user.

    Files are known by their content. A DICOMDIR, documents, reports and pictures without a place in the
    patient are passed over in silence, damaged files are counted.
    """
    slices: list[DicomSlice] = []
    damaged: list[Path] = []
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        if path.name.upper() == "DICOMDIR":
            continue
        try:
            header = _header(path)
            slices.extend(_slices_of(header, path) if header is not None else ())
        except _DAMAGED:
            damaged.append(path)
        except OSError as error:
            raise UserError(
                f"it cannot be read ({error.strerror or error})",
                where=str(path),
                remedy="Check the rights on the file.",
            ) from error
    notes = []
    if damaged:
        notes.append(f"{len(damaged)} damaged DICOM files were left out (first: {damaged[0].name})")
    return slices, notes


def _header(path: Path) -> Any:
    """The header of a DICOM file, None of any other. Old archives leave out the preamble that tells them apart."""
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
    except InvalidDicomError:
        pass
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS, force=True)
        named = header.get("SOPInstanceUID") and header.get("SeriesInstanceUID")
    except (*_DAMAGED, InvalidDicomError, MemoryError, OverflowError):
        return None
    return header if named else None


def _slices_of(header: Any, path: Path) -> Iterable[DicomSlice]:
    if not header.get("Rows") or int(header.get("SamplesPerPixel") or 1) != 1:
        return
    frames = int(header.get("NumberOfFrames") or 1)
    for frame in range(frames):
        flat = _flattened(header, frame)
        if all(flat.get(tag) for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")):
            yield _slice(flat, path, frame, frames)


def _flattened(header: Any, frame: int) -> Any:
    """The header as a single-frame file would state it: an enhanced one keeps most of it in groups."""
    if _FUNCTIONAL_GROUPS[1] not in header:
        return header
    flat = pydicom.Dataset()
    flat.update({element.tag: element for element in header if element.keyword not in _FUNCTIONAL_GROUPS})
    shared = header.get(_FUNCTIONAL_GROUPS[0]) or [pydicom.Dataset()]
    for group in (shared[0], header[_FUNCTIONAL_GROUPS[1]].value[frame]):
        for macro in group:
            if macro.VR == "SQ" and macro.value:
                flat.update(macro.value[0])
    if "FrameType" in flat:
        flat.ImageType = flat.FrameType
    return flat


def _slice(header: Any, path: Path, frame: int, frames: int) -> DicomSlice:
    def text(keyword: str) -> str:
        value = header.get(keyword)
        return "" if value is None else str(value).strip()

    along_i, along_j = np.array(header.ImageOrientationPatient, dtype=np.float64).reshape(2, 3) * _LPS_TO_RAS
    position = np.array(header.ImagePositionPatient, dtype=np.float64).reshape(3) * _LPS_TO_RAS
    row_distance, column_distance = (float(length) for length in header.PixelSpacing)
    lengths = np.linalg.norm(along_i), np.linalg.norm(along_j)
    if not np.allclose(lengths, 1.0, atol=1e-2) or not np.isfinite(position).all():
        raise ValueError("the place of the slice is not valid")
    if not (row_distance > 0.0 and column_distance > 0.0):
        raise ValueError("the pixel spacing is not valid")
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    if slope is not None and not float(slope) > 0.0:
        raise ValueError("the rescale is not valid")
    thickness = header.get("SliceThickness")
    return DicomSlice(
        path=path,
        frame=frame,
        frames=frames,
        instance=text("SOPInstanceUID"),
        study=text("StudyInstanceUID"),
        study_date=text("StudyDate"),
        series=text("SeriesInstanceUID"),
        series_number=text("SeriesNumber"),
        description=text("SeriesDescription"),
        patient_id=text("PatientID"),
        patient_name="".join(letter for letter in text("PatientName").casefold() if letter.isalnum()),
        modality=text("Modality"),
        image_type=tuple(str(word).upper() for word in header.get("ImageType") or ()),
        acquisition=text("AcquisitionNumber"),
        kernel=text("ConvolutionKernel"),
        thickness=None if thickness is None else float(thickness),
        position=position,
        along_i=along_i / lengths[0],
        along_j=along_j / lengths[1],
        spacing=(column_distance, row_distance),
        shape=(int(header.Rows), int(header.Columns)),
        rescale=None if slope is None or intercept is None else (float(slope), float(intercept)),
    )


def read_hounsfield(slices: list[DicomSlice]) -> Array:
    """(K, J, I) int16: the slices in their given order, in Hounsfield units, not below ``AIR``.

    Raises:
        UserError: pixels that are missing, cut short, or in a compression that cannot be decoded.
    """
    voxels = np.empty((len(slices), *slices[0].shape), dtype=np.int16)
    places: dict[Path, list[int]] = {}
    for place, one in enumerate(slices):
        places.setdefault(one.path, []).append(place)
    for path, here in places.items():
        units = _units_of_file(path, [slices[place] for place in here])
        for place, values in zip(here, units, strict=True):
            voxels[place] = np.clip(np.rint(values), AIR, np.iinfo(np.int16).max)
    return voxels


def _units_of_file(path: Path, slices: list[DicomSlice]) -> list[Array]:
    """The Hounsfield units of some frames of a file, whole or fractional."""
    rescales = [one.rescale or (1.0, 0.0) for one in slices]
    encoding = "encoding not stated"
    try:
        dataset = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:
            # Without a preamble nothing states it, and pydicom has seen it.
            implicit, _ = dataset.original_encoding
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        encoding = syntax.name if syntax else encoding
        compressed = bool(syntax) and syntax.is_compressed and not syntax.is_deflated
        if compressed and len(set(rescales)) > 1:
            raise UserError(
                "it is compressed and each of its frames has its own grey scale",
                where=str(path),
                remedy="Export it uncompressed, or as one file a slice.",
            )
        if compressed:
            # GDCM knows the medical compressions that need extra packages elsewhere, and applies the rescale.
            frames = sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
            rescales = [(1.0, 0.0)] * len(slices)
        else:
            frames = dataset.pixel_array
    except (OSError, RuntimeError, *_DAMAGED) as error:
        raise UserError(
            f"its pixels ({encoding}) are damaged, cut short, or cannot be decoded",
            where=str(path),
            remedy="Export it again, uncompressed if possible (Explicit VR Little Endian).",
        ) from error
    frames = frames.reshape(-1, *slices[0].shape)
    return [
        frames[one.frame] * np.float32(slope) + np.float32(intercept)
        for one, (slope, intercept) in zip(slices, rescales, strict=True)
    ]
