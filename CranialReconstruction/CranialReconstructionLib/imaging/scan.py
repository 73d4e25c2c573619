"""A scan with all that its user should know about how it was made."""

from __future__ import annotations

from pathlib import Path

from CranialReconstructionLib.imaging.dicom import read_dicom_series
from CranialReconstructionLib.imaging.file_checks import checked
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.scan_warnings import slice_warnings
from CranialReconstructionLib.imaging.volume import Volume


def read_scan(path: Path) -> tuple[Volume, tuple[str, ...]]:
    """The volume in a file or in the DICOM series of a folder, and warnings for the user.

    Raises:
        UserError: as of ``read_volume`` and ``read_dicom_series``.
    """
    if path.is_dir():
        series = read_dicom_series(path)
        return checked(series.volume), series.warnings
    volume = read_volume(path)
    return volume, tuple(slice_warnings(volume))
