"""Smoother surfaces, and fewer triangles, with the volume kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array, dia_array
from scipy.spatial import cKDTree
from vtkmodules.vtkFiltersCore import vtkQuadricDecimation

from CranialReconstructionLib.implant.booleans import mesh_of, solid_of
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_probe import MeshProbe, mesh_of_polydata, polydata_of
from CranialReconstructionLib.implant.mesh_quality import is_two_manifold
from CranialReconstructionLib.implant.self_intersection import self_intersections

TRIANGLE_BUDGET = 200_000
VOLUME_TOLERANCE = 0.01
# Taubin's pair for a pass band of 0.1: 1 / lambda + 1 / mu = 0.1 (Taubin, SIGGRAPH 1995).
SHRINK, SWELL = 0.5, -0.5263
BISECTIONS = 10
NEAR_BUDGET = 0.9  # share of the budget at which the bisection is content
UNTANGLING_ROUNDS = 20
FOLD_REACH = 10.0  # around a fold, in sizes of its triangles, and a millimetre more
MOST_PLACES = 100_000  # where a Hausdorff distance is measured, each way


def smoothed(mesh: Mesh, rounds: int = 10, fixed: npt.NDArray[np.bool_] | None = None) -> Mesh:
    """Without the grid's staircase, at the same volume.

    Taubin's two-step smoothing takes waves of a few edges' length away and leaves longer ones; what
    little volume it changes is put back along the normals.

    Args:
        rounds: pairs of steps.
        fixed: (V,) vertices that stay where they are.
    """
    mean = _mean_of_neighbours(mesh)
    free = np.ones((len(mesh.vertices), 1)) if fixed is None else (~fixed).astype(np.float64)[:, None]
    vertices = mesh.vertices
    for _ in range(rounds):
        for step in (SHRINK, SWELL):
            vertices = vertices + step * free * (mean @ vertices - vertices)
    return _with_volume(Mesh(vertices, mesh.triangles), mesh.volume, free)


def _with_volume(mesh: Mesh, volume: float, free: npt.NDArray[np.float64]) -> Mesh:
    """The free vertices moved along their normals until the volume is as asked."""
    for _ in range(3):
        corners = mesh.corners
        area_normals = 0.5 * np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        # A third of each triangle's area vector: the slope of the volume by the vertex's place.
        slopes = np.stack(
            [np.bincount(mesh.triangles.ravel(), np.repeat(area_normals[:, axis] / 3.0, 3)) for axis in range(3)], 1
        )
        normals = slopes / np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-12) * free
        step = (volume - mesh.volume) / max(float((normals * slopes).sum()), 1e-12)
        mesh = Mesh(mesh.vertices + step * normals, mesh.triangles)
    return mesh


def decimated(mesh: Mesh, budget: int = TRIANGLE_BUDGET) -> tuple[Mesh, float]:
    """At most ``budget`` triangles, small where the surface bends and large where it is flat.

    Quadric error decimation (Garland and Heckbert, SIGGRAPH 1997) comes first, and what it folds over is
    smoothed out again; where it breaks the surface, manifold3d's simplification takes its place.

    Args:
        mesh: two-manifold.

    Returns:
        A two-manifold mesh, and its two-sided Hausdorff distance from ``mesh`` in millimetres. The
        mesh itself if it is within the budget.
    """
    if len(mesh.triangles) <= budget:
        return mesh, 0.0
    fewer = _by_quadrics(mesh, budget)
    if len(fewer.triangles) > budget or not _volume_kept(fewer, mesh) or not is_two_manifold(fewer):
        fewer = _by_tolerance(mesh, budget)
    fewer = untangled(fewer)
    return fewer, hausdorff(mesh, fewer)


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


def _volume_kept(fewer: Mesh, mesh: Mesh) -> bool:
    return abs(fewer.volume - mesh.volume) <= VOLUME_TOLERANCE * abs(mesh.volume)


def _by_quadrics(mesh: Mesh, budget: int) -> Mesh:
    decimation = vtkQuadricDecimation()
    decimation.SetInputData(polydata_of(mesh))
    decimation.SetTargetReduction(1.0 - 0.98 * budget / len(mesh.triangles))
    decimation.VolumePreservationOn()
    decimation.Update()
    return mesh_of_polydata(decimation.GetOutput())


def _by_tolerance(mesh: Mesh, budget: int) -> Mesh:
    """A simplification that nearly fills the budget, by bisection of its tolerance."""
    solid = solid_of(mesh)
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    low, high = 1e-5 * extent, 0.01 * extent
    best = solid.simplify(high)
    for _ in range(BISECTIONS):
        tolerance = float(np.sqrt(low * high))
        candidate = solid.simplify(tolerance)
        if candidate.num_tri() <= budget:
            best, high = candidate, tolerance
            if candidate.num_tri() >= NEAR_BUDGET * budget:
                break
        else:
            low = tolerance
    return mesh_of(best)


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
