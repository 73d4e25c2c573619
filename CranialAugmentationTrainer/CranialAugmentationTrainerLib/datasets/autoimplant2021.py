"""AutoImplant 2021, task 2: eleven clinical skulls with real defects and no ground truth (AI21).

Tasks 1 and 3 are SkullBreak and SkullFix, which ``paired_folders`` reads.
"""

from __future__ import annotations

from pathlib import Path

from CranialAugmentationTrainerLib.datasets.file_headers import checked_case
from CranialAugmentationTrainerLib.datasets.skull_case import DataSet, SkullCase, data_set


def read_autoimplant2021(folder: Path) -> DataSet:
    """Every NRRD under ``folder`` as a defective skull without its implant."""
    files = sorted(folder.rglob("*.nrrd"))
    cases = [(file.relative_to(folder).with_suffix("").as_posix(), file) for file in files]
    return data_set(
        "AutoImplant 2021", folder, [checked_case(SkullCase(name, name, defective=file)) for name, file in cases]
    )
