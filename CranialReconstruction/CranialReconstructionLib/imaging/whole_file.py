"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from CranialReconstructionLib.errors import UserError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file name beside ``path`` to write to; when the block ends well it becomes ``path``.

    On any error, Ctrl-C among them, ``path`` is as it was before. Folders on the way are made.

    Raises:
        UserError: the folder or the file cannot be written, or the disk is full.
    """
    # It ends as the file does, so that writers that go by the name write the same format.
    part = path.with_name(f".{os.getpid()}.part-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        yield part
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"it cannot be written ({error.strerror or error})",
            where=str(path),
            remedy="Free some space or choose another output folder.",
        ) from error
    finally:
        if part.parent.is_dir():
            part.unlink(missing_ok=True)
