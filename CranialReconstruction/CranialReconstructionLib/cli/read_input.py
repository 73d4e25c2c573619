"""The input of a command, with all that its user should know about how it was scanned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from CranialReconstructionLib.imaging.volume import Volume


def read_input(path: Path) -> tuple[Volume, tuple[str, ...]]:
    """A volume file or the DICOM series of a folder, and warnings."""
    from CranialReconstructionLib.imaging.dicom import read_dicom_series
    from CranialReconstructionLib.imaging.file_checks import checked
    from CranialReconstructionLib.imaging.files import read_volume
    from CranialReconstructionLib.imaging.scan_warnings import slice_warnings

    if path.is_dir():
        series = read_dicom_series(path)
        return checked(series.volume), series.warnings
    volume = read_volume(path)
    return volume, tuple(slice_warnings(volume))


def read_skull(path: Path, threshold: float | None = None) -> tuple[Volume, tuple[str, ...]]:
    """The skull in a mask, or segmented from a CT, and warnings.

    Args:
        path: volume file or DICOM folder.
        threshold: of the bone, in the CT's units; without it, it is adapted to the scan.
    """
    from CranialReconstructionLib.imaging.mask import as_skull_mask, looks_like_ct
    from CranialReconstructionLib.imaging.skull import segment_skull

    volume, warnings = read_input(path)
    if threshold is None and not looks_like_ct(volume):
        return as_skull_mask(volume), warnings
    segmentation = segment_skull(volume, threshold)
    return as_skull_mask(segmentation.skull), (*warnings, *segmentation.warnings)
