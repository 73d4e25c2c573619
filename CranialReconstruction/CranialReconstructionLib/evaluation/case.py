"""Every metric of one prediction against its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.evaluation.box import bounding_box
from CranialReconstructionLib.evaluation.overlap import boundary_dice, dice
from CranialReconstructionLib.evaluation.surface_distance import (
    SURFACE_TOLERANCE_MM,
    SurfaceDistances,
    surface_dice,
)
from CranialReconstructionLib.imaging.mask import looks_like_ct
from CranialReconstructionLib.imaging.volume import Volume

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CaseScores:
    """The figures of one case.

    Where exactly one of the two masks is empty the overlaps are 0, the distances have no value
    (``None``) and the case is a failure. Where both are empty they agree: overlaps 1, distances 0.

    Attributes:
        dice: Dice of the missing bone (DSC).
        boundary_dice: Dice within 10 mm of the defective skull (bDSC); ``None`` without a skull,
            or where neither implant comes near it.
        surface_dice: area-weighted surface Dice at ``surface_tolerance`` (SDSC).
        hausdorff95_pooled: 95th percentile of both directed distance sets pooled, mm (AutoImplant).
        hausdorff95_directed: larger of the two directed 95th percentiles, mm (MONAI).
        mean_surface_distance: mean symmetric surface distance, mm (MSD).
        prediction_ml: volume of the prediction, millilitres.
        truth_ml: volume of the truth, millilitres.
        prediction_empty: nothing was predicted.
        truth_empty: nothing is missing.
        surface_tolerance: millimetres.
    """

    dice: float
    boundary_dice: float | None
    surface_dice: float
    hausdorff95_pooled: float | None
    hausdorff95_directed: float | None
    mean_surface_distance: float | None
    prediction_ml: float
    truth_ml: float
    prediction_empty: bool
    truth_empty: bool
    surface_tolerance: float

    @property
    def failed(self) -> bool:
        """Whether bone was predicted where none is missing at all, or none where some is."""
        return self.prediction_empty != self.truth_empty


def evaluate_case(
    prediction: Volume,
    truth: Volume,
    skull: Volume | None = None,
    surface_tolerance: float = SURFACE_TOLERANCE_MM,
) -> CaseScores:
    """All metrics of a predicted defect, at the resolution of the files.

    Args:
        prediction: predicted missing bone; above zero is bone.
        truth: true missing bone, on the same grid.
        skull: defective skull, on the same grid; without it the boundary Dice is left out.
        surface_tolerance: of the surface Dice, in millimetres.

    Raises:
        UserError: the grids differ, or a volume is no mask.
    """
    for other in (prediction, skull):
        if other is not None:
            _check_same_grid(other, truth)
    predicted, true = as_mask(prediction), as_mask(truth)
    ml_per_voxel = truth.grid.voxel_volume / 1000.0
    predicted_count, true_count = int(np.count_nonzero(predicted)), int(np.count_nonzero(true))
    i, j, k = truth.spacing
    spacing = (k, j, i)

    # What holds where a mask is empty; replaced where neither is.
    both_empty = predicted_count == true_count == 0
    surfaces = float(both_empty)
    pooled = directed = mean = 0.0 if both_empty else None
    box = bounding_box(predicted, true)
    if box and predicted_count and true_count:
        distances = SurfaceDistances.between(predicted[box], true[box], spacing)
        pooled, directed = distances.hausdorff95_pooled(), distances.hausdorff95_directed()
        mean = distances.mean()
        surfaces = surface_dice(predicted[box], true[box], spacing, surface_tolerance)
    return CaseScores(
        dice=dice(predicted, true),
        boundary_dice=None if skull is None else boundary_dice(predicted, true, as_mask(skull), spacing),
        surface_dice=surfaces,
        hausdorff95_pooled=pooled,
        hausdorff95_directed=directed,
        mean_surface_distance=mean,
        prediction_ml=predicted_count * ml_per_voxel,
        truth_ml=true_count * ml_per_voxel,
        prediction_empty=predicted_count == 0,
        truth_empty=true_count == 0,
        surface_tolerance=surface_tolerance,
    )


def as_mask(volume: Volume) -> Mask:
    """Bone, where the voxels are above zero.

    Raises:
        UserError: grey values, or floating-point voxels with values other than zero and one positive number.
    """
    voxels = volume.voxels
    mask: Mask = voxels > 0
    if np.issubdtype(voxels.dtype, np.floating):
        # A comparison with the largest value also refuses NaN, which equals nothing.
        grey = not np.array_equal(voxels, np.where(mask, voxels.max(), voxels.dtype.type(0)))
    else:
        grey = looks_like_ct(volume)
    if grey:
        raise UserError(
            "the voxels hold probabilities or grey values where a mask was expected",
            where=volume.name,
            remedy="Give the binary mask (defect.nrrd, not confidence.nrrd), or threshold the volume.",
        )
    return mask


def _check_same_grid(volume: Volume, truth: Volume) -> None:
    if not volume.grid.same_as(truth.grid):
        raise UserError(
            f"its grid ({_described(volume)}) is not that of {truth.name} ({_described(truth)})",
            where=volume.name,
            remedy="Check that the files belong to one case, or resample one onto the other's grid.",
        )


def _described(volume: Volume) -> str:
    size = "x".join(str(n) for n in volume.grid.shape[::-1])
    spacing = "x".join(f"{edge:.3g}" for edge in volume.spacing)
    origin = ", ".join(f"{place:.1f}" for place in volume.ijk_to_ras[:3, 3])
    return f"{size} voxels of {spacing} mm from {origin}"
