"""Where model packages lie on this computer. No torch here."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import CranialReconstructionLib
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.manifest import MANIFEST_FILE

DEFAULT_MODEL = "vault-unet"
FOLDERS_VARIABLE = "CRANIAL_MODELS"

_SHIPPED = Path("Resources") / "Models"


def user_folder() -> Path:
    """Where packages that the user adds are kept: in the system's place for a program's own data.

    Slicer's own process lists packages too, before anything is installed for it: standard library only.
    """
    if sys.platform == "win32":
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Application Support"
    else:
        home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "cranial" / "models"


def model_folders() -> list[Path]:
    """The folders that are searched, the first to hold a name winning.

    In order: those that the environment variable ``CRANIAL_MODELS`` lists, the user's own, beside the
    library (the installed Slicer extension), inside it (the wheel), at the top of the source tree.
    """
    listed = [Path(entry) for entry in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if entry]
    library = Path(CranialReconstructionLib.__file__).resolve().parent
    shipped = [place / _SHIPPED for place in (library.parent, library, library.parent.parent)]
    return [*listed, user_folder(), *shipped]


def available_packages() -> dict[str, Path]:
    """The folder of each package that can be used by name, unverified; the default model first."""
    found: dict[str, Path] = {}
    for folder in model_folders():
        for manifest in sorted(folder.glob(f"*/{MANIFEST_FILE}")):
            found.setdefault(manifest.parent.name, manifest.parent)
    return dict(sorted(found.items(), key=lambda item: (item[0] != DEFAULT_MODEL, item[0])))


def find_package(name: str | Path) -> Path:
    """The folder of the package with this name, or at this path.

    Raises:
        UserError: there is none; those that there are, are named.
    """
    packages = available_packages()
    if str(name) in packages:
        return packages[str(name)]
    folder = Path(name).expanduser()
    if (folder / MANIFEST_FILE).is_file():
        return folder
    known = f"Use one of {', '.join(packages)}" if packages else "There is none yet"
    raise UserError(
        "there is no such model package",
        where=str(name),
        remedy=f"{known}; `cranial models add FOLDER_OR_ZIP` brings one in.",
    )


def remove_package(name: str) -> Path:
    """Delete a package that the user added; the folder that it was in.

    Raises:
        UserError: there is no such package, or it is not the user's own (shipped, or listed in
            ``CRANIAL_MODELS``).
    """
    folder = user_folder() / name
    if Path(name).name != name or not (folder / MANIFEST_FILE).is_file():
        place = find_package(name)
        raise UserError(
            "only packages that you added can be removed",
            where=str(place),
            remedy=f"Yours are kept in {user_folder()}; this one belongs to the installation.",
        )
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise UserError(
            f"the package cannot be removed ({error.strerror})",
            where=str(folder),
            remedy="Close what uses it, or have somebody remove it who may.",
        ) from error
    return folder
