"""Written DICOM files into Slicer's database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import slicer

from CranialReconstructionLib.errors import UserError


def add_to_database(files: Sequence[Path]) -> None:
    """Copy ``files`` into the database that the DICOM module shows.

    Raises:
        UserError: there is no database yet.
    """
    database = slicer.dicomDatabase
    if database is None or not database.isOpen:
        raise UserError(
            "Slicer has no DICOM database yet",
            where="DICOM",
            remedy="Open the DICOM module once, which makes one, and export again.",
        )
    for file in files:
        # Stored in the database's own folder: the export folder may be moved.
        database.insert(str(file), True, True, True, "")
