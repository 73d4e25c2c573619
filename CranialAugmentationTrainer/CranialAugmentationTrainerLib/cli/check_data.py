"""``cranial check-data``: what folders of skulls hold, and how nine of their cases look."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from CranialAugmentationTrainerLib.cli.counting import CountingLine
from CranialReconstructionLib.cli.command import Command

if TYPE_CHECKING:
    from CranialAugmentationTrainerLib.datasets.data_check import FolderCheck

# Broken cases that are told one by one.
NAMED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial check-data``."""
    parser.description = (
        "Look through data sets before a run learns from them: their layout, skulls, pairs and persons, spacings, "
        "shapes and axes, and the cases that cannot be used, each with the reason. Headers are read of every case, "
        "and nine cases whole, for a picture."
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="a data set in any known layout")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="gets data.json and cases.png"
    )
    parser.add_argument("--json", action="store_true", help="print what is in data.json")


def run(options: argparse.Namespace) -> int:
    """Look, write, and tell."""
    from CranialAugmentationTrainerLib.datasets.case_pictures import draw_cases, evenly_chosen
    from CranialAugmentationTrainerLib.datasets.data_check import check_folder, shared_names
    from CranialReconstructionLib.imaging.whole_file import whole_file

    found = [check_folder(folder, CountingLine(f"looking through {folder}")) for folder in options.folders]
    checks, sets = [check for check, _ in found], [data for _, data in found]
    shown = evenly_chosen([case for data in sets for case in data.cases])
    options.output.mkdir(parents=True, exist_ok=True)
    picture = options.output / "cases.png"
    damaged = draw_cases(shown, picture, CountingLine("drawing cases")) if shown else []
    content = {
        "folders": [check.as_json() for check in checks],
        "shared_names": shared_names(sets),
        "damaged": [{"name": case.name, "path": str(case.path), "reason": case.reason} for case in damaged],
        "picture": picture.name if shown else "",
    }
    with whole_file(options.output / "data.json") as part:
        part.write_text(json.dumps(content, indent=1) + "\n")
    if options.json:
        print(json.dumps(content, indent=1))
        return 0
    for check in checks:
        _tell(check)
    for case in damaged:
        print(f"  damaged: {case.name}: {case.reason} ({case.path})")
    if content["shared_names"]:
        print(f"{len(content['shared_names'])} names stand in several folders; a split takes each for one person")
    return 0


def _tell(check: FolderCheck) -> None:
    print(f"{check.folder}: {check.layout}, {check.cases} cases of {check.persons} persons, {check.pairs} pairs")
    if check.whole or check.open:
        print(f"  {check.whole} whole skulls, {check.open} with a defect whose missing bone is not known")
    for kind, count in check.kinds.items():
        print(f"  {kind}: {count}")
    if check.grids is not None:
        (low, high), (least, most) = check.grids.spacing, check.grids.shape
        print(f"  voxels {_times(low)} to {_times(high)} mm, {_times(least)} to {_times(most)} of them")
    for oddity in check.oddities:
        print(f"  {oddity}")
    for case in check.broken[:NAMED]:
        print(f"  broken: {case.name}: {case.reason} ({case.path})")
    if len(check.broken) > NAMED:
        print(f"  and {len(check.broken) - NAMED} more broken cases; data.json has them all")


def _times(values: tuple[float, ...]) -> str:
    return " x ".join(f"{value:g}" for value in values)


COMMAND = Command("What folders of skulls hold, and what is broken.", add_arguments, run)
