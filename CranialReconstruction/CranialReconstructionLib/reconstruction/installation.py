"""Bringing a model package into the user's folder, from a folder or a zip archive."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.catalogue import user_folder
from CranialReconstructionLib.reconstruction.manifest import (
    MANIFEST_FILE,
    SHAPE_FILE,
    ModelManifest,
    read_manifest,
)
from CranialReconstructionLib.reconstruction.model_package import load_package
from CranialReconstructionLib.reconstruction.staged_folder import staged_folder

# Kept beside the weights where a package has them: a licence must travel with what it covers.
_COMPANIONS = ("LICENSE", "LICENSE.txt", "LICENSE.md", "README.md")


def install_package(source: Path, force: bool = False) -> Path:
    """Copy the package in ``source`` into the user's folder, after verification; its new folder.

    Args:
        source: a package's folder, or a zip archive that holds one package.
        force: replace a package of that name that is there already.

    Raises:
        UserError: ``source`` is not a package, fails verification, or its name is taken.
    """
    if source.is_dir():
        return _install_folder(source, force)
    if not source.is_file():
        raise UserError("there is no such file or folder", where=str(source), remedy="Check the path.")
    with tempfile.TemporaryDirectory(prefix="cranial-") as scratch:
        _unpack(source, Path(scratch))
        return _install_folder(Path(scratch), force)


def _install_folder(source: Path, force: bool) -> Path:
    manifest = read_manifest(source)
    target = user_folder() / manifest.name
    if target.exists() and not force:
        raise UserError(
            f"a package named {manifest.name} is there already",
            where=str(target),
            remedy="Replace it (`--force` on the command line), or remove it first.",
        )
    with staged_folder(target) as fresh:
        for name in _file_names(manifest):
            if (source / name).is_file():
                shutil.copyfile(source / name, fresh / name)
        load_package(fresh)
    return target


def _unpack(archive: Path, folder: Path) -> None:
    """Take the package's own files out of ``archive``, by name, so that no entry can choose its place."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = {PurePosixPath(name): name for name in opened.namelist()}
            roots = [entry.parent for entry in entries if entry.name == MANIFEST_FILE]
            if len(roots) != 1:
                raise UserError(
                    f"the archive holds {len(roots)} packages where one is needed",
                    where=str(archive),
                    remedy=f"Zip one package's folder, the one with {MANIFEST_FILE}.",
                )
            _extract(opened, entries[roots[0] / MANIFEST_FILE], folder / MANIFEST_FILE)
            for name in _file_names(read_manifest(folder)):
                if roots[0] / name in entries:
                    _extract(opened, entries[roots[0] / name], folder / name)
    except zipfile.BadZipFile as error:
        raise UserError(
            f"this is neither a folder nor a sound zip archive ({error})",
            where=str(archive),
            remedy="Download it again, or give the package's folder.",
        ) from error


def _extract(archive: zipfile.ZipFile, entry: str, path: Path) -> None:
    with archive.open(entry) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)


def _file_names(manifest: ModelManifest) -> list[str]:
    weights = [entry.weights for entry in manifest.networks.values()]
    shape = [SHAPE_FILE] if manifest.shape_sha256 else []
    return [MANIFEST_FILE, *weights, *shape, *_COMPANIONS]
