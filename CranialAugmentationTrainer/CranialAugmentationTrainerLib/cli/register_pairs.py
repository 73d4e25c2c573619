"""``cranial register-pairs``: new cases from old ones, each warped towards another head."""

from __future__ import annotations

import argparse

from CranialAugmentationTrainerLib.cli.augmented_set import add_set_arguments
from CranialReconstructionLib.cli.command import Command

# As in ``augmentation.registration``, which must not be loaded before it is used.
ALPHA = 12500.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial register-pairs``."""
    parser.description = (
        "Warp each case towards another head, so that skull, defect and complete skull lie between the two (W24). "
        "Pairs are drawn without repeats. Stopped, the same command goes on where it was."
    )
    add_set_arguments(parser)
    parser.add_argument(
        "--alpha",
        type=float,
        default=ALPHA,
        help="smoothness of the warp: W24's 6250, 12500 (the best and default), 25000, 50000, 100000",
    )
    parser.add_argument(
        "--states", type=int, default=1, metavar="N", help="cases a pair: its registration at N stages (1)"
    )
    parser.add_argument(
        "--keep-pairs",
        action="store_true",
        help="write moving and fixed skull and the warp's Jacobian determinant too, for looking at: about "
        "1 MB a case at 2 mm, in FOLDER/pairs",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto: a GPU where there is one")


def run(options: argparse.Namespace) -> int:
    """Write the set."""
    from dataclasses import replace

    from CranialAugmentationTrainerLib.augmentation.registered_pairs import RegisteredPairs
    from CranialAugmentationTrainerLib.augmentation.registration_schedule import ALPHAS, REGISTRATION_PRESETS
    from CranialAugmentationTrainerLib.cli.augmented_set import read_heads, write_items
    from CranialReconstructionLib.errors import UserError
    from CranialReconstructionLib.reconstruction.devices import choose_device

    if options.states < 1:
        raise UserError("a pair gives at least one case", where="--states", remedy="Give 1 or more.")
    if options.keep_pairs and options.geometric is not None:
        raise UserError(
            "cases that are moved no longer lie where their pairs do",
            where="--keep-pairs",
            remedy="Leave out --geometric, or --keep-pairs.",
        )
    device = choose_device(options.device)
    if device.type != "cpu" and options.workers > 0:
        raise UserError(
            "worker processes would share one GPU", where="--workers", remedy="Leave it out, or give --device cpu."
        )
    heads = read_heads(options.data, options, options.split)
    schedule = replace(REGISTRATION_PRESETS[f"alpha-{ALPHAS[1]:.0f}"], alpha=options.alpha)
    items = RegisteredPairs(
        heads, options.count, schedule, options.seed, options.states, str(device), options.keep_pairs
    )
    return write_items(options, items, heads, items.settings(), needs_defect=False)


COMMAND = Command("Warp skulls towards one another, as a set.", add_arguments, run)
