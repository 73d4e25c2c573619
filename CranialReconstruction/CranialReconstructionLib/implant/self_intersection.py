"""Triangles of a mesh that pass through each other.

Candidates come from trees over the triangles' bounding spheres, one tree for each size of triangle, and
are then tested for a separating plane: two triangles whose insides do not meet have one among the two
planes that they lie in and the nine spanned by an edge of each (Gottschalk et al., SIGGRAPH 1996, with
flat boxes for triangles; for two in one plane, across an edge). Triangles that only touch do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from CranialReconstructionLib.implant.mesh import Mesh

Pairs = npt.NDArray[np.int64]
Corners = npt.NDArray[np.float64]

# Contact up to this deep is touching, mm: a file in single precision moves vertices by a tenth of it.
TOUCH = 1e-4
STEP_OF_SIZE = 1.5  # largest over smallest triangle in a tree
AT_ONCE = 500_000  # pairs tested together, to bound the memory
FOLDED = -1.0 + 1e-9  # cosine between the normals of two neighbours that lie on each other


# A mesh is made free of them when it is made, and checked as a whole later: it is one search for both.
_found: WeakKeyDictionary[Mesh, Pairs] = WeakKeyDictionary()


def self_intersections(mesh: Mesh) -> Pairs:
    """Pairs of triangles (N, 2) that meet elsewhere than at vertices and edges they share; kept with the mesh."""
    if mesh not in _found:
        _found[mesh] = _search(mesh)
    return _found[mesh]


def _search(mesh: Mesh) -> Pairs:
    if len(mesh.triangles) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    corners = mesh.corners - mesh.vertices.mean(axis=0)
    low, high = corners.min(axis=1), corners.max(axis=1)
    sides = [(np.ascontiguousarray(low[:, axis]), np.ascontiguousarray(high[:, axis])) for axis in range(3)]
    near = []
    for pairs in _candidates(low, high):
        first, second = pairs.T
        meet = np.ones(len(pairs), dtype=bool)
        for start, stop in sides:
            meet &= (start[first] <= stop[second]) & (start[second] <= stop[first])
        near.append(pairs[meet])
    pairs = np.concatenate(near) if near else np.zeros((0, 2), dtype=np.int64)
    met = [_meet(mesh, corners, pairs[start : start + AT_ONCE]) for start in range(0, len(pairs), AT_ONCE)]
    return pairs[np.concatenate(met)] if met else pairs


def _candidates(low: Corners, high: Corners) -> Iterator[Pairs]:
    """Pairs (N, 2) of triangles whose bounding spheres may meet, each once."""
    middles = 0.5 * (low + high)
    radii = np.maximum(0.5 * np.linalg.norm(high - low, axis=1), 1e-12)
    sizes = np.floor(np.log(radii / radii.min()) / np.log(STEP_OF_SIZE)).astype(np.int64)
    groups = [np.flatnonzero(sizes == size) for size in np.unique(sizes)]
    trees = [cKDTree(middles[group]) for group in groups]
    reaches = [float(radii[group].max()) for group in groups]
    for a, group in enumerate(groups):
        own = trees[a].query_pairs(2.0 * reaches[a], output_type="ndarray")
        yield group[own].reshape(-1, 2)
        for b in range(a + 1, len(groups)):
            near = trees[a].sparse_distance_matrix(trees[b], reaches[a] + reaches[b], output_type="ndarray")
            yield np.stack([group[near["i"]], groups[b][near["j"]]], axis=1)


def _meet(mesh: Mesh, corners: Corners, pairs: Pairs) -> npt.NDArray[np.bool_]:
    """Which pairs meet (N,)."""
    first, second = mesh.triangles[pairs[:, 0]], mesh.triangles[pairs[:, 1]]
    shared = (first[:, :, None] == second[:, None, :]).sum(axis=(1, 2))
    result = shared >= 3
    neighbours = shared == 2
    if neighbours.any():
        normals = _unit(_across(corners[pairs[neighbours]].reshape(-1, 3, 3))).reshape(-1, 2, 3)
        result[neighbours] = (normals[:, 0] * normals[:, 1]).sum(axis=1) < FOLDED
    apart = np.flatnonzero(shared < 2)
    result[apart] = _insides_meet(corners[pairs[apart, 0]], corners[pairs[apart, 1]])
    return result


def _insides_meet(first: Corners, second: Corners) -> npt.NDArray[np.bool_]:
    """Whether no plane separates the pairs of triangles (N, 3, 3) (N, 3, 3)."""
    left = np.arange(len(first))
    flat = np.zeros(len(first), dtype=bool)
    for own, other in ((first, second), (second, first)):
        normals = _unit(_across(own[left]))
        lowest, highest = _range(np.einsum("nij,nj->ni", other[left] - own[left, :1], normals))
        above, below = lowest >= -TOUCH, highest <= TOUCH
        flat[left] |= above & below
        left = left[above == below]
    edges = [(first, second, edge) for edge in range(3)] + [(second, first, edge) for edge in range(3)]
    for own, other, edge in edges:
        # The plane through an edge, upright on its own triangle.
        a, b = own[left], other[left]
        left = left[~_separated(_unit(np.cross(_across(a), a[:, (edge + 1) % 3] - a[:, edge])), a, b)]
    for i in range(3):
        for j in range(3):
            a, b = first[left], second[left]
            along = _unit(a[:, (i + 1) % 3] - a[:, i]), _unit(b[:, (j + 1) % 3] - b[:, j])
            spanned = np.cross(*along)
            usable = (np.linalg.norm(spanned, axis=1) > 1e-9) & ~flat[left]
            left = left[~(usable & _separated(_unit(spanned), a, b))]
    result = np.zeros(len(first), dtype=bool)
    result[left] = True
    return result


def _separated(axes: npt.NDArray[np.float64], first: Corners, second: Corners) -> npt.NDArray[np.bool_]:
    """Whether the pairs lie on two sides of a plane across the unit ``axes`` (N, 3), which may touch both."""
    a_low, a_high = _range(np.einsum("nij,nj->ni", first - first[:, :1], axes))
    b_low, b_high = _range(np.einsum("nij,nj->ni", second - first[:, :1], axes))
    beside = (a_high <= b_low + TOUCH) | (b_high <= a_low + TOUCH)
    # All in the plane itself separates nothing.
    return beside & (np.maximum(a_high - a_low, b_high - b_low) > TOUCH)


def _range(heights: Corners) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lowest and highest (N,) of each three heights (N, 3); quicker than along the axis, which is short."""
    a, b, c = heights.T
    return np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)


def _across(corners: Corners) -> npt.NDArray[np.float64]:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0.0, length, 1.0)
