"""Folders without a convention: masks of whole skulls, or a folder a case with skull and missing bone.

Files on the first level are healthy skulls. A folder in it is a case: a file called
``defective_skull`` or ``skull`` with ``defect`` or ``implant`` beside it, as this project's own
commands write them, or ``complete_skull``.
"""

from __future__ import annotations

from pathlib import Path

from CranialAugmentationTrainerLib.datasets.file_headers import checked_case
from CranialAugmentationTrainerLib.datasets.skull_case import BrokenCase, DataSet, SkullCase, data_set
from CranialReconstructionLib.imaging.files import READABLE

_DEFECTIVE = ("defective_skull", "defective", "skull")
_IMPLANT = ("defect", "implant")
_COMPLETE = ("complete_skull", "complete")


def read_plain_folder(folder: Path) -> DataSet:
    """Skulls and cases of ``folder``; files that are no volumes by their name are not looked at."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    found: list[SkullCase | BrokenCase] = []
    for path in entries:
        if path.is_dir():
            found += _case(path)
        elif _stem(path) is not None:
            name = _stem(path) or path.name
            found.append(checked_case(SkullCase(name, name, complete=path)))
    return data_set("plain", folder, found)


def _case(folder: Path) -> list[SkullCase | BrokenCase]:
    """The case in a folder; none if it holds no volume."""
    volumes = {stem: path for path in sorted(folder.iterdir()) if (stem := _stem(path)) is not None}
    if not volumes:
        return []
    defective, implant, complete = (
        next((volumes[name] for name in names if name in volumes), None) for names in (_DEFECTIVE, _IMPLANT, _COMPLETE)
    )
    if defective is None and complete is None:
        return [BrokenCase(folder.name, folder, f"no file is called {' or '.join((*_DEFECTIVE, *_COMPLETE))}")]
    if defective is None:
        return [checked_case(SkullCase(folder.name, folder.name, complete=complete))]
    return [checked_case(SkullCase(folder.name, folder.name, complete, defective, implant))]


def _stem(path: Path) -> str | None:
    """The name without the ending of a volume; None for any other file."""
    name = path.name.lower()
    ending = next((end for end in sorted(READABLE, key=len, reverse=True) if name.endswith(end)), None)
    return path.name[: -len(ending)] if ending else None
