"""How like one head is to another: the evidence that a made head is nobody's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize
from scipy.spatial.transform import Rotation

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]

# Border voxels looked at in each head.
SAMPLE = 3000
# Beside a border voxel further away than this, millimetres, the other head counts as this far.
FAR = 15.0


def bone_dice(one: Mask, other: Mask) -> float:
    """Dice of two masks on one grid, as they lie."""
    return float(2.0 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))


def rigid_surface_distance(one: Mask, other: Mask, spacing: float, generator: np.random.Generator) -> float:
    """Mean distance of two skulls' surfaces, both directions, millimetres, after the best rigid fit.

    Args:
        one, other: bone (K, J, I) on the canonical head grid, where both lie nearly alike.
        spacing: voxel edge, millimetres.
        generator: draws the border voxels that are compared, out of the upper two thirds: what a
            scan's lower end happens to cover is no likeness.
    """
    middle = (np.array(one.shape) - 1.0) / 2.0
    points, distances = [], []
    for mask in (one, other):
        border = mask & ~ndimage.binary_erosion(mask)
        distances.append(np.minimum(ndimage.distance_transform_edt(~border, spacing), FAR))
        places = np.argwhere(border)
        places = places[places[:, 0] > mask.shape[0] // 3]
        chosen = generator.choice(len(places), size=SAMPLE, replace=False)
        points.append((places[chosen] - middle) * spacing)

    def residuals(pose: Points) -> Points:
        rotation, shift = Rotation.from_rotvec(pose[:3]), pose[3:]
        there, back = rotation.apply(points[0]) + shift, rotation.inv().apply(points[1] - shift)
        pairs = ((distances[1], there), (distances[0], back))
        return np.concatenate(
            [
                ndimage.map_coordinates(field, (place / spacing + middle).T, order=1, mode="nearest")
                for field, place in pairs
            ]
        )

    fit = optimize.least_squares(residuals, np.zeros(6), loss="soft_l1", diff_step=1e-3, x_scale=[0.02] * 3 + [2.0] * 3)
    return float(residuals(fit.x).mean())
