"""Results that appear whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from CranialReconstructionLib.errors import UserError


@contextmanager
def result_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the files-to-be; when the block ends well, its files move into ``folder``.

    On any error, Ctrl-C among them, what was written goes and ``folder`` is as it was before.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.
    """
    try:
        new = [place for place in (folder, *folder.parents) if not place.exists()]
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(0, "it is a file")
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".cranial-", dir=folder))
    except OSError as error:
        raise UserError(
            f"the output folder cannot be written ({error.strerror or error})",
            where=str(folder),
            remedy="Name a folder that you may write to.",
        ) from error
    finished = False
    try:
        yield beside
        for file in sorted(beside.iterdir()):
            file.replace(folder / file.name)
        finished = True
    except OSError as error:
        # A file elsewhere is none of the results.
        if error.filename and not Path(error.filename).resolve().is_relative_to(folder.resolve()):
            raise
        raise UserError(
            f"the results cannot be written ({error.strerror or error})",
            where=str(folder),
            remedy="Free some disk space, or name another folder.",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        for place in new:
            if finished or any(place.iterdir()):
                break
            place.rmdir()
