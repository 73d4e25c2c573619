"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from CranialReconstructionLib.errors import UserError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file name beside ``path`` to write to; when the block ends well it becomes ``path``.

    On any error, Ctrl-C among them, ``path`` is as it was before. Folders on the way are made. A link
    stays one: what it leads to is replaced.

    Raises:
        UserError: the folder or the file cannot be written, it is a folder, a device or a pipe, or the
            disk is full.
    """
    target = path.resolve()
    # It ends as the file does, so that writers that go by the name write the same format.
    part = target.with_name(f".{os.getpid()}.part-{target.name}")
    try:
        # Renaming over a device, as root may, would leave the machine without it.
        if target.exists() and not target.is_file():
            raise OSError(0, "it is a folder, a device or a pipe")
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(target)
    except OSError as error:
        raise UserError(
            f"it cannot be written ({error.strerror or error})",
            where=str(path),
            remedy="Free some space or choose another output folder.",
        ) from error
    finally:
        # There may be nothing to remove, and no way to it.
        with suppress(OSError):
            part.unlink()
