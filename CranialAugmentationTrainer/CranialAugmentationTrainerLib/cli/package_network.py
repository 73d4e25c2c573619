"""``cranial package-network``: make a model package out of one run of ``cranial train reconstruction``."""

from __future__ import annotations

import argparse
from pathlib import Path

from CranialAugmentationTrainerLib.cli.counting import CountingLine
from CranialReconstructionLib.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial package-network``."""
    parser.description = (
        "Write the network of a run as a model package for `cranial reconstruct`. --install, or `cranial models add`, "
        "brings it among the models that can be asked for by name, in both modules' panels too."
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run of `cranial train reconstruction`")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="becomes the package")
    parser.add_argument(
        "--licence", required=True, help="of the weights; they carry that of the data, such as CC-BY-NC-SA-4.0"
    )
    parser.add_argument("--data", required=True, metavar="WORDS", help="what it was trained on, in words")
    parser.add_argument("--name", help="lower-case letters, digits, dots, dashes, underscores (the folder's)")
    parser.add_argument("--model-version", default="1.0", help="of the weights (1.0)")
    parser.add_argument(
        "--description", default="One network that sees the whole head at once.", help="a sentence for the list"
    )
    parser.add_argument(
        "--figures", type=Path, metavar="FILE.json", help="a comparison.json; what it measured of the run goes along"
    )
    parser.add_argument("--install", action="store_true", help="add it to the models on this computer")
    parser.add_argument("--force", action="store_true", help="replace an installed model of the same name")


def run(options: argparse.Namespace) -> int:
    """Write the package and say where it is."""
    from CranialAugmentationTrainerLib.study.comparison import read_comparison
    from CranialAugmentationTrainerLib.study.measured_figures import measured_figures
    from CranialAugmentationTrainerLib.training.network_packaging import network_coverage, package_network
    from CranialAugmentationTrainerLib.training.run_folder import RunFolder
    from CranialReconstructionLib.reconstruction.installation import install_package

    folder = RunFolder(options.run_folder)
    figures = measured_figures(read_comparison(options.figures), options.run_folder) if options.figures else ()
    manifest = package_network(
        folder,
        options.output,
        name=options.name or options.output.resolve().name,
        version=options.model_version,
        description=options.description,
        licence=options.licence,
        data=options.data,
        figures=figures,
        coverage=network_coverage(folder, CountingLine("looking at training skulls")),
    )
    print(f"Package {manifest.name} {manifest.version} is in {options.output}.")
    if options.install:
        print(f"Installed in {install_package(options.output, force=options.force)}.")
    return 0


COMMAND = Command("Make a model package out of a reconstruction network's run.", add_arguments, run)
