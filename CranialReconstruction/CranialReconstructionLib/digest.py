"""SHA256 of what goes in and of what comes out."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """The SHA256 of a file; of a folder, that of its files' SHA256 in order, whatever the files are called."""
    if path.is_dir():
        digests = sorted(sha256_of(file) for file in path.rglob("*") if file.is_file())
        return hashlib.sha256("\n".join(digests).encode("ascii")).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
