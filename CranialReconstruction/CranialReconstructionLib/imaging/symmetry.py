"""The reflection that lays one half of a head on the other.

All planes near the sagittal one are tried on a distance map of the bone's surface, vault and base; the
best of them are then refined by trimmed point-to-plane registration of the reflected surface to the
surface itself (Chen and Medioni 1992; trimming after Chetverikov et al. 2002). What is missing on one
side, a neck or a table, finds no partner and drops out. The vault alone would not do: seen from the
front it is nearly round. The symmetry plane is read off the refined reflection, as in De Momi et al.
2006. Weights and limits are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from skimage.measure import marching_cubes

from CranialReconstructionLib.imaging.volume import Volume

Points = npt.NDArray[np.float64]

# The search: turns about the superior and the anterior axis in degrees, offsets in millimetres.
SEARCH_DEGREES = np.arange(-30.0, 30.1, 6.0)
SEARCH_OFFSETS = np.arange(-15.0, 15.1, 5.0)
SEARCH_SPACING = 3.0
SEARCH_POINTS = 1500
CANDIDATES = 5
# A point farther than this from the other side says only that something is missing.
FAR = 8.0
REFINED_POINTS = 6000
REFINEMENTS = 50
# What is looked at: this far round the middle of an adult's vault, and this far below it.
REACH = 115.0
DEPTH = 65.0


@dataclass(frozen=True, eq=False)
class Reflection:
    """A reflection with a small rigid motion, RAS to RAS.

    Attributes:
        matrix: 4x4, orthogonal with determinant -1; takes a place to its partner on the other side.
        residual: robust standard deviation of the two sides' surfaces from each other, mm.
        plane_point: a point of the symmetry plane, RAS mm (3,).
        plane_normal: the plane's unit normal (3,), towards the patient's right (+R), RAS.
    """

    matrix: Points
    residual: float
    plane_point: Points
    plane_normal: Points

    def partner(self, ras: Points) -> Points:
        """The partners (..., 3) of places (..., 3) in RAS mm."""
        return ras @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def origin(self, ras: Points) -> Points:
        """The places (..., 3) in RAS mm whose partners are ``ras`` (..., 3)."""
        return (ras - self.matrix[:3, 3]) @ self.matrix[:3, :3]


@dataclass(frozen=True, eq=False)
class HeadSurface:
    """Points all over the surface of a skull.

    Attributes:
        centre: the middle of the vault, RAS mm (3,).
        points: places on the surface (N, 3), RAS mm, in random order.
        normals: outward unit normals (N, 3), RAS.
    """

    centre: Points
    points: Points
    normals: Points

    @classmethod
    def of(cls, bone: Volume, centre: Points, scale: float) -> HeadSurface:
        """The surface of the head about ``centre`` from occupancy 0 to 1 in voxels of 1 to 3 mm.

        Raises:
            ValueError: hardly any bone lies about ``centre``.
        """
        kji, _, _, _ = marching_cubes(np.pad(bone.voxels, 1), 0.5)
        kji = np.random.default_rng(0).permutation(kji.astype(np.float64) - 1.0)
        points = bone.grid.ras_of(kji[:, ::-1])
        away = points - centre
        near = (np.linalg.norm(away, axis=1) < REACH * scale) & (away[:, 2] > -DEPTH * scale)
        kji, points = kji[near], points[near]
        smooth = ndimage.gaussian_filter(bone.voxels, 0.7)
        slope = np.stack(
            [ndimage.map_coordinates(axis, kji.T, order=1, mode="nearest") for axis in np.gradient(smooth)],
            axis=1,
        )
        # A gradient is covariant: it turns with the inverse transpose of the axes.
        outward = -slope[:, ::-1] @ np.linalg.inv(bone.ijk_to_ras[:3, :3])
        length = np.linalg.norm(outward, axis=1)
        clear = length > 0.02
        if clear.sum() < 500:
            raise ValueError("hardly any bone surrounds the centre of the head")
        return cls(centre, points[clear], outward[clear] / length[clear, None])

    def subset(self, count: int) -> HeadSurface:
        """``count`` of the points, or all of them."""
        return HeadSurface(self.centre, self.points[:count], self.normals[:count])


def find_reflection(surface: HeadSurface) -> Reflection:
    """The best reflection of a head onto itself, tilted by up to about 30 degrees."""
    surface = surface.subset(REFINED_POINTS)
    tree = cKDTree(surface.points)
    few = surface.subset(SEARCH_POINTS)
    candidates = [_refined(few, surface, tree, matrix) for matrix in _searched(surface)]
    best = min(candidates, key=lambda reflection: _misfit(surface, tree, reflection.matrix))
    return _refined(surface, surface, tree, best.matrix)


def refine_near(surface: HeadSurface, reflection: Reflection, places: Points, reach: float) -> Reflection:
    """``reflection`` fitted again, with most weight on the surface near RAS ``places`` (N, 3).

    No head is quite symmetric: round a hole the two sides should agree, elsewhere they need not.
    The plane stays as it is. ``reach`` is the standard deviation of the weight, mm.
    """
    surface = surface.subset(2 * REFINED_POINTS)
    distance, _ = cKDTree(places).query(reflection.partner(surface.points))
    weights = 0.02 + np.exp(-0.5 * (distance / reach) ** 2)
    fitted = _refined(surface, surface, cKDTree(surface.points), reflection.matrix, weights)
    return replace(reflection, matrix=fitted.matrix, residual=fitted.residual)


def reflection_matrix(point: Points, normal: Points) -> Points:
    """The 4x4 reflection in the plane through ``point`` with unit ``normal``."""
    matrix = np.eye(4)
    matrix[:3, :3] -= 2.0 * np.outer(normal, normal)
    matrix[:3, 3] = 2.0 * (point @ normal) * normal
    return matrix


def _searched(surface: HeadSurface) -> list[Points]:
    """The reflections of a coarse search that fit best."""
    points, centre = surface.points, surface.centre
    low = points.min(0) - FAR
    cells = np.round((points - low) / SEARCH_SPACING).astype(int)
    empty = np.ones(cells.max(0) + 1 + int(FAR / SEARCH_SPACING), dtype=np.bool_)
    empty[tuple(cells.T)] = False
    distance = np.minimum(ndimage.distance_transform_edt(empty) * SEARCH_SPACING, FAR).astype(np.float32)
    points = points[:SEARCH_POINTS]
    found: list[tuple[float, Points]] = []
    for yaw in np.radians(SEARCH_DEGREES):
        for roll in np.radians(SEARCH_DEGREES):
            normal = np.array([np.cos(yaw) * np.cos(roll), np.sin(yaw) * np.cos(roll), np.sin(roll)])
            reflected = points - 2.0 * np.outer((points - centre) @ normal, normal)
            places = reflected + 2.0 * SEARCH_OFFSETS[:, None, None] * normal
            kept = np.rint((places - low) / SEARCH_SPACING).reshape(-1, 3).T
            fits = ndimage.map_coordinates(distance, kept, order=0, mode="constant", cval=FAR)
            misfits = fits.reshape(len(SEARCH_OFFSETS), -1).mean(axis=1)
            best = int(np.argmin(misfits))
            matrix = reflection_matrix(centre + SEARCH_OFFSETS[best] * normal, normal)
            found.append((float(misfits[best]), matrix))
    return [matrix for _, matrix in sorted(found, key=lambda pair: pair[0])[:CANDIDATES]]


def _misfit(surface: HeadSurface, tree: cKDTree, matrix: Points) -> float:
    """Mean distance in mm of the reflected points from the surface, each at most ``FAR``."""
    distance, _ = tree.query(surface.points @ matrix[:3, :3].T + matrix[:3, 3], distance_upper_bound=FAR)
    return float(np.minimum(distance, FAR).mean())


def _refined(
    moving: HeadSurface, fixed: HeadSurface, tree: cKDTree, matrix: Points, weights: Points | None = None
) -> Reflection:
    """``matrix`` after trimmed point-to-plane registration of the reflected points to the surface."""
    limit, residual, centre = FAR, np.inf, moving.centre
    importance = np.ones(len(moving.points)) if weights is None else weights
    for _ in range(REFINEMENTS):
        places = moving.points @ matrix[:3, :3].T + matrix[:3, 3]
        turned = moving.normals @ matrix[:3, :3].T
        distance, index = tree.query(places, distance_upper_bound=limit)
        paired = np.isfinite(distance)
        paired[paired] = (turned[paired] * fixed.normals[index[paired]]).sum(axis=1) > 0.7
        if paired.sum() < 50:
            break
        push = fixed.normals[index[paired]]
        share = importance[paired]
        error = ((fixed.points[index[paired]] - places[paired]) * push).sum(axis=1)
        residual = 1.4826 * _weighted_median(np.abs(error), share)
        design = np.concatenate([np.cross(places[paired] - centre, push), push], axis=1)
        # What the surface does not decide, as the turn of something round, is left as it is.
        hold = 1e-4 * share.sum() * np.diag([80.0**2] * 3 + [1.0] * 3)
        step = np.linalg.solve(design.T @ (share[:, None] * design) + hold, design.T @ (share * error))
        matrix = _rigid(step, centre) @ matrix
        limit = max(0.8 * limit, 3.0 * residual, 2.0)
        if np.abs(step[:3]).max() < 2e-5 and np.abs(step[3:]).max() < 2e-3:
            break
    normal = np.linalg.svd(matrix[:3, :3] + np.eye(3))[2][-1]
    normal = normal if normal[0] >= 0.0 else -normal
    point = 0.5 * (centre + matrix[:3, :3] @ centre + matrix[:3, 3])
    return Reflection(matrix, residual, point, normal)


def _rigid(step: Points, centre: Points) -> Points:
    """The 4x4 motion of a turn (rotation vector, radians) about ``centre`` and a shift (mm)."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(step[:3]).as_matrix()
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + step[3:]
    return matrix


def _weighted_median(values: Points, weights: Points) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][int(np.searchsorted(total, 0.5 * total[-1]))])
