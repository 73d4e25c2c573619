"""Fewer triangles, with the surface and the volume kept."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold
from scipy.sparse import coo_array, csr_array, dia_array
from scipy.spatial import cKDTree

from CranialReconstructionLib.implant.booleans import mesh_of, solid_of
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_probe import MeshProbe
from CranialReconstructionLib.implant.self_intersection import self_intersections

TRIANGLE_BUDGET = 200_000
# By how much a surface may be simplified whatever the budget, mm: below what a printer shows, and a tenth of the
# gap's tolerance. It takes four of five triangles of a surface that was cut from a grid.
FINENESS = 0.01
BISECTIONS = 10
NEAR_BUDGET = 0.9  # share of the budget at which the bisection is content
UNTANGLING_ROUNDS = 20
FOLD_REACH = 10.0  # around a fold, in sizes of its triangles, and a millimetre more
MOST_PLACES = 20_000  # where a Hausdorff distance is measured, each way


def decimated(mesh: Mesh, budget: int = TRIANGLE_BUDGET) -> tuple[Mesh, float]:
    """As few triangles as show the surface, small where it bends and large where it is flat; at most ``budget``.

    manifold3d's simplification, which keeps a surface two-manifold; what it folds over is smoothed out again.

    Args:
        mesh: two-manifold.

    Returns:
        A two-manifold mesh, and its two-sided Hausdorff distance from ``mesh`` in millimetres.
    """
    # Vertices that stay where they were lie on the surface, and the triangles between them cut its bulges off.
    fewer = untangled(_with_volume(mesh_of(simplified(solid_of(mesh), budget)), mesh.volume))
    return fewer, hausdorff(mesh, fewer)


def _with_volume(mesh: Mesh, volume: float) -> Mesh:
    """The vertices moved along their normals, all as far, until the volume is as asked."""
    for _ in range(3):
        corners = mesh.corners
        area_normals = 0.5 * np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        # A third of each triangle's area vector: the slope of the volume by the vertex's place.
        slopes = np.stack(
            [np.bincount(mesh.triangles.ravel(), np.repeat(area_normals[:, axis] / 3.0, 3)) for axis in range(3)], 1
        )
        normals = slopes / np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-12)
        step = (volume - mesh.volume) / max(float((normals * slopes).sum()), 1e-12)
        mesh = Mesh(mesh.vertices + step * normals, mesh.triangles)
    return mesh


def simplified(solid: Manifold, budget: int) -> Manifold:
    """The solid simplified by ``FINENESS``, or by as much as the budget asks for."""
    fine = solid.simplify(FINENESS)
    if fine.num_tri() <= budget:
        return fine
    low, high = FINENESS, 0.01 * max(np.ptp(np.reshape(solid.bounding_box(), (2, 3)), axis=0))
    best = fine.simplify(high)
    for _ in range(BISECTIONS):
        tolerance = float(np.sqrt(low * high))
        candidate = fine.simplify(tolerance)
        if candidate.num_tri() <= budget:
            best, high = candidate, tolerance
            if candidate.num_tri() >= NEAR_BUDGET * budget:
                break
        else:
            low = tolerance
    return best


def untangled(mesh: Mesh) -> Mesh:
    """Smoothed, and only there, where the surface passes through itself, until it no longer does.

    Takes small folds away; two parts of a surface that run through each other stay as they are.
    """
    pairs = self_intersections(mesh)
    if not len(pairs):
        return mesh
    mean = _mean_of_neighbours(mesh)
    vertices = mesh.vertices.copy()
    middles = mesh.corners.mean(axis=1)
    reach = 1.0 + FOLD_REACH * float(np.sqrt(mesh.areas[pairs].max()))
    apart, _ = cKDTree(middles[np.unique(pairs)]).query(middles, distance_upper_bound=reach)
    # What is farther away does not move, and need not be looked at again.
    near = mesh.triangles[np.isfinite(apart)]
    tangled = np.unique(near[self_intersections(Mesh(vertices, near))])
    for _ in range(UNTANGLING_ROUNDS):
        if not len(tangled):
            break
        vertices[tangled] += 0.5 * (mean[tangled] @ vertices - vertices[tangled])
        tangled = np.unique(near[self_intersections(Mesh(vertices, near))])
    return Mesh(vertices, mesh.triangles)


def _mean_of_neighbours(mesh: Mesh) -> csr_array:
    """The (V, V) matrix that gives each vertex the mean place of those that it shares an edge with."""
    count = len(mesh.vertices)
    first = mesh.triangles.ravel()
    second = mesh.triangles[:, [1, 2, 0]].ravel()
    ones = np.ones(2 * len(first))
    around = coo_array((ones, (np.r_[first, second], np.r_[second, first])), shape=(count, count)).tocsr()
    degree = np.maximum(around.sum(axis=1), 1.0)
    return dia_array((1.0 / degree[None], [0]), shape=(count, count)).tocsr() @ around


def hausdorff(first: Mesh, second: Mesh) -> float:
    """The two-sided Hausdorff distance, mm, from places all over each surface to the other surface."""
    return max(_farthest(first, second), _farthest(second, first))


def _farthest(mesh: Mesh, other: Mesh) -> float:
    corners = mesh.corners
    middles = 0.5 * (corners + corners[:, [1, 2, 0]])
    places = np.concatenate([mesh.vertices, corners.mean(axis=1), middles.reshape(-1, 3)])
    places = places[:: -(-len(places) // MOST_PLACES)]
    nearest, _ = MeshProbe(other).nearest(places)
    return float(np.linalg.norm(places - nearest, axis=1).max())
