"""``cranial train-reconstruction``: train one network of a reconstruction model."""

from __future__ import annotations

import argparse
from pathlib import Path

from CranialReconstructionLib.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial train-reconstruction``."""
    parser.description = (
        "Train one network of a reconstruction model: complete skulls have bone cut away and the network learns "
        "to give it back. Every epoch ends with a checkpoint; after an interruption --resume goes on from it."
    )
    parser.add_argument("configuration", type=Path, metavar="CONFIG", help="TOML file, as in Resources/Training")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="skulls in SkullFix's or SkullBreak's layout"
    )
    parser.add_argument("--run", type=Path, required=True, metavar="FOLDER", dest="run_folder", help="run folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run that is in the folder")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where resampled skulls are kept")


def run(options: argparse.Namespace) -> int:
    """Train to the last step; progress goes to the run's ``events.jsonl`` and to standard error."""
    from CranialAugmentationTrainerLib.cli.train import tell_ending
    from CranialAugmentationTrainerLib.training.configuration import read_settings
    from CranialAugmentationTrainerLib.training.loop import train
    from CranialAugmentationTrainerLib.training.run_folder import RunFolder
    from CranialReconstructionLib.cli.progress import StageLine

    run_folder = RunFolder(options.run_folder, StageLine())
    settings = read_settings(options.configuration)
    ending = train(settings, options.data, run_folder, options.resume, options.cache)
    return tell_ending(ending, options.run_folder)


COMMAND = Command("Train a network that finds missing bone.", add_arguments, run)
