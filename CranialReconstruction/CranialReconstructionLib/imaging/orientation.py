"""The axes of a volume put in one order, so that the orientation of a file changes nothing of a result.

Sampling and block means depend on where an array begins and which axis comes first, by parts of a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from CranialReconstructionLib.imaging.volume import Array, Grid, Volume

# Towards which end of R, A and S the axes I, J and K run: left, posterior, superior, as most CT do.
TOWARDS = (-1.0, -1.0, 1.0)


@dataclass(frozen=True)
class AxisOrder:
    """How an array's axes are exchanged and turned round; no voxel is resampled.

    Attributes:
        order: the axis (0 K, 1 J, 2 I) of the array from which each of the new array's axes comes.
        turned: the new array's axes that run the other way.
    """

    order: tuple[int, int, int]
    turned: tuple[int, ...]

    def applied(self, volume: Volume) -> Volume:
        """The volume with its axes in this order, at the same places."""
        matrix = volume.ijk_to_ras.copy()
        matrix[:3, :3] = volume.ijk_to_ras[:3, [2 - self.order[2 - axis] for axis in range(3)]]
        voxels = volume.voxels.transpose(self.order)
        for axis in self.turned:
            matrix[:3, 3] += matrix[:3, 2 - axis] * (voxels.shape[axis] - 1)
            matrix[:3, 2 - axis] *= -1.0
        return Volume(np.ascontiguousarray(np.flip(voxels, self.turned)), matrix, volume.name)

    def undone(self, voxels: Array) -> Array:
        """Voxels on the volume that ``applied`` gave, as they lie in the volume that it was given."""
        return np.ascontiguousarray(np.flip(voxels, self.turned).transpose(np.argsort(self.order)))


def along_patient(grid: Grid) -> AxisOrder:
    """The order in which I, J and K run as nearly as they can to the patient's left, back and top."""
    directions = grid.ijk_to_ras[:3, :3] / np.array(grid.spacing)
    axes = max(permutations(range(3)), key=lambda chosen: sum(abs(directions[row, chosen[row]]) for row in range(3)))
    turned = tuple(2 - row for row in range(3) if directions[row, axes[row]] * TOWARDS[row] < 0.0)
    return AxisOrder((2 - axes[2], 2 - axes[1], 2 - axes[0]), turned)
