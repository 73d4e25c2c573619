"""What tells the files of a case from those of any other: what stands in them, not where they lie."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.errors import UserError

ROLES = ("complete", "defective", "implant", "labels")


def contents_of(case: SkullCase) -> str:
    """A word (12 letters) for the masks of a case: the same wherever they are copied, another once one changes.

    Raises:
        UserError: a file cannot be read.
    """
    known = hashlib.sha256()
    for role in ROLES:
        path = getattr(case, role)
        if path is None:
            continue
        try:
            status = path.stat()
            digest = _digest(path, status.st_size, status.st_mtime_ns)
        except OSError as error:
            raise UserError(
                f"the file cannot be read ({error.strerror or error})",
                where=str(path),
                remedy="Check that it is there and that you may read it.",
            ) from error
        known.update(f"{role} {digest}\n".encode())
    return known.hexdigest()[:12]


@cache
def _digest(path: Path, size: int, changed: int) -> str:
    """Of a file as it stood then: a process asks for the same head many times."""
    return sha256_of(path)
