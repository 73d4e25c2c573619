"""Arrays that are costly to make, kept in files; several runs may share the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from CranialReconstructionLib.imaging.whole_file import whole_file


def kept_array(path: Path, make: Callable[[], np.ndarray], mapped: bool = False) -> np.ndarray:
    """The array in ``path``, made and written there if it is not.

    Args:
        mapped: leave it in its file, from where what is looked at is read.
    """
    if not path.is_file():
        made = make()
        with whole_file(path) as part:
            np.save(part, made)
    kept: np.ndarray = np.load(path, mmap_mode="r" if mapped else None)
    return kept
