"""``cranial estimate-run``: how long a run would take on this computer, and how much memory."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from CranialAugmentationTrainerLib.cli.train import METHODS, PRESETS
from CranialReconstructionLib.cli.command import Command

if TYPE_CHECKING:
    from CranialAugmentationTrainerLib.training.run_estimate import RunEstimate

DEVICES = ("cpu", "cuda", "mps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial estimate-run``."""
    parser.description = (
        "Do a few steps of every stage of a run, on made-up cases of its size, and tell how long all of it would "
        "take and how much memory. What is too large for that is extrapolated from smaller cases."
    )
    parser.add_argument("method", choices=METHODS, metavar="METHOD", help=", ".join(METHODS))
    parser.add_argument("--preset", choices=PRESETS, default="small", help="size of network and run (small)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="as of `cranial train`"
    )
    parser.add_argument("--augment", metavar="NAMES", help="as of `cranial train`")
    parser.add_argument("--autoencoder", type=Path, metavar="RUN", help="as of `cranial train`")
    parser.add_argument("--device", choices=DEVICES, help="to compute on; the run's own without it")
    parser.add_argument("--data-cases", type=int, default=0, metavar="N", help="cases that are kept in memory")
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="that measuring should not take much longer than (60)"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="gets estimate.json")
    parser.add_argument("--json", action="store_true", help="print what is in estimate.json")


def run(options: argparse.Namespace) -> int:
    """Measure, write, and tell."""
    from CranialAugmentationTrainerLib.training.run_estimate import estimate_run
    from CranialAugmentationTrainerLib.training.run_folder import RunFolder
    from CranialAugmentationTrainerLib.training.training_settings import (
        parse_training,
        training_settings,
        with_autoencoder,
    )
    from CranialReconstructionLib.cli.progress import StageLine
    from CranialReconstructionLib.imaging.whole_file import whole_file

    words = list(options.overrides)
    if options.augment:
        words.append(f"augmentation.names={options.augment}")
    if options.device:
        words.append(f"accelerator={options.device}")
    settings = training_settings(options.method, options.preset, words)
    if options.autoencoder:
        below = RunFolder(options.autoencoder)
        autoencoder = parse_training(below.read_configuration(), str(below.path / "run.json"))
        settings = with_autoencoder(settings, autoencoder, str(below.path))
    found = estimate_run(settings, max(0, options.data_cases), options.seconds, StageLine())
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        with whole_file(options.output / "estimate.json") as part:
            part.write_text(json.dumps(asdict(found), indent=1) + "\n")
    if options.json:
        print(json.dumps(asdict(found), indent=1))
    else:
        _tell(found)
    return 0


def _tell(found: RunEstimate) -> None:
    print(f"{found.parameters:,} numbers to learn, on {found.device}")
    for stage in found.stages:
        print(f"  {stage.name}: {stage.steps} steps of {stage.seconds_a_step:.3g} s")
    print(f"{found.seconds / 3600.0:.2g} hours, without validations and previews")
    print(
        f"{found.memory / 1e9:.2f} GB of {found.free / 1e9:.2f} GB free" + ("" if found.fits else ": it does not fit")
    )
    if (found.measured_side, found.measured_batch) != (found.side, found.batch):
        print(f"extrapolated from {found.measured_side}^3 in batches of {found.measured_batch}")


COMMAND = Command("How long a run would take here, and how much memory.", add_arguments, run)
