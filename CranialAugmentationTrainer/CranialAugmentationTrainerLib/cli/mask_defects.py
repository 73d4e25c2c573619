"""``cranial mask-defects``: cases from whole skulls, with bone cut away."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from CranialAugmentationTrainerLib.cli.augmented_set import add_set_arguments
from CranialReconstructionLib.cli.command import Command

if TYPE_CHECKING:
    from CranialAugmentationTrainerLib.augmentation.heads import Heads

# As ``augmentation.deformable_masking`` names them; this file must not load torch.
MASKINGS = ("mixed", "sharp", "smooth")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial mask-defects``."""
    parser.description = (
        "Cut patches of random number, size and place out of the vaults of skulls (M24); defects that the skulls "
        "came with are filled first. Stopped, the same command goes on where it was."
    )
    add_set_arguments(parser)
    parser.add_argument("--cuts", choices=MASKINGS, default="mixed", help="sharp, smooth or mixed cuts (mixed)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="NAME=VALUE",
        help="another size or place, such as radius=[20,5] or places=[[0,1,1,30]]: R, A, S, concentration",
    )
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the size and place of the defects")
    parser.add_argument("--reference", type=Path, metavar="FOLDER", help="real cases to draw beside them (--data)")


def run(options: argparse.Namespace) -> int:
    """Write the set, and the picture of its defects."""
    from CranialAugmentationTrainerLib.augmentation.masked_heads import MaskedHeads
    from CranialAugmentationTrainerLib.augmentation.masking_settings import masking_range
    from CranialAugmentationTrainerLib.cli.augmented_set import read_heads, write_items

    extent = masking_range(options.cuts, options.changes)
    heads = read_heads(options.data, options, options.split)
    items = MaskedHeads(heads, options.count, extent, options.seed)
    status = write_items(options, items, heads, items.settings(), needs_defect=True)
    if options.plot is not None:
        if options.reference is not None:
            heads = read_heads(options.reference, options)
        _plot(options, heads)
    return status


def _plot(options: argparse.Namespace, reference: Heads) -> None:
    from CranialAugmentationTrainerLib.augmentation.defect_places import DefectPlace, measure_defect, plot_defects
    from CranialAugmentationTrainerLib.datasets.synthetic_set import SyntheticSet
    from CranialReconstructionLib.errors import UserError

    drawn = [
        DefectPlace(record.defect_ml, tuple(record.facts["defect_middle"]))
        for record in SyntheticSet(options.output).records().values()
        if not record.rejected
    ]
    real = []
    for number in range(len(reference)):
        try:
            place = measure_defect(reference[number]["defect"][0], reference.grid)
        except UserError as error:
            print(f"not in the picture: {error}", file=sys.stderr)
            continue
        if place is not None:
            real.append(place)
    name = (options.reference or options.data).resolve().name
    plot_defects({"drawn": drawn, name: real} if real else {"drawn": drawn}, options.plot)


COMMAND = Command("Cut bone out of whole skulls, as a set.", add_arguments, run)
