"""From a signed field to a closed surface."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.mesh import Mesh

# The surface stays this share of a voxel away from the voxels' centres, where triangles would shrink to
# nothing and edges meet: what is left is two-manifold whatever the field.
CLEAR_OF_CENTRES = 2e-3


def surface_of(field: Volume) -> Mesh:
    """The surface where a signed field is zero, closed at the border of its grid.

    Lewiner's marching cubes, which settles ambiguous cells the same way on both sides (Lewiner et al.,
    J. Graphics Tools 8(2), 2003).

    Args:
        field: (K, J, I) signed distance, mm, negative inside; on a grid of any orientation.

    Returns:
        Two-manifold, normals outwards, as many shells as the field has surfaces.

    Raises:
        UserError: no voxel is inside.
    """
    if not (field.voxels < 0.0).any():
        raise UserError("there is nothing inside the surface", where=field.name, remedy="Change the design.")
    clear = np.float32(CLEAR_OF_CENTRES * min(field.spacing))
    values = field.voxels.astype(np.float32)
    values = np.where(np.abs(values) < clear, np.where(values < 0.0, -clear, clear), values)
    # The value just outside the grid is that just inside with its sign turned, so that a solid which
    # runs out of the grid ends about where the grid does, and in a plane.
    padded = np.pad(values, 1, mode="edge")
    shell = np.ones(padded.shape, dtype=bool)
    shell[1:-1, 1:-1, 1:-1] = False
    padded[shell] = np.maximum(np.abs(padded[shell]), clear)
    places_kji, triangles, _, _ = marching_cubes(padded, 0.0, allow_degenerate=False)
    vertices = field.grid.ras_of(places_kji[:, ::-1].astype(np.float64) - 1.0)
    mesh = Mesh(vertices, triangles.astype(np.int64))
    # Which way the triangles turn depends on the handedness of the grid, and is the same for all.
    return mesh if mesh.volume > 0.0 else Mesh(vertices, mesh.triangles[:, ::-1].copy())


def shell_labels(mesh: Mesh) -> npt.NDArray[np.int64]:
    """Which shell each triangle belongs to (T,): triangles that share an edge are of one shell."""
    count = len(mesh.triangles)
    edges = np.sort(mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    keys = edges[:, 0] * np.int64(len(mesh.vertices)) + edges[:, 1]
    owners = np.repeat(np.arange(count), 3)
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    first, second = owners[order][:-1][same], owners[order][1:][same]
    links = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    return connected_components(links, directed=False)[1].astype(np.int64)


def shells(mesh: Mesh) -> list[Mesh]:
    """The mesh's shells, the one with the largest volume first (voids, of negative volume, last)."""
    labels = shell_labels(mesh)
    if len(labels) and not labels.any():
        return [mesh]
    parts = []
    for label in range(int(labels.max(initial=-1)) + 1):
        used, triangles = np.unique(mesh.triangles[labels == label], return_inverse=True)
        parts.append(Mesh(mesh.vertices[used], triangles.reshape(-1, 3)))
    return sorted(parts, key=lambda part: -part.volume)


def without_scraps(mesh: Mesh, smallest: float) -> tuple[list[Mesh], float]:
    """Its shells without scraps and voids.

    Args:
        smallest: shells below this volume are left out, cubic millimetres.

    Returns:
        The shells kept, the largest first, and the volume of material left out.
    """
    parts = shells(mesh)
    kept = [part for part in parts if part.volume >= smallest]
    return kept, float(sum(max(part.volume, 0.0) for part in parts if part.volume < smallest))


def border_edges(patch: Mesh) -> npt.NDArray[np.int64]:
    """Edges (E, 2) that one triangle of an open patch has alone."""
    edges = np.sort(patch.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    return unique[counts == 1].reshape(-1, 2)
