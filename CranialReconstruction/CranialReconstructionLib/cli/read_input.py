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
