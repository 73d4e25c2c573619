"""Reconstruction networks measured on a grid of the papers' box, with defects of two kinds.

A data set may know defects of one place only, so each skull is measured with its own defect and with cuts drawn all
over its vault. Figures are those of masks on a grid of some millimetres: they compare networks, and must not be put
beside published figures, which are at a case's own resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.synthesis.post_processing import PostProcessing, without_small_components
from CranialAugmentationTrainerLib.training.case_network import CaseTask
from CranialAugmentationTrainerLib.training.case_numbers import AugmentedNumbers, NumberedCases, StoredOnes
from CranialAugmentationTrainerLib.training.case_store import StoredCase
from CranialAugmentationTrainerLib.training.training_settings import OnlineAugmentation
from CranialReconstructionLib.evaluation.case import CaseScores, evaluate_case
from CranialReconstructionLib.imaging.volume import Volume

OWN, ANYWHERE = "own", "anywhere"
# Cuts a skull, drawn by a seed that no training uses.
CUTS = 4
CUT_SEED = 77_003

NamedCase = tuple[str, torch.Tensor]


def own_defects(cases: Sequence[StoredCase]) -> Iterator[NamedCase]:
    """Name and shares of bone (2, K, J, I), 0 to 1, of each case as it is."""
    stored = StoredOnes(cases)
    return ((case.name, stored[index].float() / 255.0) for index, case in enumerate(cases))


def cut_anywhere(cases: Sequence[StoredCase]) -> Iterator[NamedCase]:
    """Name and shares of bone (2, K, J, I), 0 to 1, of each skull with cuts all over its vault.

    The same cases give the same cuts. A cut that has met no bone is left out.
    """
    numbered = NumberedCases(cases, CUT_SEED)
    cut = AugmentedNumbers(numbered, OnlineAugmentation("masking", masked=1.0))
    for number in range(CUTS * len(cases)):
        case = cut[number]
        if bool((case[1] > 0.5).any()):
            yield f"{cases[numbered.index(number)].name}-{number}", case


def case_of_cut(name: str) -> str:
    """The case that a cut of ``cut_anywhere`` was made in."""
    return name.rpartition("-")[0]


def averaged(figures: Mapping[str, float], group: Callable[[str], str]) -> dict[str, float]:
    """Means by group of figures by name: those of one skull are no independent observations."""
    groups: dict[str, list[float]] = {}
    for name, figure in figures.items():
        groups.setdefault(group(name), []).append(figure)
    return {name: sum(found) / len(found) for name, found in groups.items()}


def grid_scores(task: CaseTask, case: torch.Tensor) -> CaseScores:
    """Metrics of a case (2, K, J, I): W24's post-processing, then masks on the grid of the case.

    A network of fewer voxels sees the case on its own grid; what it finds is interpolated.
    """
    side = case.shape[-1]
    bone, missing = (case > 0.5).numpy()
    seen = functional.interpolate(case[None, :1], (task.side,) * 3, mode="area")
    probability = functional.interpolate(
        task.found(seen.to(task.device)).cpu(), (side,) * 3, mode="trilinear", align_corners=False
    )
    found = probability[0, 0].numpy() > 0.5
    found = without_small_components(found & ~bone, PostProcessing.for_side(side).smallest)
    matrix = case_grid(side).ijk_to_ras
    prediction, truth, skull = (
        Volume(np.asarray(mask, dtype=np.uint8), matrix, "a mask") for mask in (found, missing, bone)
    )
    return evaluate_case(prediction, truth, skull)
