"""What ``cranial register-pairs`` and ``cranial mask-defects`` have in common: heads in, a set out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CranialAugmentationTrainerLib.cli.set_line import SetLine, tell_counts

if TYPE_CHECKING:
    from CranialAugmentationTrainerLib.augmentation.case import CaseItems
    from CranialAugmentationTrainerLib.augmentation.heads import Heads

# As ``augmentation.presets`` and ``datasets.synthetic_set`` name them; this file must not load torch.
GEOMETRIC = ("basic", "heavy", "extreme")
ENDINGS = (".nrrd", ".nii.gz")


def add_set_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of both."""
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the skulls, in any known layout")
    parser.add_argument("-n", type=_positive, required=True, dest="count", metavar="COUNT", help="number of cases")
    parser.add_argument("-o", type=Path, required=True, dest="output", metavar="FOLDER", help="the set")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (0)")
    parser.add_argument(
        "--split", type=Path, metavar="FILE", help="a run's split.json; only its training skulls are used"
    )
    parser.add_argument(
        "--spacing", type=float, default=2.0, metavar="MM", help="voxel edge; 2 gives 128^3, 1 the papers' 256^3 (2)"
    )
    parser.add_argument("--geometric", choices=GEOMETRIC, help="move the cases as well, W24's table 1")
    parser.add_argument("--format", choices=ENDINGS, default=".nrrd", help="of the label volumes (.nrrd)")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="make every N-th case, from the I-th on (1/1)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that make cases (0: this one)")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where resampled skulls are kept (OUTPUT/heads)")


def read_heads(folder: Path, options: argparse.Namespace, split: Path | None = None) -> Heads:
    """The heads of a folder, the training ones of a split alone; what cannot be used is told on standard
    error."""
    from CranialAugmentationTrainerLib.augmentation.heads import heads_from_files
    from CranialAugmentationTrainerLib.datasets.reading import read_data_set
    from CranialAugmentationTrainerLib.datasets.split import Split
    from CranialReconstructionLib.errors import UserError
    from CranialReconstructionLib.imaging.head_grid import PAPER_BOX

    if not 0.5 <= options.spacing <= 16.0:
        raise UserError(
            f"{options.spacing:g} mm is no voxel edge for a head", where="--spacing", remedy="Give 0.5 to 16 mm."
        )
    data = read_data_set(folder)
    for broken in data.broken:
        print(f"left out: {broken.name}: {broken.reason} ({broken.path})", file=sys.stderr)
    cases = data.usable().cases
    if split is not None:
        training = set(Split.read(split).train)
        cases = tuple(case for case in cases if case.skull in training)
    heads = heads_from_files(cases, PAPER_BOX, options.spacing, options.cache or options.output / "heads")
    if not heads:
        raise UserError(
            "no complete skull is among the cases",
            where=str(split or folder),
            remedy="Give whole skulls, or defective skulls with their implants.",
        )
    return heads


def write_items(
    options: argparse.Namespace, items: CaseItems, heads: Heads, settings: Mapping[str, Any], needs_defect: bool
) -> int:
    """Write the set, as far as it is not there; progress goes to standard error."""
    from monai.transforms import Compose

    from CranialAugmentationTrainerLib.augmentation.augmented_cases import AugmentedCases
    from CranialAugmentationTrainerLib.augmentation.case import Binarise
    from CranialAugmentationTrainerLib.augmentation.offline import Shard, write_set
    from CranialAugmentationTrainerLib.augmentation.presets import geometric_augmentation
    from CranialAugmentationTrainerLib.datasets.synthetic_set import SyntheticSet

    if options.geometric is not None:
        moved = Compose([geometric_augmentation(options.geometric), Binarise()])
        items = AugmentedCases(items, moved, options.seed)
    line = SetLine()
    try:
        progress = write_set(
            items,
            heads.grid,
            SyntheticSet(options.output),
            {**settings, "geometric": options.geometric},
            needs_defect=needs_defect,
            ending=options.format,
            shard=Shard.parse(options.shard),
            workers=options.workers,
            report=line,
        )
    finally:
        line.end()
    tell_counts(progress, options.output, options.json)
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return number
