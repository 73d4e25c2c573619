"""The series that a volume came from, out of Slicer's DICOM database; and written files into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.scene.export import series_folder, source_instances


def series_in_database(node: Any, folder: Path) -> Path | None:
    """A folder with the files of the series that ``node`` was loaded from; None where it came from elsewhere.

    Raises:
        UserError: as of ``series_folder``.
    """
    instances = source_instances(node)
    database = _database()
    if not instances or database is None:
        return None
    files = [database.fileForInstance(instance) for instance in instances]
    return series_folder([Path(file) for file in files if file], folder) if all(files) else None


def add_to_database(files: Sequence[Path]) -> None:
    """Copy ``files`` into the database that the DICOM module shows.

    Raises:
        UserError: there is no database yet.
    """
    database = _database()
    if database is None:
        raise UserError(
            "Slicer has no DICOM database yet",
            where="DICOM",
            remedy="Open the DICOM module once, which makes one, and export again.",
        )
    for file in files:
        # Stored in the database's own folder: the export folder may be moved.
        database.insert(str(file), True, True, True, "")


def _database() -> Any:
    """The open database; None where there is none yet, or in a Slicer that was built without DICOM."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None
