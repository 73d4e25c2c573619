"""A scan with all that its user should know about how it was made."""

from __future__ import annotations

from pathlib import Path

from CranialReconstructionLib.imaging.file_checks import checked
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.mask import as_skull_mask, looks_like_ct
from CranialReconstructionLib.imaging.scan_warnings import slice_warnings
from CranialReconstructionLib.imaging.skull import segment_skull
from CranialReconstructionLib.imaging.volume import Volume


def read_scan(path: Path) -> tuple[Volume, tuple[str, ...]]:
    """The volume in a file or in the DICOM series of a folder, and warnings for the user.

    Raises:
        UserError: as of ``read_volume`` and ``read_dicom_series``.
    """
    if path.is_dir():
        from CranialReconstructionLib.imaging.dicom import read_dicom_series

        series = read_dicom_series(path)
        return checked(series.volume), series.warnings
    volume = read_volume(path)
    return volume, tuple(slice_warnings(volume))


def read_skull(path: Path, threshold: float | None = None) -> tuple[Volume, tuple[str, ...]]:
    """The skull in a mask, or segmented from a CT, and warnings for the user.

    Args:
        path: volume file or DICOM folder.
        threshold: of the bone, in the CT's units; without it, it is adapted to the scan.

    Raises:
        UserError: as of ``read_scan``, ``as_skull_mask`` and ``segment_skull``.
    """
    volume, warnings = read_scan(path)
    if threshold is None and not looks_like_ct(volume):
        return as_skull_mask(volume), warnings
    segmentation = segment_skull(volume, threshold)
    return as_skull_mask(segmentation.skull), (*warnings, *segmentation.warnings)
