"""A closed surface of triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in RAS millimetres, counter-clockwise seen from outside.

    Attributes:
        vertices: (V, 3) float64.
        triangles: (T, 3) int64, indices of vertices.
    """

    vertices: npt.NDArray[np.float64]
    triangles: npt.NDArray[np.int64]

    @property
    def corners(self) -> npt.NDArray[np.float64]:
        """The triangles' corners (T, 3, 3), millimetres."""
        return self.vertices[self.triangles]

    @property
    def normals(self) -> npt.NDArray[np.float64]:
        """The triangles' unit normals (T, 3), outwards; zero for a triangle without area."""
        a, b, c = np.moveaxis(self.corners, 1, 0)
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        return normal / np.where(length > 0.0, length, 1.0)

    @property
    def areas(self) -> npt.NDArray[np.float64]:
        """The triangles' areas (T,), square millimetres."""
        a, b, c = np.moveaxis(self.corners, 1, 0)
        return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)

    @property
    def volume(self) -> float:
        """Enclosed volume, cubic millimetres, by the divergence theorem."""
        a, b, c = np.moveaxis(self.corners, 1, 0)
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)
