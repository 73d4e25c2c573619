"""Distances in millimetres on a grid of any spacing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk


def distance_to(mask: npt.NDArray[np.bool_], spacing: tuple[float, float, float]) -> npt.NDArray[np.float32]:
    """Millimetres between the centres of each voxel and of the nearest voxel of the mask.

    Args:
        mask: (K, J, I); what lies outside the array counts for nothing.
        spacing: voxel edge lengths along (K, J, I), millimetres.

    Returns:
        float32 (K, J, I): 0 inside the mask, infinite everywhere if the mask is empty.
    """
    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    return np.asarray(np.maximum(signed_distance(mask, spacing), 0.0))


def signed_distance(mask: npt.NDArray[np.bool_], spacing: tuple[float, float, float]) -> npt.NDArray[np.float32]:
    """Millimetres to the mask's outermost voxel centres, negative inside; the mask must not be empty.

    Args:
        mask: (K, J, I).
        spacing: voxel edge lengths along (K, J, I), millimetres.
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(mask).view(np.uint8))
    image.SetSpacing(spacing[::-1])
    # Maurer's transform is exact, and less than half as long under way as scipy's.
    signed = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return np.asarray(sitk.GetArrayFromImage(signed))
