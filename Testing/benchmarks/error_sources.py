"""Where the error of the shell pass comes from: its answer with one part after another put right.

    python Testing/benchmarks/error_sources.py --data FOLDER --split SPLIT [--model PACKAGE]

Mean DSC at full resolution on the validation skulls. With both tables true, what is left is the map's and
the cut's own; with the true hole, what the network mistakes about where bone is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from measured_cases import MeasuredCase, measured_cases
from rich.console import Console
from rich.table import Table

from CranialAugmentationTrainerLib.datasets.split import Split
from CranialReconstructionLib.evaluation.overlap import dice
from CranialReconstructionLib.imaging.head_grid import place_head
from CranialReconstructionLib.imaging.resampling import occupancy
from CranialReconstructionLib.reconstruction.catalogue import DEFAULT_MODEL, find_package
from CranialReconstructionLib.reconstruction.continuation import batched, continue_tables
from CranialReconstructionLib.reconstruction.devices import choose_device
from CranialReconstructionLib.reconstruction.head_pose import find_pose
from CranialReconstructionLib.reconstruction.model_package import load_package
from CranialReconstructionLib.reconstruction.postprocessing import cut_defect
from CranialReconstructionLib.reconstruction.predictor import Predictor
from CranialReconstructionLib.reconstruction.shell_pass import missing_share
from CranialReconstructionLib.reconstruction.vault_map import unroll

# A ray that lost less than this, millimetres, has no hole.
LEAST_MISSING = 0.6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    options = parser.parse_args()
    predictor = Predictor(load_package(find_package(options.model)), choose_device("auto"))
    table = Table(title="mean DSC, validation skulls")
    table.add_column("")
    columns = {}
    for kind in ("paired", "held-out"):
        table.add_column(kind, justify="right")
        scores: dict[str, list[float]] = defaultdict(list)
        for case in measured_cases(options.data, Split.read(options.split), "validation", kind, cuts_a_skull=1):
            print(f"{kind} {case.name}", file=sys.stderr)
            for name, score in put_right(predictor, case).items():
                scores[name].append(score)
        columns[kind] = scores
    for name in columns["paired"]:
        table.add_row(name, *(f"{np.mean(column[name]):.3f}" for column in columns.values()))
    Console(width=100).print(table)
    return 0


def put_right(predictor: Predictor, case: MeasuredCase) -> dict[str, float]:
    """DSC of what the shell pass gives, and of what it would give with parts of its answer true."""
    frame, vault, shape = predictor.frame, predictor.vault, predictor.package.shape
    if shape is None:
        raise SystemExit("this benchmark is about models with a shell pass")
    grid = predictor.box.grid(place_head(case.skull).centre, predictor.fine_spacing)
    present, implant = occupancy(case.skull, grid), occupancy(case.truth, grid)
    left = torch.from_numpy(present.voxels)
    whole = (left + torch.from_numpy(implant.voxels)).clamp(0.0, 1.0)
    pose = find_pose(left, frame, shape.reference)
    rays = pose.to_box(vault.rays())
    lost = frame.sample(torch.from_numpy(implant.voxels)[None], rays)[0].sum(0) * vault.step
    truth = unroll(whole, frame, vault, rays)
    continued = continue_tables(unroll(left, frame, vault, rays), vault, shape)
    said = predictor.ask_shell(batched(continued))
    bone = truth.present > 0.5
    outer = torch.where(bone, truth.outer, said.outer)
    inner = torch.where(bone, truth.inner, said.inner)
    hole = torch.where(lost > LEAST_MISSING, 8.0, -8.0)[None]
    answers = {
        "as the network says": said,
        "without the network, hole true": replace(
            said, outer=continued.outer[None], inner=continued.inner[None], missing=hole
        ),
        "hole true": replace(said, missing=hole),
        "outer table true": replace(said, outer=outer),
        "inner table true": replace(said, inner=inner),
        "both tables true": replace(said, outer=outer, inner=inner),
        "all true": replace(said, outer=outer, inner=inner, missing=hole),
    }
    scores = {}
    for name, answer in answers.items():
        share, probable = missing_share(answer, frame, vault, predictor.fine_spacing, pose)
        missing = present.with_voxels(torch.minimum(share, 1.0 - left).numpy())
        defect, _ = cut_defect(case.skull, present, missing, present.with_voxels(probable.numpy()), predictor.constants)
        scores[name] = dice(defect.voxels > 0, case.truth.voxels > 0)
    return scores


if __name__ == "__main__":
    sys.exit(main())
