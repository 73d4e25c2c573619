"""From probabilities on the head grid to missing bone on the grid of the input.

The surface of the missing bone is cut where the shares of what is there and of what is missing add up
to a level. Both are smooth and half full at a surface, so the cut is far finer than the head grid; at
the rim, where the skull itself says what is bone, it is as sharp as the scan (ours). Components under
a size and voxels that overlap the skull go, as in W24.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.resampling import resample
from CranialReconstructionLib.imaging.volume import Volume


@dataclass(frozen=True)
class PostProcessing:
    """Constants, chosen on validation skulls and kept in the model's manifest.

    Attributes:
        candidate_probability: where the coarse pass gives more, the fine pass looks.
        window_margin_mm: how far around that the fine pass looks.
        level: share of bone, present and missing together, at the surface.
        least_share: least share of missing bone; keeps the skull's own surface out.
        peak_share: a component must reach this somewhere.
        minimum_component_ml: smaller components go.
        joint_mm: a component farther than this from the bone is not joined to it and goes.
    """

    candidate_probability: float = 0.15
    window_margin_mm: float = 9.0
    level: float = 0.5
    least_share: float = 0.3
    peak_share: float = 0.8
    minimum_component_ml: float = 0.5
    joint_mm: float = 2.0

    @classmethod
    def from_manifest(cls, constants: Mapping[str, float], where: str) -> PostProcessing:
        """The constants of a manifest; what it does not name keeps its default.

        Raises:
            UserError: it names a constant that this version does not know.
        """
        unknown = sorted(set(constants) - {entry.name for entry in fields(cls)})
        if unknown:
            raise UserError(
                f"post_processing names {unknown[0]!r}, which this version does not know",
                where=where,
                remedy="Update the extension, or take an older version of the package.",
            )
        return cls(**constants)


def cut_defect(
    skull: Volume, present: Volume, missing: Volume, probable: Volume, constants: PostProcessing
) -> tuple[Volume, Volume]:
    """Missing bone and its confidence on the grid of ``skull``.

    Args:
        skull: mask, bone above zero, (K, J, I) in any orientation.
        present: share of bone, 0 to 1, on the fine head grid.
        missing: share of missing bone on the same grid.
        probable: probability of missing bone on the same grid.

    Returns:
        The defect (uint8 0 or 1) and the confidence (float32, 0 to 1, zero on the skull's own bone).
    """
    defect = np.zeros(skull.voxels.shape, np.uint8)
    confidence = np.zeros(skull.voxels.shape, np.float32)
    window = _window(skull, missing, 0.5 * constants.least_share)
    if window is not None:
        start, stop = window
        part = skull.cropped(start, stop)
        here = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        bone = part.voxels > 0
        total = resample(present.with_voxels(present.voxels + missing.voxels), part.grid, "bspline").voxels
        share = resample(missing, part.grid).voxels
        found = (total > constants.level) & (share > constants.least_share) & ~bone
        defect[here] = _kept(found, share, bone, part, constants)
        confidence[here] = np.where(bone, 0.0, np.clip(resample(probable, part.grid).voxels, 0.0, 1.0))
    return Volume(defect, skull.ijk_to_ras, "defect"), Volume(confidence, skull.ijk_to_ras, "confidence")


def _window(
    skull: Volume, missing: Volume, above: float
) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
    """The voxels (K, J, I) of ``skull``, from and up to, that hold all of ``missing`` above a value."""
    places = np.argwhere(missing.voxels > above)
    if len(places) == 0:
        return None
    # Corners of the box of all such voxels, which on another orientation lie inside another box.
    low, high = places.min(0) - 2, places.max(0) + 2
    corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T
    kji = skull.grid.ijk_of(missing.grid.ras_of(corners[:, ::-1]))[:, ::-1]
    size = np.array(skull.voxels.shape)
    start = np.clip(np.floor(kji.min(0)), 0, size).astype(int)
    stop = np.clip(np.ceil(kji.max(0)) + 1, 0, size).astype(int)
    if (stop <= start).any():
        return None
    return (int(start[0]), int(start[1]), int(start[2])), (int(stop[0]), int(stop[1]), int(stop[2]))


def _kept(
    found: npt.NDArray[np.bool_],
    share: npt.NDArray[np.float32],
    bone: npt.NDArray[np.bool_],
    part: Volume,
    constants: PostProcessing,
) -> npt.NDArray[np.bool_]:
    """``found`` without components that are small, doubtful or apart from the bone."""
    image = sitk.ConnectedComponent(part.with_voxels(found).to_itk())
    labels = sitk.GetArrayFromImage(image)
    sizes = np.bincount(labels.ravel())
    if len(sizes) < 2:
        return found
    large = sizes * part.grid.voxel_volume / 1000.0 >= constants.minimum_component_ml
    large[0] = False
    candidates = np.flatnonzero(large)
    if len(candidates) == 0:
        return np.zeros_like(found)
    sure = ndimage.maximum(share, labels, candidates) >= constants.peak_share
    image = sitk.SignedMaurerDistanceMap(
        part.with_voxels(bone).to_itk(), insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    distance = sitk.GetArrayFromImage(image) if bone.any() else np.full(found.shape, np.inf)
    joined = ndimage.minimum(distance, labels, candidates) <= constants.joint_mm
    return np.isin(labels, candidates[sure & joined])
