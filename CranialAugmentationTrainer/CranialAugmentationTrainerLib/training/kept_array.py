"""Arrays that are costly to make, kept in files; several runs may share the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from CranialReconstructionLib.imaging.whole_file import whole_file


def kept_array(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in ``path``, made and written there if it is not."""
    if not path.is_file():
        made = make()
        with whole_file(path) as part:
            np.save(part, made)
    kept: np.ndarray = np.load(path)
    return kept
