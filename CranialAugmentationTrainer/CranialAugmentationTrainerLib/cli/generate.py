"""``cranial generate``: a synthetic set out of a trained generator."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from CranialAugmentationTrainerLib.cli.set_line import SetLine, tell_counts
from CranialReconstructionLib.cli.command import Command
from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialAugmentationTrainerLib.synthesis.source import GeneratorSource

# As ``sampling.settings`` and ``datasets.synthetic_set`` name them; this file must not load torch.
STRATEGIES = ("sd", "ud", "uds")
FORMS = ("quantile", "literal")
ENDINGS = (".nrrd", ".nii.gz")
LIMITS = {"least_skull": 0.004, "most_skull": 0.2, "main_skull": 0.9, "joined_defect": 0.9}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial generate``."""
    parser.description = (
        "Write COUNT generated cases as label volumes (1 skull, 2 missing bone) with index.jsonl. What quality "
        "does not let in is counted there with the reason. Stopped, the same command goes on where it was; a "
        "larger COUNT adds to the set."
    )
    parser.add_argument("generator", type=Path, metavar="RUN_OR_MODEL", help="a training run, or a generator's package")
    parser.add_argument("-n", type=int, dest="count", metavar="COUNT", help="cases that the set shall have")
    parser.add_argument("-o", type=Path, required=True, dest="output", metavar="FOLDER", help="the set")
    parser.add_argument(
        "--sampling",
        choices=STRATEGIES,
        default="sd",
        help="latents from N(0, I), uniform, or uniform deterministic: spread evenly (sd)",
    )
    parser.add_argument(
        "--form",
        choices=FORMS,
        default="quantile",
        help="of uds: evenly spread quantiles, or the ball of 3 standard deviations divided into COUNT (quantile)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the latents (0)")
    quality = parser.add_mutually_exclusive_group()
    quality.add_argument("--keep-all", action="store_true", help="keep every case, however bad")
    quality.add_argument(
        "--limit",
        action="append",
        default=[],
        dest="limits",
        metavar="NAME=SHARE",
        help="another limit of quality than " + ", ".join(f"{name}={share:g}" for name, share in LIMITS.items()),
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that make cases (1)")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="cases decoded together (1)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto: a GPU where there is one")
    parser.add_argument("--format", choices=ENDINGS, default=".nrrd", help="of the label volumes (.nrrd)")
    parser.add_argument(
        "--remake", type=int, metavar="NUMBER", help="make this one case of the set in FOLDER again, and nothing else"
    )
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")


def run(options: argparse.Namespace) -> int:
    """Write the set, or one case of it again."""
    from CranialAugmentationTrainerLib.synthesis.generator_package import generator_source
    from CranialReconstructionLib.reconstruction.devices import choose_device

    if (options.count is None) == (options.remake is None):
        raise UserError(
            "it is not told what to make", where="generate", remedy="Give -n COUNT, or --remake NUMBER of a set."
        )
    source = generator_source(options.generator, str(choose_device(options.device)))
    return _remake(options, source) if options.remake is not None else _write(options, source)


def _write(options: argparse.Namespace, source: GeneratorSource) -> int:
    from CranialAugmentationTrainerLib.sampling.settings import SamplingSettings
    from CranialAugmentationTrainerLib.synthesis.making import MakingSettings
    from CranialAugmentationTrainerLib.synthesis.quality import quality_limits
    from CranialAugmentationTrainerLib.synthesis.writing import SetWriter, write_set

    literal = options.sampling == "uds" and options.form == "literal"
    sampling = SamplingSettings(options.sampling, options.seed, options.form, count=options.count if literal else 0)
    limits = None if options.keep_all else quality_limits(options.limits)
    settings = MakingSettings(sampling, limits=limits, batch=options.batch)
    line = SetLine()
    try:
        progress = write_set(
            SetWriter(source, settings, options.output, options.format), options.count, options.workers, line
        )
    finally:
        line.end()
    tell_counts(progress, options.output, options.json)
    return 0


def _remake(options: argparse.Namespace, source: GeneratorSource) -> int:
    from CranialAugmentationTrainerLib.synthesis.writing import remake

    record = remake(options.output, options.remake, source)
    if options.json:
        print(record.as_line(), end="")
    elif record.rejected:
        print(f"Case {record.number} was rejected: {record.rejected}.")
    else:
        print(f"Case {record.number} is in {options.output / record.file}.")
    return 0


COMMAND = Command("Make a synthetic set with a trained generator.", add_arguments, run)
