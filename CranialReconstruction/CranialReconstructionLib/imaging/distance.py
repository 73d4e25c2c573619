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
    image = sitk.GetImageFromArray(np.ascontiguousarray(mask).view(np.uint8))
    image.SetSpacing(spacing[::-1])
    # Maurer's transform is exact, and less than half as long under way as scipy's.
    signed = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return np.asarray(np.maximum(sitk.GetArrayFromImage(signed), 0.0))
