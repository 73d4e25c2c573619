"""Choose a model's post-processing constants on validation skulls, half paired and half held-out cuts.

    python Testing/benchmarks/choose_constants.py --data FOLDER --split SPLIT --model PACKAGE

Each constant is varied alone about the package's own, the best kept before the next; the score is the
mean Dice. What it prints goes into the model card, with the largest doubt as an end of ``coverage``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from measured_cases import MeasuredCase, measured_cases

from CranialAugmentationTrainerLib.datasets.split import Split
from CranialReconstructionLib.evaluation.overlap import dice
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.reconstruction.catalogue import find_package
from CranialReconstructionLib.reconstruction.coverage import case_statistics
from CranialReconstructionLib.reconstruction.devices import choose_device
from CranialReconstructionLib.reconstruction.model_package import load_package
from CranialReconstructionLib.reconstruction.postprocessing import PostProcessing, cut_defect
from CranialReconstructionLib.reconstruction.predictor import Predictor

CANDIDATES = {
    "level": (0.35, 0.4, 0.45, 0.5, 0.55),
    "least_share": (0.2, 0.3, 0.4, 0.5),
    "peak_share": (0.6, 0.7, 0.8, 0.9),
    "minimum_component_ml": (0.2, 0.5, 1.0),
}
# Less than any candidate finds, in shares of missing bone.
LEAST_FOUND = 0.05
MARGIN = 4

Corner = tuple[int, int, int]


@dataclass(frozen=True)
class Field:
    """A validation case with the model's answer, which the constants only cut; both about the defect alone."""

    skull: Volume
    truth: Volume
    present: Volume
    missing: Volume
    probable: Volume
    doubt: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    predictor = Predictor(load_package(find_package(options.model)), choose_device("auto"))
    fields = list(_fields(predictor, options.data, Split.read(options.split)))
    best = predictor.constants
    print(f"{len(fields)} cases, mean DSC {_score(fields, best):.4f} with {best}")
    for name, values in CANDIDATES.items():
        scores = {value: _score(fields, replace(best, **{name: value})) for value in values}
        print(name, {value: round(score, 4) for value, score in scores.items()}, flush=True)
        best = replace(best, **{name: max(scores, key=lambda value: scores[value])})
    print(f"best: mean DSC {_score(fields, best):.4f} with {best}")
    doubts = [field.doubt for field in fields]
    print(f"doubt: median {np.median(doubts):.2f}, largest {max(doubts):.2f}")
    return 0


def _fields(predictor: Predictor, data: Path, split: Split) -> Iterator[Field]:
    for kind in ("paired", "held-out"):
        for case in measured_cases(data, split, "validation", kind, cuts_a_skull=1):
            looked = predictor.look(case.skull)
            print(f"{kind} {case.name}", file=sys.stderr)
            start, stop = _about_the_defect(case, looked.missing)
            skull, truth = (volume.cropped(start, stop) for volume in (case.skull, case.truth))
            doubt = case_statistics(looked.placement, looked.present, looked.probable.voxels)["doubt"]
            yield Field(skull, truth, looked.present, looked.missing, looked.probable, doubt)


def _about_the_defect(case: MeasuredCase, missing: Volume) -> tuple[Corner, Corner]:
    """The voxels, from and up to, outside of which nothing is missing and no constants find anything."""
    found = np.argwhere(missing.voxels > LEAST_FOUND)[:, ::-1]
    voxels = case.skull.grid.ijk_of(missing.grid.ras_of(found))[:, ::-1]
    places = np.concatenate((voxels, np.argwhere(case.truth.voxels)))
    low = np.clip(np.floor(places.min(0)) - MARGIN, 0, None).astype(int)
    high = np.minimum(np.ceil(places.max(0)) + MARGIN + 1, case.skull.voxels.shape).astype(int)
    return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))


def _score(fields: list[Field], constants: PostProcessing) -> float:
    scores = []
    for field in fields:
        defect, _ = cut_defect(field.skull, field.present, field.missing, field.probable, constants)
        scores.append(dice(defect.voxels > 0, field.truth.voxels > 0))
    return float(np.mean(scores))


if __name__ == "__main__":
    sys.exit(main())
