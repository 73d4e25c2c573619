"""``cranial train``: train a generative method or a reconstruction network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from CranialReconstructionLib.cli.command import Command

# As ``training.training_settings`` names them; this file must not load torch.
METHODS = (
    "vae",
    "wgan-gp",
    "vae-wgan-gp",
    "introvae",
    "softintrovae",
    "vqvae",
    "ldm-vae",
    "ldm-vqvae",
    "reconstruction",
)
PRESETS = ("k23", "w24", "small", "tiny")
STOPPED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial train``."""
    parser.description = (
        "Train a generative method, or a network that finds missing bone, on skulls with a hole and the missing "
        "bone. Ctrl-C ends it with a checkpoint; --resume goes on, to the weights that it would have had."
    )
    parser.add_argument("method", choices=METHODS, metavar="METHOD", help=", ".join(METHODS))
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        metavar="FOLDER",
        help="a data set in any known layout; give several to mix them, such as real pairs and synthetic sets",
    )
    parser.add_argument("--run", type=Path, required=True, metavar="FOLDER", dest="run_folder", help="run folder")
    parser.add_argument("--preset", choices=PRESETS, default="small", help="size of network and run (small)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="a setting, such as steps=5000, network.side=32 or optimiser.learning_rate=1e-4",
    )
    parser.add_argument(
        "--augment",
        metavar="NAMES",
        help="online augmentation: none, basic, heavy, extreme, masking, registration, or several joined by +",
    )
    parser.add_argument("--split", type=Path, metavar="FILE", help="a division by skull; without it one is drawn")
    parser.add_argument("--autoencoder", type=Path, metavar="RUN", help="the trained autoencoder of an ldm method")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where resampled skulls are kept (RUN/cache)")
    parser.add_argument("--resume", action="store_true", help="go on with the run that is in the folder")


def run(options: argparse.Namespace) -> int:
    """Train to the last step; progress goes to the run's ``events.jsonl`` and to standard error."""
    from CranialAugmentationTrainerLib.training.run_folder import RunFolder
    from CranialAugmentationTrainerLib.training.training import resume_method, train_method
    from CranialAugmentationTrainerLib.training.training_settings import training_settings
    from CranialReconstructionLib.cli.progress import StageLine
    from CranialReconstructionLib.errors import UserError

    folder = RunFolder(options.run_folder, StageLine())
    if options.resume:
        refused = [name for name, given in _given(options) if given]
        if refused:
            raise UserError(
                f"{', '.join(refused)} cannot be changed in the middle of a run",
                where=str(options.run_folder),
                remedy="Leave it out: the run's own configuration counts.",
            )
        if folder.read_configuration().get("method") != options.method:
            raise UserError(
                f"it is not a run of {options.method}", where=str(options.run_folder), remedy="Name its own method."
            )
        ending = resume_method(folder, options.data or (), cache=options.cache)
    else:
        if not options.data:
            raise UserError("no data set is given", where="--data", remedy="Give the folder of one.")
        words = list(options.overrides)
        if options.augment:
            words.append(f"augmentation.names={options.augment}")
        if options.autoencoder:
            words.append(f"autoencoder={options.autoencoder}")
        settings = training_settings(options.method, options.preset, words)
        ending = train_method(settings, options.data, folder, split=options.split, cache=options.cache)
    return tell_ending(ending, options.run_folder)


def tell_ending(ending: str, folder: Path) -> int:
    """Say how a run ended; its exit status."""
    if ending == "stopped":
        print(f"Stopped, with a checkpoint. `cranial runs resume {folder}` goes on.", file=sys.stderr)
        return STOPPED
    print(f"Trained. The run is in {folder}.")
    return 0


def _given(options: argparse.Namespace) -> list[tuple[str, object]]:
    return [
        ("--set", options.overrides),
        ("--augment", options.augment),
        ("--split", options.split),
        ("--autoencoder", options.autoencoder),
    ]


COMMAND = Command("Train a generative method or a reconstruction network.", add_arguments, run)
