"""SkullFix, SkullBreak and AutoImplant's tasks 1 and 3, case by case: what is broken is listed.

``find_paired_skulls`` refuses such a folder at the first case without its implant, as training of a
reconstruction network does; this reader goes on.
"""

from __future__ import annotations

from pathlib import Path

from CranialAugmentationTrainerLib.datasets.file_headers import checked_case
from CranialAugmentationTrainerLib.datasets.skull_case import BrokenCase, DataSet, SkullCase, data_set


def is_paired_folders(folder: Path) -> bool:
    """Whether the folder has the layout."""
    return (folder / "defective_skull").is_dir()


def read_paired_folders(folder: Path) -> DataSet:
    """Cases of ``defective_skull/**/NNN.nrrd`` with ``implant/**/NNN.nrrd`` and ``complete_skull/NNN.nrrd``.

    The complete skull may be missing, as it is the union of the other two. SkullBreak keeps one for
    the five defects of a skull.
    """
    files = sorted((folder / "defective_skull").rglob("*.nrrd"))
    return data_set("paired", folder, [_case(folder, file) for file in files])


def _case(folder: Path, defective: Path) -> SkullCase | BrokenCase:
    inner = defective.relative_to(folder / "defective_skull")
    implant = folder / "implant" / inner
    name = inner.with_suffix("").as_posix()
    if not implant.is_file():
        return BrokenCase(name, implant, "the case has no implant")
    complete = folder / "complete_skull" / inner.name
    return checked_case(SkullCase(name, inner.stem, complete if complete.is_file() else None, defective, implant))
