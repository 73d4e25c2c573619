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
    total = present.voxels + missing.voxels
    # Each piece is cut in its own window: two holes far apart must not cost the whole head.
    for piece in _pieces(present, missing, constants):
        window = _window(skull, missing.grid, piece.box)
        if window is None:
            continue
        start, stop = window
        part = skull.cropped(start, stop)
        here = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        near = resample(piece.around, part.grid, "nearest").voxels > 0
        free = np.nonzero(near & (part.voxels == 0))
        places = _head_indices(np.stack(free), part.grid, missing.grid)
        shares, chances = (ndimage.map_coordinates(field.voxels, places, order=1) for field in (missing, probable))
        sums = ndimage.map_coordinates(total, places, order=3)
        found = np.zeros(part.voxels.shape, np.bool_)
        found[free] = (sums > constants.level) & (shares > constants.least_share)
        defect[here] |= _without_scraps(found, part, constants.minimum_component_ml)
        chance = np.zeros(part.voxels.shape, np.float32)
        chance[free] = np.clip(chances, 0.0, 1.0)
        confidence[here] = np.maximum(confidence[here], chance)
    return Volume(defect, skull.ijk_to_ras, "defect"), Volume(confidence, skull.ijk_to_ras, "confidence")


Box = tuple[slice, ...]


@dataclass(frozen=True)
class _Piece:
    """A connected piece of missing bone on the head grid: its box (K, J, I), and what lies around it."""

    box: Box
    around: Volume


def _pieces(present: Volume, missing: Volume, constants: PostProcessing) -> list[_Piece]:
    """The pieces that can come to something."""
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
    pieces = []
    for number, box in zip(numbers[hopeful], np.array(ndimage.find_objects(labels))[hopeful], strict=True):
        low = np.maximum([axis.start - 2 for axis in box], 0)
        high = np.minimum([axis.stop + 2 for axis in box], labels.shape)
        roomy = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        around = ndimage.binary_dilation(labels[roomy] == number, np.ones((3, 3, 3))).astype(np.uint8)
        matrix = missing.grid.cropped((int(low[0]), int(low[1]), int(low[2])), around.shape).ijk_to_ras
        pieces.append(_Piece(roomy, Volume(around, matrix)))
    return pieces


def _head_indices(kji: npt.NDArray[np.intp], grid: Grid, head: Grid) -> npt.NDArray[np.float32]:
    """Indices (3, N) of the head grid, of voxels (3, N) of ``grid``; both (k, j, i)."""
    matrix = np.linalg.inv(head.ijk_to_ras) @ grid.ijk_to_ras
    turn, shift = matrix[:3, :3][::-1, ::-1].astype(np.float32), matrix[:3, 3][::-1].astype(np.float32)
    return turn @ kji.astype(np.float32) + shift[:, None]


def _window(skull: Volume, head: Grid, piece: Box) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
    """The voxels (K, J, I) of ``skull``, from and up to, that hold a box of the head grid."""
    corners = np.array(np.meshgrid(*[(axis.start, axis.stop - 1) for axis in piece], indexing="ij")).reshape(3, -1).T
    kji = skull.grid.ijk_of(head.ras_of(corners[:, ::-1]))[:, ::-1]
    size = np.array(skull.voxels.shape)
    start = np.clip(np.floor(kji.min(0)), 0, size).astype(int)
    stop = np.clip(np.ceil(kji.max(0)) + 1, 0, size).astype(int)
    if (stop <= start).any():
        return None
    return (int(start[0]), int(start[1]), int(start[2])), (int(stop[0]), int(stop[1]), int(stop[2]))


def _without_scraps(found: npt.NDArray[np.bool_], part: Volume, least_millilitres: float) -> npt.NDArray[np.bool_]:
    """``found`` without components under a size."""
    image = sitk.ConnectedComponent(part.with_voxels(found).to_itk())
    labels = sitk.GetArrayFromImage(image)
    large = np.bincount(labels.ravel()) * part.grid.voxel_volume / 1000.0 >= least_millilitres
    large[0] = False
    return large[labels]
