"""Choose a model's post-processing constants on validation skulls, half paired and half held-out cuts.

    python Testing/benchmarks/choose_constants.py --data FOLDER --split SPLIT --model PACKAGE

Each constant is varied alone about the package's own, the best kept before the next; the score is the
mean Dice. What it prints goes into the model card.
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
from CranialReconstructionLib.reconstruction.devices import choose_device
from CranialReconstructionLib.reconstruction.model_package import load_package
from CranialReconstructionLib.reconstruction.postprocessing import PostProcessing, cut_defect
from CranialReconstructionLib.reconstruction.predictor import Predictor

CANDIDATES = {
    "level": (0.4, 0.44, 0.48, 0.52, 0.56),
    "least_share": (0.1, 0.2, 0.3, 0.4, 0.5),
    "peak_share": (0.6, 0.7, 0.8, 0.9),
    "minimum_component_ml": (0.2, 0.5, 1.0, 2.0),
}


@dataclass(frozen=True)
class Field:
    """A validation case with the model's answer, which the constants only cut."""

    case: MeasuredCase
    present: Volume
    missing: Volume
    probable: Volume


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
    return 0


def _fields(predictor: Predictor, data: Path, split: Split) -> Iterator[Field]:
    for kind in ("paired", "held-out"):
        for case in measured_cases(data, split, "validation", kind, cuts_a_skull=1):
            looked = predictor.look(case.skull)
            print(f"{kind} {case.name}", file=sys.stderr)
            yield Field(case, looked.present, looked.missing, looked.probable)


def _score(fields: list[Field], constants: PostProcessing) -> float:
    scores = []
    for field in fields:
        defect, _ = cut_defect(field.case.skull, field.present, field.missing, field.probable, constants)
        scores.append(dice(defect.voxels > 0, field.case.truth.voxels > 0))
    return float(np.mean(scores))


if __name__ == "__main__":
    sys.exit(main())
