"""A folder that appears whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from CranialReconstructionLib.errors import UserError


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside ``target`` that takes its place, and its name, when the block ends well.

    What stood at ``target`` is gone then. After an error or Ctrl-C ``target`` is as it was, and
    nothing else is left.

    Raises:
        UserError: the disk is full, or the place cannot be written to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
            fresh = Path(scratch) / "fresh"
            fresh.mkdir()
            yield fresh
            if target.exists():
                target.rename(Path(scratch) / "former")
            fresh.rename(target)
    except OSError as error:
        raise UserError(
            f"the folder cannot be written ({error.strerror or error})",
            where=str(target),
            remedy="Free some space, or choose a place that you may write to.",
        ) from error
