"""MUG500+: 500 healthy skulls, and 29 after a craniotomy with the implants that were designed (LI).

One folder a case: ``A0001/A0001_clear.nrrd`` for a healthy skull; ``B0001/`` for a craniotomy, whose
implant is a mesh. What is in a craniotomy's folder beside its volume differs, so any mesh whose name
speaks of an implant is taken, or the only one there (our reading).
"""

from __future__ import annotations

import re
from pathlib import Path

from CranialAugmentationTrainerLib.datasets.file_headers import checked_case
from CranialAugmentationTrainerLib.datasets.skull_case import BrokenCase, DataSet, SkullCase, data_set

_CASE = re.compile(r"[AB]\d{4}")


def is_mug500(folder: Path) -> bool:
    """Whether the folder has the layout."""
    return any(_CASE.fullmatch(path.name) for path in folder.iterdir() if path.is_dir())


def read_mug500(folder: Path) -> DataSet:
    """Healthy skulls as ``complete``, craniotomies as ``defective`` with ``implant_surface``."""
    cases = [path for path in folder.iterdir() if path.is_dir() and _CASE.fullmatch(path.name)]
    return data_set("MUG500+", folder, map(_case, cases))


def _case(folder: Path) -> SkullCase | BrokenCase:
    volumes = sorted(folder.glob("*.nrrd"))
    volume = next((path for path in volumes if path.stem == f"{folder.name}_clear"), None)
    if volume is None and len(volumes) != 1:
        reason = f"{len(volumes)} volumes and none is called {folder.name}_clear.nrrd"
        return BrokenCase(folder.name, folder, reason if volumes else "the case has no volume")
    volume = volume or volumes[0]
    if folder.name.startswith("A"):
        return checked_case(SkullCase(folder.name, folder.name, complete=volume))
    meshes = sorted(folder.glob("*.stl"))
    implants = [path for path in meshes if "implant" in path.stem.lower()]
    surface = implants[0] if implants else meshes[0] if len(meshes) == 1 else None
    return checked_case(SkullCase(folder.name, folder.name, defective=volume, implant_surface=surface))
