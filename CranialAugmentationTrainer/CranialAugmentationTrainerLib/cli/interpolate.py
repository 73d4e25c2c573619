"""``cranial interpolate``: what lies between two cases, or between two seeds."""

from __future__ import annotations

import argparse
from pathlib import Path

from CranialAugmentationTrainerLib.cli.counting import CountingLine
from CranialReconstructionLib.cli.command import Command

# As ``latent.interpolation`` and ``generators`` name them; this file must not load torch.
WAYS = ("spherical", "linear")
# Methods without an encoder.
SEEDS_ONLY = ("wgan-gp",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial interpolate``."""
    parser.description = (
        "Decode the latents between A and B in steps: label volumes, surfaces (PLY) and an animated picture. "
        "A and B are seeds, label volumes (1 skull, 2 missing bone), SKULL,DEFECT: two masks, or FOLDER:CASE: a case "
        "of a data set. Cases need a method with an encoder."
    )
    parser.add_argument("generator", type=Path, metavar="RUN", help="a training run, or a generator's package")
    parser.add_argument("first", metavar="A", help="seed or case")
    parser.add_argument("last", metavar="B", help="seed or case")
    parser.add_argument("-o", type=Path, required=True, dest="output", metavar="FOLDER", help="for all of it")
    parser.add_argument("--steps", type=int, default=12, metavar="N", help="A and B among them (12)")
    parser.add_argument(
        "--way", choices=WAYS, default="spherical", help="on an arc, which keeps the norm, or on a line (spherical)"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto: a GPU where there is one")
    parser.add_argument("--json", action="store_true", help="print the steps as JSON")


def run(options: argparse.Namespace) -> int:
    """Write the way from A to B."""
    from CranialAugmentationTrainerLib.latent.encoding import latent_of
    from CranialAugmentationTrainerLib.latent.journey import write_journey
    from CranialAugmentationTrainerLib.synthesis.generator_package import generator_source
    from CranialReconstructionLib.reconstruction.devices import choose_device

    generator = generator_source(options.generator, str(choose_device(options.device))).load()
    first, last = (latent_of(end, generator) for end in (options.first, options.last))
    steps = write_journey(
        generator,
        first,
        last,
        options.output,
        steps=options.steps,
        way=options.way,
        report=CountingLine("decoding"),
    )
    if options.json:
        print((options.output / "interpolation.json").read_text(), end="")
        return 0
    for step in steps:
        volumes = f"defect {step.defect_ml:6.1f} ml  skull {step.skull_ml:6.0f} ml"
        print(f"{step.share:4.2f}  {volumes}  {step.concern}".rstrip())
    print(f"{len(steps)} steps are in {options.output}, and interpolation.gif shows them.")
    return 0


COMMAND = Command("Decode what lies between two cases or seeds.", add_arguments, run)
