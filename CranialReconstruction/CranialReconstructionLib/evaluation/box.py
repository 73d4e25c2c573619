"""The part of a volume that a metric needs to look at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Box = tuple[slice, slice, slice]


def bounding_box(*masks: Mask) -> Box | None:
    """The smallest box (K, J, I) that holds every voxel of all ``masks``; ``None`` when all are empty."""
    spans = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        filled = np.flatnonzero(np.logical_or.reduce([mask.any(axis=others) for mask in masks]))
        if not len(filled):
            return None
        spans.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return spans[0], spans[1], spans[2]


def widened(box: Box, margin: float, spacing: tuple[float, float, float]) -> Box:
    """``box`` with ``margin`` millimetres more on every side, as far as the array goes."""
    k, j, i = (
        slice(max(span.start - int(np.ceil(margin / edge)), 0), span.stop + int(np.ceil(margin / edge)))
        for span, edge in zip(box, spacing, strict=True)
    )
    return k, j, i
