"""An ellipsoidal head that can be made on any grid: its skull, and a hole whose place is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from CranialReconstructionLib.imaging.volume import Grid, Volume


@dataclass(frozen=True)
class SyntheticHead:
    """A closed ellipsoidal shell with a flat base, in RAS millimetres.

    Attributes:
        centre: of the vault.
        half_axes: of the outer table.
        thickness: of the bone.
        hole_direction: from the centre, where the hole's middle lies.
        hole_radius: of the sphere that cuts the hole; 0 for none.
        tilt: degrees about the left-right axis.
    """

    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    half_axes: tuple[float, float, float] = (72.0, 90.0, 82.0)
    thickness: float = 6.0
    hole_direction: tuple[float, float, float] = (0.8, 0.3, 0.55)
    hole_radius: float = 30.0
    tilt: float = 0.0

    def grid(self, spacing: tuple[float, float, float] = (2.0, 2.0, 2.0)) -> Grid:
        """An RAS grid around the head, voxels of ``spacing`` (I, J, K) mm."""
        reach = np.array(self.half_axes) + 14.0
        shape = np.ceil(2.0 * reach / np.array(spacing)).astype(int)
        matrix = np.diag([*spacing, 1.0])
        matrix[:3, 3] = np.array(self.centre) - reach
        return Grid((int(shape[2]), int(shape[1]), int(shape[0])), matrix)

    def complete(self, grid: Grid) -> Volume:
        """The whole skull on ``grid``, uint8 0 or 1."""
        return Volume(self._shell(self._places(grid)).astype(np.uint8), grid.ijk_to_ras, "complete")

    def defect(self, grid: Grid) -> Volume:
        """The missing bone on ``grid``."""
        places = self._places(grid)
        return Volume((self._shell(places) & self._hole(places)).astype(np.uint8), grid.ijk_to_ras, "defect")

    def skull(self, grid: Grid) -> Volume:
        """The skull with its hole on ``grid``."""
        places = self._places(grid)
        return Volume((self._shell(places) & ~self._hole(places)).astype(np.uint8), grid.ijk_to_ras, "skull")

    def _places(self, grid: Grid) -> np.ndarray:
        k, j, i = np.indices(grid.shape, dtype=np.float64).reshape(3, -1)
        local = grid.ras_of(np.stack((i, j, k), axis=1)) - np.array(self.centre)
        angle = np.radians(self.tilt)
        turn = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])
        return (local @ turn.T).reshape(*grid.shape, 3)

    def _shell(self, places: np.ndarray) -> np.ndarray:
        outer = np.linalg.norm(places / np.array(self.half_axes), axis=-1) <= 1.0
        inner = np.linalg.norm(places / (np.array(self.half_axes) - self.thickness), axis=-1) <= 1.0
        height = places[..., 2]
        base = (height > -46.0) & (height < -40.0)
        return outer & (height > -46.0) & (~inner | base)

    def _hole(self, places: np.ndarray) -> np.ndarray:
        direction = np.array(self.hole_direction) / np.linalg.norm(self.hole_direction)
        on_shell = direction / np.linalg.norm(direction / np.array(self.half_axes))
        return np.linalg.norm(places - on_shell, axis=-1) < self.hole_radius
