"""What an export needs to know of the scene: the DICOM series that a result came from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.scene.segments import reference_node

INSTANCES = "DICOM.instanceUIDs"


def source_instances(node: Any) -> tuple[str, ...]:
    """SOP instance UIDs of the series that a volume, or a segmentation's source volume, was loaded from.

    Slicer's DICOM database has their files. Empty for what came from elsewhere.
    """
    volume = reference_node(node) if node.IsA("vtkMRMLSegmentationNode") else node
    stated = volume.GetAttribute(INSTANCES) if volume is not None else None
    return tuple(stated.split()) if stated else ()


def series_folder(files: Sequence[Path], folder: Path) -> Path:
    """``folder`` with the files of one series, and of no other, for a reader of folders.

    Links where the disk has them, which take no room; copies elsewhere.

    Raises:
        UserError: a file is not there any more, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        place = folder / f"{number:05d}.dcm"
        try:
            _link(file, place)
        except OSError as error:
            raise UserError(
                f"it cannot be read ({error.strerror or error})",
                where=str(file),
                remedy="Import the series into the DICOM database again.",
            ) from error
    return folder


def _link(file: Path, place: Path) -> None:
    try:
        os.link(file, place)
    except FileNotFoundError:
        raise
    except OSError:
        # Another disk, or one that knows no links.
        shutil.copyfile(file, place)
