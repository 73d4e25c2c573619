"""A case as a user names it on one line, where a seed may stand too: by its files, or its name in a data set."""

from __future__ import annotations

from pathlib import Path

from CranialAugmentationTrainerLib.datasets.reading import read_data_set
from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialReconstructionLib.errors import UserError


def named_case(text: str) -> SkullCase:
    """The case that ``text`` names.

    Args:
        text: a label volume (1 skull, 2 missing bone); ``SKULL,DEFECT``, two masks; or ``FOLDER:CASE``, a case of
            the data set in a folder.

    Raises:
        UserError: it is none of these, or the folder has no such case.
    """
    folder, name = folder_and_name(text)
    if folder is not None:
        found = next((case for case in read_data_set(folder).cases if case.name == name), None)
        if found is None:
            raise UserError(
                f"there is no case {name!r}", where=str(folder), remedy="Name one as `cranial check-data` lists them."
            )
        return found
    paths = mask_files(text)
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None or len(paths) > 2:
        raise UserError(
            "neither a seed nor a file nor a case" if missing else "more than two files",
            where=text,
            remedy="Give a whole number, a label volume, SKULL,DEFECT (two masks), or FOLDER:CASE.",
        )
    if len(paths) == 1:
        return SkullCase(text, text, labels=paths[0])
    return SkullCase(text, text, defective=paths[0], implant=paths[1])


def folder_and_name(text: str) -> tuple[Path | None, str]:
    """The parts of ``FOLDER:CASE``; None and all of it where no such folder is there."""
    folder, _, name = text.rpartition(":")
    if not folder or not name or Path(text).is_file() or not Path(folder).is_dir():
        return None, text
    return Path(folder), name


def mask_files(text: str) -> list[Path]:
    """The files of ``SKULL,DEFECT``, or the one that is named; whether they are there or not."""
    return [Path(text)] if Path(text).is_file() else [Path(part) for part in text.split(",")]
