"""``cranial implant``: from missing bone to an implant that can be printed."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CranialReconstructionLib.cli.command import Command
from CranialReconstructionLib.cli.implant_options import add_delivery_arguments, delivery_asked_for
from CranialReconstructionLib.cli.implant_outcome import FAILED, tell
from CranialReconstructionLib.cli.progress import StageLine
from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.delivery.order import Case
    from CranialReconstructionLib.implant.design import Design

_DESCRIPTION = (
    "Design an implant for missing bone, check it, and write it. Nothing is written if a check fails, "
    "unless --force is given. Exit status 0 if all checks pass, 1 if one fails, 2 for what the user can "
    "mend. Research use only."
)
_EXAMPLE = """\
What has no option of its own stands in a design, as every result holds one (design.json). All keys may
be left out; lengths are millimetres, places and directions RAS:

  {
    "material": "PEEK",
    "bevel": 10,
    "inner_clearance": 0.5,
    "perfusion": {"diameter": 2, "pitch": 10, "margin": 5},
    "holes": [{"at": [-40.5, 12, 88], "diameter": 2.5}],
    "cuts": [{"at": [-35, 0, 90], "normal": [0, 1, 0], "gap": 0.2}]
  }

Its number counts the iterations: it goes up when options change the design, or when the output folder
holds the result of another one.

A confidence.nrrd beside the defect is used by itself if `cranial reconstruct` wrote both and neither has
changed since."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial implant``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = textwrap.fill(_DESCRIPTION, 100)
    parser.epilog = _EXAMPLE
    parser.add_argument(
        "--skull", type=Path, required=True, metavar="SKULL", help="mask of the bone that is there, or its CT"
    )
    parser.add_argument("--defect", type=Path, required=True, metavar="DEFECT", help="mask of the missing bone")
    parser.add_argument("--confidence", type=Path, metavar="FILE", help="confidence.nrrd, for a finer surface")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where results go")
    parser.add_argument("--design", type=Path, metavar="FILE.json", help="a saved design; options below change it")
    parser.add_argument("--gap", type=float, metavar="MM", help="to the edge of the bone, 0 to 2")
    parser.add_argument("--thickness", metavar="MM|anatomical", help="inward from the outer surface")
    parser.add_argument("--material", metavar="NAME", help="PEEK, PMMA, titanium or bone-like")
    parser.add_argument("--bevel", type=float, metavar="DEG", help="of the walls to the insertion axis, 0 to 30")
    parser.add_argument("--axis", metavar="X,Y,Z", help="from outside to inside (RAS); found by itself without it")
    parser.add_argument("--holes", metavar="DIAMETER,PITCH", help="pattern of perfusion holes, mm")
    parser.add_argument("--flange", metavar="WIDTH[,THICKNESS]", help="rim that lies on the outer table, mm")
    parser.add_argument("--mould", action="store_true", help="also a two-part mould for casting")
    parser.add_argument("--host-model", action="store_true", help="also the skull around the defect, to try the fit")
    add_delivery_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print report.json on standard output")


def run(options: argparse.Namespace) -> int:
    """Write the meshes, ``design.json``, ``report.json`` and the report's pages; say what was checked."""
    from CranialReconstructionLib.implant.delivery.results import deliver

    stage = StageLine()
    design = _design(options)
    delivery = delivery_asked_for(options, options.skull)
    stage("read")
    case = _case(options)
    outcome = deliver(case, design, delivery, options.output, stage)
    for warning in outcome.report["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    if options.json:
        print(json.dumps(outcome.report, indent=1))
    else:
        tell(outcome, options.output)
    return FAILED if outcome.failed else 0


def _case(options: argparse.Namespace) -> Case:
    """Skull, defect, and the confidence that was named or belongs to the defect."""
    from CranialReconstructionLib.imaging.files import read_volume
    from CranialReconstructionLib.imaging.scan import read_skull
    from CranialReconstructionLib.implant.delivery.order import Case
    from CranialReconstructionLib.implant.delivery.origin import origin_beside

    skull, scan_warnings = read_skull(options.skull)
    defect = read_volume(options.defect)
    origin = origin_beside(options.defect)
    confidence = options.confidence or origin.confidence
    if confidence is not None:
        print(f"confidence: {confidence}", file=sys.stderr)
    files = {"skull": options.skull, "defect": options.defect, "confidence": confidence}
    inputs = {f"{what} ({path.name})": sha256_of(path) for what, path in files.items() if path is not None}
    return Case(
        skull=skull,
        defect=defect,
        confidence=read_volume(confidence) if confidence is not None else None,
        algorithm=origin.algorithm,
        inputs={**inputs, **origin.model},
        warnings=(*scan_warnings, *(origin.warnings if options.confidence is None else ())),
    )


def _design(options: argparse.Namespace) -> Design:
    """The saved design, or a new one, with the options' changes, and its number counted up if it is another one."""
    from CranialReconstructionLib.implant.delivery.results import previous_design
    from CranialReconstructionLib.implant.design import Design, Flange, PerfusionHoles, read_design
    from CranialReconstructionLib.implant.iterations import numbered

    start = read_design(options.design) if options.design else None
    changes: dict[str, Any] = {
        name: getattr(options, name) for name in ("gap", "material", "bevel") if getattr(options, name) is not None
    }
    if options.thickness is not None:
        changes["thickness"] = options.thickness if options.thickness == "anatomical" else _numbers(
            options.thickness, 1, "--thickness"
        )[0]  # fmt: skip
    if options.axis is not None:
        changes["axis"] = _numbers(options.axis, 3, "--axis")
    if options.holes is not None:
        diameter, pitch = _numbers(options.holes, 2, "--holes")
        changes["perfusion"] = PerfusionHoles(diameter, pitch)
    if options.flange is not None:
        changes["flange"] = Flange(*_numbers(options.flange, 2 if "," in options.flange else 1, "--flange"))
    for name in ("mould", "host_model"):
        if getattr(options, name):
            changes[name] = True
    design = replace(start or Design(), **changes)
    return numbered(design, start, previous_design(options.output))


def _numbers(text: str, count: int, option: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise UserError(f"{text!r} is not {count} numbers with commas", where=option, remedy="Write it as in --help.")
    return numbers


COMMAND = Command("Design an implant for missing bone, check it, and write it.", add_arguments, run)
