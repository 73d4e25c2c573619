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
    existed = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".cranial-", dir=folder))
    except OSError as error:
        raise UserError(
            f"the output folder cannot be written ({error.strerror})",
            where=str(folder),
            remedy="Name a folder that you may write to with -o.",
        ) from error
    finished = False
    try:
        yield beside
        for file in sorted(beside.iterdir()):
            file.replace(folder / file.name)
        finished = True
    except OSError as error:
        raise UserError(
            f"the results cannot be written ({error.strerror})",
            where=str(folder),
            remedy="Free some disk space, or name another folder with -o.",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if not finished and not existed and not any(folder.iterdir()):
            folder.rmdir()
