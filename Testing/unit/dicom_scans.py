"""DICOM series of an ellipsoid of bone, as straight, tilted and turned scanners would write them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

# LPS millimetres.
CENTRE = np.array([5.0, -12.0, 30.0])
RADII = np.array([14.0, 17.0, 15.0])
BONE, AIR = 1000, -1000
ROWS, COLUMNS, PIXEL = 56, 48, (0.9, 1.1)


def ellipsoid(lps: np.ndarray) -> np.ndarray:
    """Hounsfield units at LPS places (..., 3): bone inside, air outside, a soft edge of 2 mm."""
    depth = (1.0 - np.linalg.norm((lps - CENTRE) / RADII, axis=-1)) * RADII.min()
    return AIR + (BONE - AIR) * np.clip(depth / 2.0 + 0.5, 0.0, 1.0)


@dataclass
class Scan:
    """A series to be written, slice by slice."""

    heights: np.ndarray
    tilt: float = 0.0
    patient: str = "one"
    study: str = "1.2.3"
    series: str = field(default_factory=generate_uid)
    number: int = 2
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    extra: dict[str, Any] = field(default_factory=dict)
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))

    def orientation(self) -> tuple[np.ndarray, np.ndarray]:
        angle = np.radians(self.tilt)
        return self.turn @ [1.0, 0.0, 0.0], self.turn @ [0.0, np.cos(angle), -np.sin(angle)]

    def position(self, height: float) -> np.ndarray:
        # The table moves along S, whatever the gantry's tilt.
        along_i, along_j = self.orientation()
        start = CENTRE - along_i * COLUMNS * PIXEL[1] / 2 - along_j * ROWS * PIXEL[0] / 2
        return start + self.turn @ [0.0, 0.0, height]

    def pixels(self, height: float) -> np.ndarray:
        along_i, along_j = self.orientation()
        rows, columns = np.meshgrid(np.arange(ROWS) * PIXEL[0], np.arange(COLUMNS) * PIXEL[1], indexing="ij")
        places = self.position(height) + columns[..., None] * along_i + rows[..., None] * along_j
        return np.rint(ellipsoid(places)).astype(np.int16)

    def write(self, folder: Path, prefix: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for place, height in enumerate(self.heights):
            # No extension, and an order of names that is not that of the places.
            self.header(height).save_as(folder / f"{prefix}{(place * 7) % 101:03d}-{place}", enforce_file_format=True)

    def header(self, height: float) -> FileDataset:
        dataset = empty_dataset(CTImageStorage)
        dataset.PatientID, dataset.PatientName = self.patient, f"{self.patient}^Test"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = self.study, self.series
        dataset.SeriesNumber, dataset.SeriesDescription, dataset.Modality = self.number, "Head", "CT"
        dataset.ImageType, dataset.SliceThickness = list(self.image_type), 1.0
        dataset.ImagePositionPatient = self.position(height).tolist()
        dataset.ImageOrientationPatient = np.concatenate(self.orientation()).tolist()
        dataset.RescaleSlope, dataset.RescaleIntercept = 2, -1024
        fill_pixels(dataset, (self.pixels(height).astype(int) + 1024) // 2)
        for keyword, value in self.extra.items():
            setattr(dataset, keyword, value)
        return dataset


def empty_dataset(sop_class: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    return dataset


def fill_pixels(dataset: FileDataset, stored: np.ndarray) -> None:
    dataset.PixelSpacing = list(PIXEL)
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = stored.astype("<u2").tobytes()


def enhanced(scan: Scan) -> FileDataset:
    """All slices in one multi-frame file, from the top down, with their places in functional groups."""
    dataset = empty_dataset(EnhancedCTImageStorage)
    dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "one", scan.study, scan.series
    dataset.Modality, dataset.SeriesNumber, dataset.NumberOfFrames = "CT", 1, len(scan.heights)

    def group(**macros: dict[str, Any]) -> pydicom.Dataset:
        item = pydicom.Dataset()
        for name, attributes in macros.items():
            macro = pydicom.Dataset()
            for keyword, value in attributes.items():
                setattr(macro, keyword, value)
            setattr(item, name, Sequence([macro]))
        return item

    dataset.SharedFunctionalGroupsSequence = Sequence(
        [
            group(
                PlaneOrientationSequence={"ImageOrientationPatient": np.concatenate(scan.orientation()).tolist()},
                PixelMeasuresSequence={"PixelSpacing": list(PIXEL), "SliceThickness": 1.0},
                CTImageFrameTypeSequence={"FrameType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]},
                PixelValueTransformationSequence={"RescaleSlope": 2, "RescaleIntercept": -1024},
            )
        ]
    )
    downwards = scan.heights[::-1]
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [group(PlanePositionSequence={"ImagePositionPatient": scan.position(height).tolist()}) for height in downwards]
    )
    fill_pixels(dataset, np.stack([(scan.pixels(height).astype(int) + 1024) // 2 for height in downwards]))
    del dataset.PixelSpacing
    return dataset
