"""How far apart the surfaces of two masks lie.

Two kinds of surface, as the field uses them:

- the **border**, voxels of the mask with a 6-neighbour outside it, each counted once: Hausdorff and
  mean distances;
- **surface elements**, the pieces of the marching-cubes surface between 2x2x2 voxels, each counted
  with its area: the surface Dice of Nikolov et al., "Deep learning to achieve clinically applicable
  segmentation of head and neck anatomy for radiotherapy", arXiv 1809.04430.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree
from skimage.measure import marching_cubes, mesh_surface_area

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Spacing = tuple[float, float, float]

SURFACE_TOLERANCE_MM = 1.0

_PERCENTILE = 95.0
# A distance of exactly the tolerance must not fall out by rounding.
_ROUNDING_MM = 1e-9
_ALL_INSIDE = 255
_CUBE_CORNERS = tuple(product((0, 1), repeat=3))


def border(mask: Mask) -> Mask:
    """The voxels of ``mask`` with at least one of their six neighbours outside it.

    Beyond the array there is no bone: a mask that touches the array's face has its border there.
    """
    padded = np.pad(mask, 1)
    middle = slice(1, -1)
    buried = mask.copy()
    for axis in range(mask.ndim):
        for neighbour in (slice(None, -2), slice(2, None)):
            window = [middle] * mask.ndim
            window[axis] = neighbour
            buried &= padded[tuple(window)]
    return mask & ~buried


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances in millimetres from every border voxel to the nearest one of the other mask.

    Attributes:
        to_truth: one for each border voxel of the prediction.
        to_prediction: one for each border voxel of the truth.
    """

    to_truth: Floats
    to_prediction: Floats

    @classmethod
    def between(cls, prediction: Mask, truth: Mask, spacing: Spacing) -> SurfaceDistances:
        """The distances between two masks (K, J, I), neither of them empty, with ``spacing`` (K, J, I).

        Raises:
            ValueError: if a mask is empty.
        """
        points = _millimetres(border(prediction), spacing)
        others = _millimetres(border(truth), spacing)
        return cls(_nearest(points, others), _nearest(others, points))

    def hausdorff95_pooled(self) -> float:
        """95th percentile of both directed sets **pooled**: HD95 of the AutoImplant challenges."""
        return float(np.percentile(np.concatenate([self.to_truth, self.to_prediction]), _PERCENTILE))

    def hausdorff95_directed(self) -> float:
        """The larger of the two directed 95th percentiles: HD95 as MONAI computes it."""
        return float(max(np.percentile(d, _PERCENTILE) for d in (self.to_truth, self.to_prediction)))

    def mean(self) -> float:
        """Mean symmetric surface distance: the mean of the two directed means.

        Neither surface counts for more by having more voxels.
        """
        return float((self.to_truth.mean() + self.to_prediction.mean()) / 2.0)


def surface_dice(prediction: Mask, truth: Mask, spacing: Spacing, tolerance: float = SURFACE_TOLERANCE_MM) -> float:
    """Share of both surfaces' area that lies within ``tolerance`` millimetres of the other (SDSC).

    Args:
        prediction: predicted missing bone (K, J, I), not empty.
        truth: true missing bone, same shape, not empty.
        spacing: voxel edges along (K, J, I) in millimetres.
        tolerance: millimetres.

    Raises:
        ValueError: if a mask is empty.
    """
    points, areas = _surface_elements(prediction, spacing)
    others, other_areas = _surface_elements(truth, spacing)
    limit = tolerance + _ROUNDING_MM
    near = areas[_nearest(points, others) <= limit].sum()
    near += other_areas[_nearest(others, points) <= limit].sum()
    return float(near / (areas.sum() + other_areas.sum()))


def _millimetres(mask: Mask, spacing: Spacing) -> Floats:
    places: Floats = np.argwhere(mask) * np.asarray(spacing)
    return places


def _nearest(points: Floats, others: Floats) -> Floats:
    if not len(points) or not len(others):
        raise ValueError("the distance to or from an empty mask has no value")
    # A tree over border voxels alone is many times faster than a distance transform of their box.
    # Balancing it only costs time: voxels lie on a lattice.
    tree = KDTree(others, balanced_tree=False, compact_nodes=False)
    return np.asarray(tree.query(points)[0], dtype=np.float64)


def _surface_elements(mask: Mask, spacing: Spacing) -> tuple[Floats, Floats]:
    """Places (N, 3) in millimetres, shifted by half a voxel, and areas (N,) in square millimetres."""
    padded = np.pad(mask, 1).view(np.uint8)
    codes = np.zeros([n - 1 for n in padded.shape], dtype=np.uint8)
    for bit, corner in enumerate(_CUBE_CORNERS):
        window = tuple(slice(a, a + n) for a, n in zip(corner, codes.shape, strict=True))
        codes |= padded[window] << bit
    crossed = (codes != 0) & (codes != _ALL_INSIDE)
    return _millimetres(crossed, spacing), _element_areas(spacing)[codes[crossed]]


@lru_cache(maxsize=8)
def _element_areas(spacing: Spacing) -> Floats:
    """Area of the surface inside a cube of 2x2x2 voxel centres, for each of its 256 fillings.

    Of a filling and its complement, which have the same surface, the smaller triangulation counts:
    that keeps voxels apart which touch along an edge only, as the ``surface-distance`` package does.
    """
    areas = np.zeros(_ALL_INSIDE + 1)
    for code in range(1, _ALL_INSIDE):
        cube = np.array([code >> bit & 1 for bit in range(8)], dtype=np.float32).reshape(2, 2, 2)
        corners, triangles, _, _ = marching_cubes(cube, 0.5, spacing=spacing, method="lorensen")
        areas[code] = mesh_surface_area(corners, triangles)
    smaller: Floats = np.minimum(areas, areas[::-1])
    smaller.setflags(write=False)
    return smaller
