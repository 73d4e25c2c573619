"""Arrays that are costly to make, kept in files; several runs may share the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np


def kept_array(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in ``path``, made and written there if it is not."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of this process's own: another run may be making the same array.
        beside = path.with_suffix(f".{os.getpid()}.part")
        with beside.open("wb") as file:
            np.save(file, make())
        beside.replace(path)
    kept: np.ndarray = np.load(path)
    return kept
