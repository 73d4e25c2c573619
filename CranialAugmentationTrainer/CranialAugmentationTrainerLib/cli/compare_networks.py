"""``cranial compare-networks``: trained reconstruction networks measured alike on skulls that none has seen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from CranialAugmentationTrainerLib.cli.counting import CountingLine
from CranialReconstructionLib.cli.command import Command

# As ``study.comparison`` names them.
PARTS = ("validation", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial compare-networks``."""
    parser.description = (
        "Measure reconstruction networks on the skulls that their runs kept apart, with the skulls' own defects and "
        "with cuts all over their vaults, and test the differences (Wilcoxon signed-rank, paired by skull, corrected "
        "after Holm). Masks are compared on the networks' own grid, so the figures must not be put beside published "
        "ones. Writes comparison.json and comparison.png. A network that has seen one of the skulls, itself or "
        "through a synthetic set made of it, is refused."
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="runs of `cranial train reconstruction`")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="a data set with the skulls")
    parser.add_argument("--part", choices=PARTS, default="validation", help="of the runs' split (validation)")
    parser.add_argument(
        "--split", type=Path, metavar="FILE", help="whose skulls are measured; without it those that the runs agree on"
    )
    parser.add_argument(
        "--own-resolution",
        action="store_true",
        help="measure own defects at their files' resolution too, as `cranial reconstruct` would find them",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="for the results")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where resampled skulls are kept (OUTPUT/cache)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto: a GPU where there is one")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")


def run(options: argparse.Namespace) -> int:
    """Measure, write, and print the table."""
    from CranialAugmentationTrainerLib.study.comparison import PLOT, write_comparison
    from CranialAugmentationTrainerLib.study.comparison_plot import plot_comparison
    from CranialAugmentationTrainerLib.study.network_comparison import compare_networks

    comparison = compare_networks(
        options.runs,
        options.data,
        options.cache or options.output / "cache",
        part=options.part,
        split=options.split,
        own_resolution=options.own_resolution,
        device=options.device,
        command=_command(options),
        report=CountingLine("measuring"),
    )
    plot_comparison(comparison, options.output / PLOT)
    path = write_comparison(comparison, options.output)
    if options.json:
        print(path.read_text(), end="")
        return 0
    from rich.console import Console

    from CranialAugmentationTrainerLib.study.comparison_table import comparison_table

    for warning in comparison.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    # A pipe has no width of its own; the table must not lose columns in it.
    width = None if sys.stdout.isatty() else 140
    Console(highlight=False, width=width).print(comparison_table(comparison))
    for verdict in comparison.verdicts():
        print(verdict)
    print(f"Best is {comparison.winner}: {comparison.rule}.")
    print(f"All of it is in {path}, boxes in {options.output / PLOT}.")
    return 0


def _command(options: argparse.Namespace) -> str:
    """The command for who reads the results; folders by their names."""
    words = [folder.name for folder in (*options.runs,)]
    split = [f"--split {options.split.name}"] if options.split else []
    resolution = ["--own-resolution"] if options.own_resolution else []
    data = f"--data {options.data.resolve().name} --part {options.part}"
    return " ".join(["cranial compare-networks", *words, data, *split, *resolution])


COMMAND = Command("Compare trained reconstruction networks on unseen skulls.", add_arguments, run)
