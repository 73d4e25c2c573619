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
from CranialReconstructionLib.imaging.volume import Grid, Volume


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
    total = present.with_voxels(present.voxels + missing.voxels)
    # Each piece is cut in its own window: two holes far apart must not cost the whole head.
    for piece in _pieces(present, missing, constants):
        window = _window(skull, missing.grid, piece)
        if window is None:
            continue
        start, stop = window
        part = skull.cropped(start, stop)
        here = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        bone = part.voxels > 0
        start_low = (piece[0].start, piece[1].start, piece[2].start)
        stop_low = (piece[0].stop, piece[1].stop, piece[2].stop)
        sums, shares, chances = (
            resample(field.cropped(start_low, stop_low), part.grid, interpolator).voxels
            for field, interpolator in ((total, "bspline"), (missing, "linear"), (probable, "linear"))
        )
        found = (sums > constants.level) & (shares > constants.least_share) & ~bone
        defect[here] |= _without_scraps(found, part, constants.minimum_component_ml)
        confidence[here] = np.maximum(confidence[here], np.where(bone, 0.0, np.clip(chances, 0.0, 1.0)))
    return Volume(defect, skull.ijk_to_ras, "defect"), Volume(confidence, skull.ijk_to_ras, "confidence")


Box = tuple[slice, ...]


def _pieces(present: Volume, missing: Volume, constants: PostProcessing) -> list[Box]:
    """Boxes (K, J, I) of the pieces of missing bone on the head grid that can come to something."""
    labels, count = ndimage.label(missing.voxels > 0.5 * constants.least_share)
    if count == 0:
        return []
    numbers = np.arange(1, count + 1)
    peaks = ndimage.maximum(missing.voxels, labels, numbers)
    millilitres = ndimage.sum(missing.voxels, labels, numbers) * missing.grid.voxel_volume / 1000.0
    apart = ndimage.distance_transform_edt(present.voxels < 0.5, missing.spacing[::-1])
    distances = ndimage.minimum(apart, labels, numbers)
    hopeful = (
        (peaks >= constants.peak_share)
        # Half of the least volume leaves room for what the cut below a voxel adds.
        & (millilitres >= 0.5 * constants.minimum_component_ml)
        & (distances <= constants.joint_mm)
    )
    margin = 3
    return [
        tuple(
            slice(max(0, axis.start - margin), min(n, axis.stop + margin))
            for axis, n in zip(box, labels.shape, strict=True)
        )
        for box, wanted in zip(ndimage.find_objects(labels), hopeful, strict=True)
        if wanted and box is not None
    ]


def _window(
    skull: Volume, head: Grid, piece: Box
) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
    """The voxels (K, J, I) of ``skull``, from and up to, that hold a box of the head grid."""
    corners = np.array(np.meshgrid(*[(axis.start, axis.stop - 1) for axis in piece], indexing="ij")).reshape(3, -1).T
    kji = skull.grid.ijk_of(head.ras_of(corners[:, ::-1]))[:, ::-1]
    size = np.array(skull.voxels.shape)
    start = np.clip(np.floor(kji.min(0)), 0, size).astype(int)
    stop = np.clip(np.ceil(kji.max(0)) + 1, 0, size).astype(int)
    if (stop <= start).any():
        return None
    return (int(start[0]), int(start[1]), int(start[2])), (int(stop[0]), int(stop[1]), int(stop[2]))


def _without_scraps(
    found: npt.NDArray[np.bool_], part: Volume, least_millilitres: float
) -> npt.NDArray[np.bool_]:
    """``found`` without components under a size."""
    image = sitk.ConnectedComponent(part.with_voxels(found).to_itk())
    labels = sitk.GetArrayFromImage(image)
    large = np.bincount(labels.ravel()) * part.grid.voxel_volume / 1000.0 >= least_millilitres
    large[0] = False
    return large[labels]
