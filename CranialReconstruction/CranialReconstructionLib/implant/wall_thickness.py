"""How thick the wall is under each triangle of a closed mesh."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_probe import MeshProbe

# Two sides are a wall's when they face each other this closely. A bevelled rim, where they meet at an
# edge, is a wedge and no wall: its thickness is that of the edge, zero.
FACING = float(np.cos(np.radians(45.0)))
BELOW_SURFACE = 1e-4  # where a ray starts, so that it does not meet its own triangle, mm
THICKEST = 60.0  # what is farther apart is no wall, mm


def wall_thickness(mesh: Mesh) -> npt.NDArray[np.float64]:
    """Millimetres of material (T,) straight inwards from the middle of each triangle.

    NaN where what lies opposite is not the other side of a wall: at the edge of a bevel, or farther
    than 60 mm.
    """
    normals = mesh.normals
    origins = mesh.corners.mean(axis=1) - BELOW_SURFACE * normals
    hits = MeshProbe(mesh).cast(origins, -normals, THICKEST)
    facing = (normals * normals[hits.triangles]).sum(axis=1) < -FACING
    return np.where(hits.met & facing, hits.distances + BELOW_SURFACE, np.nan)


def at_vertices(mesh: Mesh, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Means (V,) of the triangles' values (T,) around each vertex; NaN where none is known."""
    known = np.isfinite(values)
    corners = mesh.triangles[known].ravel()
    total = np.bincount(corners, np.repeat(values[known], 3), minlength=len(mesh.vertices))
    count = np.bincount(corners, minlength=len(mesh.vertices))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
