"""The cases that benchmarks measure on: the data set's own defects, and families that training never made."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from families import FAMILIES
from held_out_defects import cut

from CranialAugmentationTrainerLib.datasets.paired_skulls import PairedSkull, find_paired_skulls
from CranialAugmentationTrainerLib.datasets.split import Split
from CranialReconstructionLib.evaluation.case import CaseScores, evaluate_case
from CranialReconstructionLib.evaluation.cohort import Cohort
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.volume import Volume

KINDS = ("paired", "held-out", "healthy")

Method = Callable[[Volume], Volume]


@dataclass(frozen=True)
class MeasuredCase:
    """A defective skull and the bone that is missing, uint8 on one full-resolution grid."""

    name: str
    skull: Volume
    truth: Volume


def measured_cases(data: Path, split: Split, side: str, kind: str, cuts_a_skull: int = 2) -> Iterator[MeasuredCase]:
    """Cases of one side of a split, read one at a time.

    Args:
        data: in SkullFix's layout.
        side: ``validation`` or ``test``.
        kind: one of ``KINDS``.
        cuts_a_skull: for ``held-out``: families walk on from skull to skull, so that all get their turn.
    """
    names = getattr(split, side)
    cases = [case for case in find_paired_skulls(data) if case.skull in names]
    for order, case in enumerate(cases):
        if kind == "paired":
            yield MeasuredCase(case.name, _mask(case.defective), _mask(case.implant))
            continue
        complete = _complete(case)
        if kind == "healthy":
            yield MeasuredCase(case.name, complete, complete.with_voxels(np.zeros_like(complete.voxels)))
            continue
        for turn in range(cuts_a_skull):
            number = order * cuts_a_skull + turn
            family = FAMILIES[number % len(FAMILIES)]
            skull, truth = cut(complete, family, seed=number)
            yield MeasuredCase(f"{case.name}-{family}", skull, truth)


def measure(method: Method, cases: Iterable[MeasuredCase]) -> Cohort:
    """Figures at full resolution of what ``method`` makes of each case; progress on standard error."""
    scores: dict[str, CaseScores] = {}
    for case in cases:
        since = time.perf_counter()
        defect = method(case.skull)
        seconds = time.perf_counter() - since
        scores[case.name] = evaluate_case(defect, case.truth, case.skull)
        print(f"{case.name}: DSC {scores[case.name].dice:.3f}, {seconds:.1f} s", file=sys.stderr)
    return Cohort(scores)


def _mask(path: Path) -> Volume:
    volume = read_volume(path)
    return volume.with_voxels((volume.voxels > 0).view(np.uint8))


def _complete(case: PairedSkull) -> Volume:
    skull, implant = _mask(case.defective), _mask(case.implant)
    return skull.with_voxels(skull.voxels | implant.voxels)
