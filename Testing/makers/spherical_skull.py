"""A spherical shell with one hole about an axis: an implant's gap, thickness and volume in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.imaging.volume import Grid, Volume

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SphericalSkull:
    """A shell about the origin (RAS) with round holes; millimetres and degrees.

    Attributes:
        radius: of the outer table.
        thickness: of the bone.
        hole_radius: of a hole, at ``radius`` along its axis.
        draft: angle by which the hole opens outwards; negative for an undercut.
        axes: directions of the holes, outwards.
    """

    radius: float = 80.0
    thickness: float = 6.0
    hole_radius: float = 16.0
    draft: float = 0.0
    axes: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, 1.0),)

    def masks(self, grid: Grid) -> tuple[Volume, Volume]:
        """The skull with its holes and the missing bone, uint8 on ``grid``."""
        k, j, i = np.indices(grid.shape, dtype=np.float64).reshape(3, -1)
        places = grid.ras_of(np.stack((i, j, k), axis=1))
        from_middle = np.linalg.norm(places, axis=1)
        shell = (from_middle <= self.radius) & (from_middle >= self.radius - self.thickness)
        hole = np.zeros(len(places), dtype=bool)
        for axis in self.axes:
            hole |= self.beside_wall(places, axis) < 0.0
        skull, defect = (shell & ~hole).astype(np.uint8), (shell & hole).astype(np.uint8)
        return (
            Volume(skull.reshape(grid.shape), grid.ijk_to_ras, "skull"),
            Volume(defect.reshape(grid.shape), grid.ijk_to_ras, "defect"),
        )

    def beside_wall(self, places: Floats, axis: tuple[float, float, float]) -> Floats:
        """Millimetres (N,) from RAS places (N, 3) to the wall of the hole, negative within it."""
        up = np.array(axis) / np.linalg.norm(axis)
        height = places @ up
        aside = np.sqrt(np.maximum((places**2).sum(1) - height**2, 0.0))
        angle = np.radians(self.draft)
        distance = (aside - self.hole_radius) * np.cos(angle) - (height - self.radius) * np.sin(angle)
        return np.where(height > 0.0, distance, np.inf)


def grid_around(
    axis: tuple[float, float, float],
    radius: float,
    spacing: tuple[float, float, float],
    reach: float,
    turn: float = 0.0,
) -> Grid:
    """A grid of ``spacing`` (I, J, K) about the place at ``radius`` along ``axis``, turned about (1, 1, 0)."""
    angle = np.radians(turn)
    line = np.array([1.0, 1.0, 0.0]) / np.sqrt(2.0)
    cross = np.cross(np.eye(3), line)
    rotation = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
    shape = np.ceil(2.0 * reach / np.array(spacing)).astype(int)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(spacing)
    middle = np.array(axis) / np.linalg.norm(axis) * (radius - 5.0)
    matrix[:3, 3] = middle - matrix[:3, :3] @ ((shape - 1) / 2.0)
    return Grid((int(shape[2]), int(shape[1]), int(shape[0])), matrix)
