"""Size, place and shape of the defect of one case, on one grid for all sets, so that they can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from skimage.measure import marching_cubes, mesh_surface_area

from CranialAugmentationTrainerLib.augmentation.defect_places import measure_defect
from CranialReconstructionLib.imaging.volume import Grid

Mask = npt.NDArray[np.bool_]

# Measures by name: what a table calls them, and how many decimals they deserve.
MEASURES = {
    "defect_ml": ("defect, ml", 1),
    "extent_mm": ("extent of the defect, mm", 0),
    "compactness": ("compactness of the defect", 2),
    "pieces": ("pieces of the defect", 0),
    "from_top": ("defect, degrees from the vertex", 0),
    "right_mm": ("middle of the defect, mm to the right", 0),
    "anterior_mm": ("middle of the defect, mm to the front", 0),
    "skull_ml": ("skull with defect, ml", 0),
}

# Directions that widths are measured along: enough to find the largest within 0.2 %.
_DIRECTIONS = 1000


@dataclass(frozen=True, eq=False)
class CaseMasks:
    """A case, decided voxel by voxel.

    Attributes:
        whole: (K, J, I), skull and missing bone together.
        defect: the missing bone.
    """

    whole: Mask
    defect: Mask

    @classmethod
    def from_shares(cls, shares: npt.NDArray[np.float32]) -> CaseMasks:
        """From shares of bone (2, K, J, I): as many voxels as there is bone, those that hold the most of it;
        missing where the more of it is.

        So a real skull keeps its volume on a coarse grid, where half of a voxel of 4 or 8 mm is more than
        its thin walls fill, and can be compared with a generated one. A label volume stays as it is.
        """
        bone = shares.sum(axis=0)
        count = min(round(float(bone.sum())), int(np.count_nonzero(bone)))
        if count == 0:
            return cls(np.zeros(bone.shape, dtype=bool), np.zeros(bone.shape, dtype=bool))
        whole = bone >= np.partition(bone, -count, axis=None)[-count]
        return cls(whole, whole & (shares[1] > shares[0]))


def measured(masks: CaseMasks, grid: Grid) -> Mapping[str, float]:
    """The ``MEASURES`` of a case on a canonical head grid; only ``skull_ml`` where nothing is missing.

    ``extent_mm`` is the greatest width along any direction. ``compactness`` is 36 pi V^2 / A^3, which is 1 for
    a ball and falls towards 0 the flatter, or the more ragged, a defect is. ``from_top`` and the middle are
    seen from the vault's centre.
    """
    millilitres = grid.voxel_volume / 1000.0
    found = {"skull_ml": float(np.count_nonzero(masks.whole)) * millilitres}
    place = measure_defect(torch.from_numpy(masks.defect), grid)
    if place is None:
        return found
    return {
        **found,
        "defect_ml": place.millilitres,
        "extent_mm": extent(masks.defect, grid),
        "compactness": compactness(masks.defect, grid),
        "pieces": float(ndimage.label(masks.defect, np.ones((3, 3, 3)))[1]),
        "from_top": place.from_top,
        "right_mm": place.middle[0],
        "anterior_mm": place.middle[1],
    }


def extent(mask: Mask, grid: Grid) -> float:
    """The greatest width of a mask that is not empty, mm, its voxels' edges included."""
    places = grid.ras_of(np.argwhere(mask)[:, ::-1])
    widths = np.ptp(places @ _sphere(_DIRECTIONS).T, axis=0)
    return float(widths.max() + min(grid.spacing))


def compactness(mask: Mask, grid: Grid) -> float:
    """Isoperimetric quotient 36 pi V^2 / A^3 of a mask that is not empty."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    smooth = ndimage.gaussian_filter(np.pad(mask[box], 3).astype(np.float32), 0.7)
    level = min(0.5, 0.5 * float(smooth.max()))
    vertices, faces, _, _ = marching_cubes(smooth, level, spacing=grid.spacing[::-1])
    a, b, c = np.moveaxis(vertices[faces].astype(np.float64), 1, 0)
    volume = abs(float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum())) / 6.0
    return float(36.0 * np.pi * volume**2 / mesh_surface_area(vertices, faces) ** 3)


def _sphere(count: int) -> npt.NDArray[np.float64]:
    """Directions (N, 3) spread evenly over half a sphere, by the golden angle."""
    height = (np.arange(count) + 0.5) / count
    turn = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(count)
    round_about = np.sqrt(1.0 - height**2)
    return np.stack([round_about * np.cos(turn), round_about * np.sin(turn), height], axis=1)
