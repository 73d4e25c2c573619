"""What a surface must be before it is printed, measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from manifold3d import Error, Manifold, Mesh64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.meshing import shells
from CranialReconstructionLib.implant.self_intersection import self_intersections
from CranialReconstructionLib.implant.wall_thickness import wall_thickness

SHARP_BELOW = 50.0  # degrees of material at an edge that cuts
NO_AREA = 1e-10  # square millimetres
THIN_AREA = 1.0  # square millimetres in one piece; less, at a corner rounded by the grid, is no thin wall
PERCENTILES = (1.0, 5.0, 50.0)


@dataclass(frozen=True, eq=False)
class Wall:
    """How thick the walls are, mm.

    Attributes:
        thinnest: the thickness that no square millimetre of the surface in one piece stays below; infinite
            without walls.
        place: the thinnest there, RAS (3,).
        percentiles: over the surface's area, 1 %, 5 % and 50 %.
    """

    thinnest: float
    place: npt.NDArray[np.float64]
    percentiles: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Quality:
    """What ``examine`` found; lengths in mm, places RAS (N, 3).

    Attributes:
        open_edges: edges with one triangle.
        crowded_edges: edges with more than two.
        bow_tie_vertices: vertices at which separate fans of triangles meet.
        turned_edges: edges whose two triangles wind against each other.
        inward_shells: shells of negative volume: inside out, or voids.
        shells: connected surfaces.
        degenerate_triangles: without area.
        intersections: pairs of triangles that pass through each other, and where.
        solid: whether manifold3d, a second judge, takes it as a solid.
        extent: along R, A, S.
        sharp_edges: length of convex edges with less than ``SHARP_BELOW`` degrees of material.
        wall: None if it was not asked for.
    """

    triangles: int
    open_edges: int
    crowded_edges: int
    bow_tie_vertices: int
    turned_edges: int
    inward_shells: int
    shells: int
    degenerate_triangles: int
    intersections: int
    intersection_places: npt.NDArray[np.float64]
    solid: bool
    volume: float
    area: float
    extent: tuple[float, float, float]
    sharp_edges: float
    wall: Wall | None

    @property
    def watertight(self) -> bool:
        """No edge is open."""
        return self.triangles > 0 and self.open_edges == 0

    @property
    def two_manifold(self) -> bool:
        """Every point of it looks like a disc."""
        return self.watertight and self.crowded_edges == 0 and self.bow_tie_vertices == 0

    @property
    def outward(self) -> bool:
        """All normals point out of the material."""
        return self.turned_edges == 0 and self.inward_shells == 0

    @property
    def sound(self) -> bool:
        """Fit to be printed as one piece."""
        return (
            self.two_manifold
            and self.outward
            and self.solid
            and self.shells == 1
            and self.intersections == 0
            and self.degenerate_triangles == 0
        )


@dataclass(frozen=True, eq=False)
class _Edges:
    """Undirected edges: number of triangles (E,), sum of directions (E,), and the two sides of the
    proper ones as half-edges 3 t + i (P, 2)."""

    counts: npt.NDArray[np.int64]
    turns: npt.NDArray[np.int64]
    sides: npt.NDArray[np.int64]


def examine(mesh: Mesh, walls: bool = True) -> Quality:
    """Everything about a mesh that a printer or a surgeon would stumble over.

    Vertices at the same place, to single precision, count as one: so a file keeps them.

    Args:
        walls: also measure how thick the walls are.
    """
    mesh = welded(mesh)
    edges = _edges_of(mesh)
    pairs = self_intersections(mesh)
    parts = shells(mesh)
    middles = mesh.corners.mean(axis=1)
    extent = np.ptp(mesh.vertices, axis=0) if len(mesh.vertices) else np.zeros(3)
    return Quality(
        triangles=len(mesh.triangles),
        open_edges=int((edges.counts == 1).sum()),
        crowded_edges=int((edges.counts > 2).sum()),
        bow_tie_vertices=_bow_ties(mesh, edges),
        turned_edges=int((edges.turns[edges.counts == 2] != 0).sum()),
        inward_shells=sum(part.volume <= 0.0 for part in parts),
        shells=len(parts),
        degenerate_triangles=int((mesh.areas < NO_AREA).sum()),
        intersections=len(pairs),
        intersection_places=middles[pairs].mean(axis=1) if len(pairs) else np.zeros((0, 3)),
        solid=_is_solid(mesh),
        volume=mesh.volume,
        area=float(mesh.areas.sum()),
        extent=(float(extent[0]), float(extent[1]), float(extent[2])),
        sharp_edges=_sharp_length(mesh, edges),
        wall=_wall(mesh, edges) if walls and len(mesh.triangles) else None,
    )


def is_sound(mesh: Mesh) -> bool:
    """Whether every shell of the mesh is two-manifold, turned outwards, and nothing passes through itself."""
    quality = examine(mesh, walls=False)
    return quality.two_manifold and quality.outward and quality.solid and quality.intersections == 0


def is_two_manifold(mesh: Mesh) -> bool:
    """Whether the surface is closed and looks like a disc everywhere; quick, and blind to intersections."""
    mesh = welded(mesh)
    edges = _edges_of(mesh)
    return bool((edges.counts == 2).all() and (edges.turns == 0).all()) and _bow_ties(mesh, edges) == 0


def welded(mesh: Mesh) -> Mesh:
    """With one vertex at a place, to single precision, and none that no triangle uses; itself if it is so already."""
    used = np.flatnonzero(np.bincount(mesh.triangles.ravel(), minlength=len(mesh.vertices)))
    places = mesh.vertices[used].astype(np.float32)
    # Sorting by columns takes a tenth of numpy.unique's time on rows.
    order = np.lexsort(places.T[::-1])
    ordered = places[order]
    first = np.ones(len(used), dtype=bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    if len(used) == len(mesh.vertices) and first.all():
        return mesh
    merged = np.zeros(len(mesh.vertices), dtype=np.int64)
    merged[used[order]] = np.cumsum(first) - 1
    return Mesh(mesh.vertices[used[order[first]]], merged[mesh.triangles])


def _edges_of(mesh: Mesh) -> _Edges:
    half = mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    keys = half.min(axis=1) * np.int64(len(mesh.vertices)) + half.max(axis=1)
    order = np.argsort(keys, kind="stable")
    _, starts, counts = np.unique(keys[order], return_index=True, return_counts=True)
    directions = np.where(half[order, 0] < half[order, 1], 1, -1)
    turns = np.add.reduceat(directions, starts) if len(starts) else np.zeros(0, dtype=np.int64)
    pairs = starts[counts == 2]
    return _Edges(counts, turns, np.stack([order[pairs], order[pairs + 1]], axis=1))


def _bow_ties(mesh: Mesh, edges: _Edges) -> int:
    """Vertices whose triangles make more than one fan."""
    count = mesh.triangles.size
    # The corners that two neighbours have at the two ends of their common edge belong to one fan.
    one, other = edges.sides.T
    ends = [one, (one // 3) * 3 + (one + 1) % 3], [other, (other // 3) * 3 + (other + 1) % 3]
    own, facing = np.concatenate(ends[0]), np.concatenate([ends[1][1], ends[1][0]])
    turned = mesh.triangles.ravel()[own] != mesh.triangles.ravel()[facing]
    facing[turned] = np.concatenate(ends[1])[turned]
    links = coo_array((np.ones(len(own), dtype=np.int8), (own, facing)), shape=(count, count))
    fans, labels = connected_components(links, directed=False)
    fan_vertices = np.empty(fans, dtype=np.int64)
    fan_vertices[labels] = mesh.triangles.ravel()
    return int((np.bincount(fan_vertices, minlength=len(mesh.vertices)) > 1).sum())


def _sharp_length(mesh: Mesh, edges: _Edges) -> float:
    one, other = edges.sides.T
    normals = mesh.normals
    tips = mesh.vertices[mesh.triangles[other // 3, (other + 2) % 3]]
    starts = mesh.vertices[mesh.triangles[one // 3, one % 3]]
    ends = mesh.vertices[mesh.triangles[one // 3, (one + 1) % 3]]
    convex = (normals[one // 3] * (tips - starts)).sum(axis=1) < 0.0
    turn = np.degrees(np.arccos(np.clip((normals[one // 3] * normals[other // 3]).sum(axis=1), -1.0, 1.0)))
    sharp = convex & (180.0 - turn < SHARP_BELOW)
    return float(np.linalg.norm(ends - starts, axis=1)[sharp].sum())


def _is_solid(mesh: Mesh) -> bool:
    solid = Manifold(
        Mesh64(vert_properties=np.ascontiguousarray(mesh.vertices), tri_verts=mesh.triangles.astype(np.uint64))
    )
    return solid.status() == Error.NoError and not solid.is_empty()


def _wall(mesh: Mesh, edges: _Edges) -> Wall:
    thickness, areas = wall_thickness(mesh), mesh.areas
    known = np.flatnonzero(np.isfinite(thickness))
    if not len(known):
        return Wall(float("inf"), mesh.vertices[0], (float("inf"),) * 3)
    order = known[np.argsort(thickness[known])]
    summed = np.cumsum(areas[order])
    last = len(order) - 1
    levels = np.array([share / 100.0 * summed[-1] for share in PERCENTILES])
    one, five, half = (float(value) for value in thickness[order[np.minimum(np.searchsorted(summed, levels), last)]])
    neighbours = edges.sides // 3
    area = min(THIN_AREA, 0.5 * summed[-1])
    low, high, patch = -1, last, order
    while high - low > 1:
        middle = (low + high) // 2
        found = _largest_patch(order[: middle + 1], neighbours, areas)
        if areas[found].sum() >= area:
            high, patch = middle, found
        else:
            low = middle
    thinnest = patch[np.argmin(thickness[patch])]
    return Wall(float(thickness[order[high]]), mesh.corners[thinnest].mean(axis=0), (one, five, half))


def _largest_patch(
    chosen: npt.NDArray[np.int64], neighbours: npt.NDArray[np.int64], areas: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Those of the ``chosen`` triangles that make the largest connected surface."""
    number = np.full(len(areas), -1, dtype=np.int64)
    number[chosen] = np.arange(len(chosen))
    links = number[neighbours]
    links = links[(links >= 0).all(axis=1)]
    size = len(chosen)
    graph = coo_array((np.ones(len(links), dtype=np.int8), (links[:, 0], links[:, 1])), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return chosen[labels == np.argmax(np.bincount(labels, areas[chosen]))]
