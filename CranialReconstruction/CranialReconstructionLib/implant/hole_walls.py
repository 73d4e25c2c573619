"""How much material is left beside each hole, measured on the finished mesh."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.implant.holes import Drilling
from CranialReconstructionLib.implant.mesh_probe import MeshProbe

DIRECTIONS = 72  # around a hole: a hole of 2 mm at 20 mm pitch is not missed between two of them
DEPTHS = (0.1, 0.3, 0.5, 0.7, 0.9)  # shares of a hole's depth
INTO_WALL = 0.05  # how far beyond a hole's polygon a ray starts, mm
FARTHEST = 30.0  # mm


def thinnest_beside(drilling: Drilling) -> npt.NDArray[np.float64]:
    """Millimetres of material (N,) between each hole and the rim or the next hole, straight away from it.

    30 mm where nothing is nearer. It is looked for at five depths of each hole in 72 directions, so that what a
    hole's drill did is judged by the surface that is left and not by where it was to be drilled.
    """
    if not drilling.holes:
        return np.zeros(0)
    angles = np.linspace(0.0, 2.0 * np.pi, DIRECTIONS, endpoint=False)[:, None]
    starts, ways = [], []
    for hole in drilling.holes:
        across = np.linalg.svd(hole.direction[None])[2][1:]
        away = np.cos(angles) * across[0] + np.sin(angles) * across[1]
        from_middle = 0.5 * hole.diameter + INTO_WALL
        starts += [hole.at + share * hole.depth * hole.direction + from_middle * away for share in DEPTHS]
        ways += [away] * len(DEPTHS)
    hits = MeshProbe(drilling.mesh).cast(np.concatenate(starts), np.concatenate(ways), FARTHEST)
    width = np.where(hits.met, hits.distances + INTO_WALL, FARTHEST)
    return width.reshape(len(drilling.holes), -1).min(axis=1)
