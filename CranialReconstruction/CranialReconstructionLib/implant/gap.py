"""The gap between an implant's walls and the bone that they face, as figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.implant.design import Vector

# Millimetres by which a wall may miss the design's gap.
TOLERANCE = 0.1


@dataclass(frozen=True)
class GapStatistics:
    """Millimetres from the implant's walls to the bone that they face.

    Attributes:
        mean, smallest, largest: where nothing but the gap places the wall.
        error: by which 95 % of those places miss the design's gap at most.
        within: share of those places within 0.1 mm of the design's gap.
        relieved: share of all the walls that the way in, the bevel or the rounding of an edge moves further from
            the bone.
        widest: largest distance there.
        worst: where a wall that nothing else places misses the design's gap by most, RAS millimetres.
    """

    mean: float
    smallest: float
    largest: float
    error: float
    within: float
    relieved: float
    widest: float
    worst: Vector | None


def gap_statistics(
    distance: npt.NDArray[np.floating], moved: npt.NDArray[np.bool_], places: npt.NDArray[np.floating], gap: float
) -> GapStatistics:
    """The figures over places of the walls.

    Args:
        distance: (N,) millimetres from the wall to the nearest bone.
        moved: (N,) where something else than the gap places the wall; the figures are not numbers if all are.
        places: (N, 3) RAS millimetres.
        gap: of the design, millimetres.
    """
    free = distance[~moved] if not moved.all() else np.array([np.nan])
    worst = None
    if not moved.all():
        right, anterior, superior = places[~moved][np.argmax(np.abs(free - gap))].tolist()
        worst = (right, anterior, superior)
    return GapStatistics(
        mean=float(free.mean()),
        smallest=float(free.min()),
        largest=float(free.max()),
        error=float(np.percentile(np.abs(free - gap), 95)),
        within=float((np.abs(free - gap) <= TOLERANCE).mean()),
        relieved=float(moved.mean()),
        widest=float(distance[moved].max()) if moved.any() else float(free.max()),
        worst=worst,
    )
