"""The skull taken away from its reflection, round one hole, at the scan's own resolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.reconstruction.shell import Points
from CranialReconstructionLib.reconstruction.symmetry import Reflection

Mask = npt.NDArray[np.bool_]
Window = tuple[slice, slice, slice]

# What is looked at about a hole's outer surface, mm: the bone's thickness and the growth below.
MARGIN = 16.0
# Reflected bone this far from the skull's own is more than the two sides' unlikeness, mm.
CLEAR = 3.0
# From there, what lies between it and the rim is taken along, mm.
GROWTH = 4.5
# Sheets thinner than twice this are shavings along bone that is there, mm.
SHAVING = 0.8
JOINED = 2.0  # mm from the skull
SMALLEST = 1000.0  # mm3
# Half a millimetre of doubt remains in the best registration.
LEAST_DOUBT = 0.5
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def subtract(
    skull: Volume, reflection: Reflection, hole: Points, centre: Points
) -> tuple[Window, npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """The reflected bone that fills a hole.

    Args:
        skull: the whole mask (K, J, I).
        reflection: takes the skull onto its other side.
        hole: places on the reflected outer surface over the hole (N, 3), RAS mm.
        centre: the middle of the vault, RAS mm.

    Returns:
        The window (k, j, i) of the skull's voxels looked at, and there the missing bone (0 or 1) and
        the chance of missing bone (0 to 1).
    """
    window = _window(skull, hole)
    box = skull.cropped(
        (window[0].start, window[1].start, window[2].start),
        (window[0].stop, window[1].stop, window[2].stop),
    )
    bone: Mask = box.voxels > 0
    share = reflected(skull, box, reflection)
    missing: Mask = (share > 0.5) & ~bone
    from_bone = distance_to(bone, box)
    core = _with_seeds(missing & (from_bone > CLEAR), box, _inward(hole, centre))
    defect = missing & (distance_to(core, box) <= GROWTH) if core.any() else core
    defect = _opened(defect, box)
    defect = _joined_components(defect, from_bone, box.grid.voxel_volume)
    doubt = max(reflection.residual, LEAST_DOUBT) / np.array(box.spacing[::-1])
    # A mask smoothed by the error's own Gaussian is the chance that the displaced mask covers a voxel.
    chance = ndimage.gaussian_filter(share, doubt, truncate=3.0)
    beyond = ndimage.binary_dilation(defect, iterations=1) & ~bone
    return window, defect.astype(np.uint8), np.where(beyond, np.clip(chance, 0.0, 1.0), 0.0).astype(np.float32)


def reflected(skull: Volume, box: Volume, reflection: Reflection) -> npt.NDArray[np.float32]:
    """Share of bone of the reflected skull, 0 to 1, at the voxels of ``box``."""
    k, j, i = box.voxels.shape
    corners = np.array(np.meshgrid((0, i - 1), (0, j - 1), (0, k - 1))).reshape(3, -1).T
    window = _window(skull, reflection.origin(box.grid.ras_of(corners)), margin=2.0)
    source = Volume(skull.voxels[window] > 0, skull.ijk_to_ras).cropped
    raise SystemExit
