"""DSC, bDSC and distances of reconstructions at full resolution, on skulls that training never saw.

    python Testing/benchmarks/reconstruction_accuracy.py --data FOLDER --split Resources/Training/split.json

measures the shipped model on the test skulls: the data set's own defects, defects of families that
training never made, and healthy skulls. ``--method mirror`` measures the mirror method.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from measured_cases import KINDS, Method, measure, measured_cases
from rich.console import Console

from CranialAugmentationTrainerLib.datasets.split import Split
from CranialReconstructionLib.evaluation.tables import scores_table
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.reconstruction.catalogue import DEFAULT_MODEL, find_package
from CranialReconstructionLib.reconstruction.devices import choose_device
from CranialReconstructionLib.reconstruction.mirror import mirror_defect
from CranialReconstructionLib.reconstruction.model_package import load_package
from CranialReconstructionLib.reconstruction.predictor import Predictor


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--side", choices=("validation", "test"), default="test")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--method", choices=("network", "mirror"), default="network")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="JSON of every case")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    method = _mirror if options.method == "mirror" else _network(options.model, options.device)
    console = Console(width=150)
    results: dict[str, dict[str, object]] = {}
    for kind in options.kinds:
        cohort = measure(method, measured_cases(options.data, Split.read(options.split), options.side, kind))
        console.print(f"{kind}, {options.side} skulls, {options.method} {options.model}")
        console.print(scores_table(cohort))
        results[kind] = {name: asdict(score) for name, score in cohort.cases.items()}
    if options.output:
        options.output.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def _network(model: str, device: str) -> Method:
    predictor = Predictor(load_package(find_package(model)), choose_device(device))
    return lambda skull: predictor.reconstruct(skull).defect


def _mirror(skull: Volume) -> Volume:
    defect = mirror_defect(skull).defect
    return defect.with_voxels(defect.voxels.astype(np.uint8))


if __name__ == "__main__":
    sys.exit(main())
