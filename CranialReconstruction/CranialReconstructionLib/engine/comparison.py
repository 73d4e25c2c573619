"""Two defects beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from CranialReconstructionLib.engine.arguments import Compare
from CranialReconstructionLib.engine.worker import Report


def compare(arguments: Compare, report: Report) -> Mapping[str, Any]:
    """Write ``difference.nrrd``.

    Raises:
        UserError: the grids differ, or a volume is no mask.
    """
    import numpy as np

    from CranialReconstructionLib.evaluation.case import as_mask, evaluate_case
    from CranialReconstructionLib.imaging.files import read_volume, write_volume

    report("read")
    first, second = read_volume(arguments.first), read_volume(arguments.second)
    skull = read_volume(arguments.skull) if arguments.skull else None
    report("compare")
    scores = evaluate_case(first, second, skull)
    one, other = as_mask(first), as_mask(second)
    difference = np.where(one & ~other, 1, np.where(other & ~one, 2, 0)).astype(np.uint8)
    report("write")
    path = arguments.folder / "difference.nrrd"
    write_volume(first.with_voxels(difference), path)
    return {
        "difference": path,
        "dice": scores.dice,
        "boundary_dice": scores.boundary_dice,
        "surface_dice": scores.surface_dice,
        "hd95_mm": scores.hausdorff95_pooled,
        "first_ml": scores.prediction_ml,
        "second_ml": scores.truth_ml,
    }
