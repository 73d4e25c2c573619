"""Any data set by its folder: the layout is told by what is there, or named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from CranialAugmentationTrainerLib.datasets.autoimplant2021 import read_autoimplant2021
from CranialAugmentationTrainerLib.datasets.mug500 import is_mug500, read_mug500
from CranialAugmentationTrainerLib.datasets.paired_folders import is_paired_folders, read_paired_folders
from CranialAugmentationTrainerLib.datasets.plain_folder import read_plain_folder
from CranialAugmentationTrainerLib.datasets.skull_case import DataSet
from CranialAugmentationTrainerLib.datasets.synthetic_set import is_synthetic_set, read_synthetic_set
from CranialReconstructionLib.errors import UserError

READERS: dict[str, Callable[[Path], DataSet]] = {
    "synthetic": read_synthetic_set,
    "paired": read_paired_folders,
    "mug500": read_mug500,
    "autoimplant2021": read_autoimplant2021,
    "plain": read_plain_folder,
}


def read_data_set(folder: Path, layout: str = "auto") -> DataSet:
    """The cases of ``folder``, and those that are broken.

    Args:
        layout: a key of ``READERS``; "auto" finds it. AutoImplant's clinical skulls look like healthy
            ones on disk, so that layout is never guessed.

    Raises:
        UserError: no such folder or layout.
    """
    if not folder.is_dir():
        raise UserError("there is no such folder", where=str(folder), remedy="Give the folder of a data set.")
    if layout == "auto":
        layout = _layout_of(folder)
    if layout not in READERS:
        raise UserError(
            f"layout {layout!r} is unknown", where=str(folder), remedy=f"Choose one of {', '.join(READERS)}."
        )
    return READERS[layout](folder)


def _layout_of(folder: Path) -> str:
    if is_synthetic_set(folder):
        return "synthetic"
    if is_paired_folders(folder):
        return "paired"
    return "mug500" if is_mug500(folder) else "plain"
