"""``cranial package-model``: make a model package out of training runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from CranialReconstructionLib.cli.command import Command
from CranialReconstructionLib.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial package-model``."""
    parser.add_argument("--first", type=Path, required=True, metavar="RUN", help="run of the shell or coarse network")
    parser.add_argument("--fine", type=Path, metavar="RUN", help="run of the fine network")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="the data of the runs, for the ranges warned about"
    )
    parser.add_argument(
        "--card",
        type=Path,
        required=True,
        metavar="FILE.json",
        help="name, version, description, licence, data, command, post_processing, coverage, figures",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="becomes the package")


def run(options: argparse.Namespace) -> int:
    """Write the package and say where it is."""
    from CranialAugmentationTrainerLib.training.packaging import TOLD_BY_SKULLS, package_runs, training_coverage
    from CranialAugmentationTrainerLib.training.run_folder import RunFolder
    from CranialReconstructionLib.reconstruction.manifest import Figure, TrainingData

    first = RunFolder(options.first)
    try:
        card = json.loads(options.card.read_text())
        content = {
            key: card[key] for key in ("name", "version", "description", "licence", "command", "post_processing")
        }
        data = [TrainingData(**entry) for entry in card["data"]]
        figures = [Figure(**entry) for entry in card.get("figures", [])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"not a model card ({type(error).__name__}: {error})",
            where=str(options.card),
            remedy="Start from Resources/Training/vault-unet-card.json.",
        ) from error

    def report(done: int, of: int) -> None:
        print(f"\rlooking at training skulls: {done + 1} of {of}", end="", file=sys.stderr, flush=True)

    # A card may add to what the training skulls tell, or give all of it and save the minutes.
    coverage = card.get("coverage", {})
    if not coverage.keys() >= TOLD_BY_SKULLS:
        coverage = {**training_coverage(options.data, first, report), **coverage}
    manifest = package_runs(
        options.output,
        first,
        RunFolder(options.fine) if options.fine else None,
        data=data,
        figures=figures,
        coverage={name: (float(low), float(high)) for name, (low, high) in coverage.items()},
        **content,
    )
    print(f"\nPackage {manifest.name} {manifest.version} is in {options.output}.")
    return 0


COMMAND = Command("Make a model package out of training runs.", add_arguments, run)
