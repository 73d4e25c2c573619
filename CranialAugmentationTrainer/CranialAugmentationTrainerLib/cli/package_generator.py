"""``cranial package-generator``: make a package out of a generator's training run."""

from __future__ import annotations

import argparse
from pathlib import Path

from CranialReconstructionLib.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial package-generator``."""
    parser.description = (
        "Write the generator of a run as manifest.json and weights.safetensors, to hand on and to generate from."
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a training run")
    parser.add_argument("-o", type=Path, required=True, dest="output", metavar="FOLDER", help="becomes the package")
    parser.add_argument(
        "--licence", required=True, help="of the weights; they carry that of the data, such as CC-BY-NC-SA-4.0"
    )
    parser.add_argument("--data", required=True, help="what it was trained on, in words")
    parser.add_argument("--name", help="of the package (the folder's)")
    parser.add_argument("--model-version", default="1.0", help="of the weights (1.0)")
    parser.add_argument("--description", default="Generator of cranial defects.", help="a sentence")


def run(options: argparse.Namespace) -> int:
    """Write the package and say where it is."""
    from CranialAugmentationTrainerLib.synthesis.generator_package import package_generator

    manifest = package_generator(
        options.run_folder,
        options.output,
        name=options.name or options.output.resolve().name,
        version=options.model_version,
        description=options.description,
        licence=options.licence,
        data=options.data,
    )
    print(f"Package {manifest.name} {manifest.version}, {manifest.method}, is in {options.output}.")
    return 0


COMMAND = Command("Make a package out of a generator's training run.", add_arguments, run)
