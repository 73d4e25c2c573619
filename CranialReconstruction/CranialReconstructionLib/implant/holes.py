"""Holes through an implant, normal to its outer surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold
from scipy.spatial import cKDTree

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.booleans import clean_mesh_of, solid_of
from CranialReconstructionLib.implant.design import Design, Hole, PerfusionHoles
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_probe import MeshProbe
from CranialReconstructionLib.implant.meshing import border_edges, shell_labels

Points = npt.NDArray[np.float64]

# Triangles turned less than this from the way out are of the outer surface, degrees.
OUTER_WITHIN = 80.0
SEGMENTS = 48  # of a hole's circle
DEEPEST = 60.0  # through which a hole may go, mm
BEYOND = 1.0  # that a drill starts before and ends behind the wall, mm
RING = 24  # places around a hole where the wall is looked for
DEPTHS = (0.1, 0.3, 0.5, 0.7, 0.9)  # shares of its depth at which it is looked for: a flange's step, a bevel's foot


@dataclass(frozen=True, eq=False)
class DrilledHole:
    """A hole: its middle on the outer surface and the unit direction inwards (RAS), diameter and length, mm."""

    at: Points
    direction: Points
    diameter: float
    depth: float


@dataclass(frozen=True, eq=False)
class SkippedHole:
    """A place (RAS) of the perfusion pattern without a hole, and why."""

    at: Points
    reason: str


@dataclass(frozen=True, eq=False)
class Drilling:
    """An implant with its holes."""

    mesh: Mesh
    holes: list[DrilledHole]
    skipped: list[SkippedHole]


def drill(parts: Sequence[Mesh], axes: Sequence[npt.ArrayLike], design: Design) -> list[Drilling]:
    """The single holes and the perfusion pattern of a design, in all parts of it.

    A single hole goes through the part that is nearest to its place. They come first; where one of the pattern
    would come too close to them or to the rim, it is left out.

    Args:
        parts: two-manifold; several implants, or the pieces of one.
        axes: of each, the direction from outside to inside (RAS).

    Raises:
        UserError: a single hole leaves less than the minimum wall to the edge or to another one, or
            there is no place for any hole of the pattern.
    """
    if not design.holes and not design.perfusion:
        return [Drilling(mesh, [], []) for mesh in parts]
    sites = [
        _Site(mesh, np.asarray(axis, dtype=np.float64), design.wall) for mesh, axis in zip(parts, axes, strict=True)
    ]
    for number, hole in enumerate(design.holes, start=1):
        site = min(sites, key=lambda site: site.distance(hole))
        reason = site.add(site.single(hole))
        if reason:
            raise UserError(reason, where=f"hole {number}", remedy="Move it, or make it smaller.")
    if design.perfusion:
        before = sum(len(site.holes) for site in sites)
        for site in sites:
            site.add_pattern(design.perfusion)
        if sum(len(site.holes) for site in sites) == before:
            raise UserError(
                "no perfusion hole fits between the margins",
                where="design",
                remedy="Make the pattern's margin or pitch smaller, or leave the holes out.",
            )
    return [site.drilling() for site in sites]


def hexagonal(places: Points, pitch: float) -> Points:
    """Middles of a hexagonal pattern (2, N) over the box around places (M, 2), from its middle."""
    low, high = places.min(axis=0), places.max(axis=0)
    middle = 0.5 * (low + high)
    reach = np.ceil((high - low) / pitch).astype(int) + 1
    # Each row is half a pitch further along: more columns than the width alone asks for.
    columns, rows = np.meshgrid(np.arange(-reach.sum(), reach.sum() + 1), np.arange(-reach[1], reach[1] + 1))
    x = middle[0] + pitch * (columns + 0.5 * rows).ravel()
    y = middle[1] + pitch * np.sqrt(0.75) * rows.ravel()
    within = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
    return np.stack((x[within], y[within]))


class _Site:
    """A part that is drilled: its outer surface, the rim of it, what lies between, and the holes so far."""

    def __init__(self, mesh: Mesh, axis: Points, wall: float) -> None:
        self._mesh = mesh
        self._axis = axis / np.linalg.norm(axis)
        self._wall = wall
        self._probe = MeshProbe(mesh)
        outer = mesh.normals @ self._axis < -np.cos(np.radians(OUTER_WITHIN))
        labels = shell_labels(Mesh(mesh.vertices, mesh.triangles[outer]))
        areas = np.bincount(labels, mesh.areas[outer])
        patch = Mesh(mesh.vertices, mesh.triangles[np.flatnonzero(outer)[labels == np.argmax(areas)]])
        self._outer = patch
        self._outer_probe = MeshProbe(patch)
        self._middles = cKDTree(patch.corners.mean(axis=1))
        self._rim = cKDTree(_border(patch))
        self.holes: list[DrilledHole] = []
        self.skipped: list[SkippedHole] = []

    def distance(self, hole: Hole) -> float:
        """From where the hole is wanted to the part, mm."""
        at = np.array([hole.at], dtype=np.float64)
        return float(np.linalg.norm(self._probe.nearest(at)[0] - at))

    def add(self, hole: DrilledHole, margin: float = 0.0) -> str | None:
        """Take the hole, or say why not."""
        reason = self._objection(hole, margin)
        if reason is None:
            self.holes.append(hole)
        return reason

    def add_pattern(self, pattern: PerfusionHoles) -> None:
        """Take the holes of the pattern that there is room for."""
        for hole in self._pattern(pattern):
            reason = self.add(hole, pattern.margin)
            if reason:
                self.skipped.append(SkippedHole(hole.at, reason))

    def drilling(self) -> Drilling:
        """The part with its holes."""
        return Drilling(_drilled(self._mesh, self.holes), self.holes, self.skipped)

    def single(self, hole: Hole) -> DrilledHole:
        """The hole at the place of the outer surface nearest to where it is wanted."""
        places, triangles = self._outer_probe.nearest(np.array([hole.at], dtype=np.float64))
        return self._hole(places[0], triangles[0], hole.diameter)

    def _pattern(self, pattern: PerfusionHoles) -> list[DrilledHole]:
        """Hexagonal in the plane across the axis, around the middle of the outer surface."""
        right, up = across(self._axis)
        vertices = self._outer.vertices[np.unique(self._outer.triangles)]
        flat = np.stack([vertices @ right, vertices @ up], axis=1)
        x, y = hexagonal(flat, pattern.pitch)
        outermost = float((vertices @ self._axis).min())
        length = float(np.ptp(vertices @ self._axis)) + 2.0 * BEYOND
        origins = x[:, None] * right + y[:, None] * up + (outermost - BEYOND) * self._axis
        hits = self._outer_probe.cast(origins, np.broadcast_to(self._axis, origins.shape), length)
        places = origins + np.where(hits.met, hits.distances, 0.0)[:, None] * self._axis
        return [
            self._hole(places[index], hits.triangles[index], pattern.diameter) for index in np.flatnonzero(hits.met)
        ]

    def _objection(self, hole: DrilledHole, margin: float) -> str | None:
        """Why the hole may not be drilled beside those that are there, or None."""
        radius = 0.5 * hole.diameter
        if not np.isfinite(hole.depth):
            return "there is no wall to drill through"
        for other in self.holes:
            between = _lines_apart(hole, other) - radius - 0.5 * other.diameter
            if between < self._wall - 1e-6:
                return f"less than the minimum wall of {self._wall:g} mm is left between two holes"
        rim = float(self._rim.query(hole.at)[0]) - radius
        if rim < max(margin, self._wall):
            return f"the rim is {max(rim, 0.0):.1f} mm away, less than {max(margin, self._wall):g} mm"
        if not self._probe.contains(self._ring(hole, radius + self._wall)).all():
            return f"less than the minimum wall of {self._wall:g} mm is left to the edge"
        return None

    def _hole(self, place: Points, triangle: np.int64, diameter: float) -> DrilledHole:
        # The normal over the hole's width: that of one triangle would follow the grid's noise.
        near = np.unique([*self._middles.query_ball_point(place, diameter), triangle])
        patch = Mesh(self._outer.vertices, self._outer.triangles[near])
        inward = -(patch.normals * patch.areas[:, None]).sum(axis=0)
        direction = inward / np.linalg.norm(inward)
        hit = self._probe.cast((place + 1e-3 * direction)[None], direction[None], DEEPEST)
        return DrilledHole(place, direction, diameter, float(hit.distances[0]) + 1e-3)

    def _ring(self, hole: DrilledHole, radius: float) -> Points:
        right, up = across(hole.direction)
        angles = np.linspace(0.0, 2.0 * np.pi, RING, endpoint=False)[:, None]
        circle = hole.at + radius * (np.cos(angles) * right + np.sin(angles) * up)
        return np.concatenate([circle + share * hole.depth * hole.direction for share in DEPTHS])


def _drilled(mesh: Mesh, holes: Sequence[DrilledHole]) -> Mesh:
    if not holes:
        return mesh
    drills = []
    for hole in holes:
        right, up = across(hole.direction)
        # Polygons around the circle: the hole is nowhere narrower than asked for.
        radius = 0.5 * hole.diameter / np.cos(np.pi / SEGMENTS)
        start = hole.at - BEYOND * hole.direction
        frame = np.stack([right, up, hole.direction, start], axis=1)
        drills.append(Manifold.cylinder(hole.depth + 2.0 * BEYOND, radius, -1.0, SEGMENTS).transform(frame))
    result = solid_of(mesh)
    for drill_bit in drills:
        result = result - drill_bit
    return clean_mesh_of(result)


def _border(patch: Mesh) -> Points:
    """Vertices and middles of the patch's border."""
    ends = patch.vertices[border_edges(patch)]
    return np.concatenate([ends.reshape(-1, 3), ends.mean(axis=1)])


def across(direction: Points) -> tuple[Points, Points]:
    """Two unit vectors that make a right-handed frame with ``direction`` as the third."""
    helper = np.eye(3)[np.argmin(np.abs(direction))]
    right = np.cross(helper, direction)
    right = right / np.linalg.norm(right)
    return right, np.cross(direction, right)


def _lines_apart(hole: DrilledHole, other: DrilledHole) -> float:
    """The distance between two holes' middle lines within the wall, from nine places on each."""
    shares = np.linspace(0.0, 1.0, 9)[:, None]
    first = hole.at + shares * hole.depth * hole.direction
    second = other.at + shares * other.depth * other.direction
    return float(np.linalg.norm(first[:, None] - second[None], axis=2).min())
