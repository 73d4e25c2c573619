"""Whether a case lies within what its model was trained on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.imaging.head_grid import HeadPlacement
from CranialReconstructionLib.imaging.volume import Volume

# How each statistic is put to a user; every name that a manifest's coverage may hold stands here.
SENTENCES = {
    "likeness": "the bone is less like a vault than that of any training skull",
    "head_scale": "the head's size lies outside that of the training skulls",
    "bone_ml": "the amount of bone in the head lies outside that of the training skulls",
    "defect_ml": "the defect's volume lies outside that of the training defects",
    "doubt": "the network is less sure of this defect than it was on validation skulls",
}


def case_statistics(placement: HeadPlacement, present: Volume, missing: npt.NDArray[np.float32]) -> dict[str, float]:
    """What ``coverage`` of a manifest is about, for one case.

    Args:
        present: share of bone on the fine head grid.
        missing: probability of missing bone on the same grid.

    Returns:
        ``likeness`` and ``head_scale`` of the placement; ``bone_ml`` inside of the head box;
        ``defect_ml``; ``doubt``, the share of the defect's probable voxels that are not sure.
    """
    millilitres = present.grid.voxel_volume / 1000.0
    probable, unsure = (missing > 0.1), (missing > 0.1) & (missing < 0.9)
    statistics = {
        "likeness": placement.likeness,
        "head_scale": placement.scale,
        "bone_ml": float(present.voxels.sum()) * millilitres,
    }
    if probable.any():
        statistics["defect_ml"] = float(missing.sum()) * millilitres
        statistics["doubt"] = float(unsure.sum() / probable.sum())
    return statistics


def coverage_warnings(statistics: Mapping[str, float], coverage: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """A sentence for each statistic that lies outside of the manifest's interval."""
    sentences = []
    for name, (low, high) in coverage.items():
        value = statistics.get(name)
        # More likeness and less doubt than in training are no cause for worry.
        below = value is not None and value < low and name != "doubt"
        above = value is not None and value > high and name != "likeness"
        if below or above:
            meaning = SENTENCES.get(name, f"{name} lies outside that of the training skulls")
            sentences.append(
                f"Outside the model's training: {meaning} ({value:.3g}, trained on {low:.3g} to {high:.3g})."
            )
    return tuple(sentences)
