"""``cranial mask-defects``: cases from whole skulls, with bone cut away."""

from __future__ import annotations

import argparse
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
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw size and place beside the data's own defects")


def run(options: argparse.Namespace) -> int:
    """Write the set, and the picture of its defects."""
    from CranialAugmentationTrainerLib.augmentation.deformable_masking import MASKING_PRESETS
    from CranialAugmentationTrainerLib.augmentation.masked_heads import MaskedHeads
    from CranialAugmentationTrainerLib.cli.augmented_set import read_heads, write_items

    heads = read_heads(options)
    items = MaskedHeads(heads, options.count, MASKING_PRESETS[options.cuts], options.seed)
    status = write_items(options, items, heads, items.settings(), needs_defect=True)
    if options.plot is not None:
        _plot(options, heads)
    return status


def _plot(options: argparse.Namespace, heads: Heads) -> None:
    from CranialAugmentationTrainerLib.augmentation.defect_places import DefectPlace, measure_defect, plot_defects
    from CranialAugmentationTrainerLib.datasets.synthetic_set import SyntheticSet

    drawn = [
        DefectPlace(record.defect_ml, tuple(record.facts["defect_middle"]))
        for record in SyntheticSet(options.output).records().values()
        if not record.rejected
    ]
    own = [measure_defect(head["defect"][0], heads.grid) for head in heads]
    real = [place for place in own if place is not None]
    plot_defects({"drawn": drawn, options.data.name: real} if real else {"drawn": drawn}, options.plot)


COMMAND = Command("Cut bone out of whole skulls, as a set.", add_arguments, run)
