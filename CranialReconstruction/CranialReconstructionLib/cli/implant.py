"""``cranial implant``: from missing bone to an implant that can be printed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CranialReconstructionLib import __version__
from CranialReconstructionLib.cli.command import Command
from CranialReconstructionLib.cli.progress import StageLine
from CranialReconstructionLib.cli.result_folder import result_folder
from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.checks import Check
    from CranialReconstructionLib.implant.design import Design
    from CranialReconstructionLib.implant.export.about import About, Frame
    from CranialReconstructionLib.implant.making import Implant
    from CranialReconstructionLib.implant.mesh import Mesh

FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial implant``."""
    parser.description = (
        "Design an implant for missing bone, check it, and write it. Nothing is written if a check fails, "
        "unless --force is given. Exit status 0 if all checks pass, 1 if one fails, 2 for what the user can "
        "mend. Research use only."
    )
    parser.add_argument("--skull", type=Path, required=True, metavar="SKULL", help="mask of the bone that is there")
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
    parser.add_argument("--flange", metavar="WIDTH,THICKNESS", help="rim that lies on the outer table, mm")
    parser.add_argument("--mould", action="store_true", help="also a two-part mould for casting")
    parser.add_argument("--host-model", action="store_true", help="also the skull around the defect, to try the fit")
    parser.add_argument("--format", default="stl,3mf", metavar="LIST", help="of stl, ply, obj, 3mf, glb (stl,3mf)")
    parser.add_argument("--frame", choices=("LPS", "RAS"), default="LPS", help="of the files' coordinates")
    parser.add_argument("--force", action="store_true", help="write even if a check fails")
    parser.add_argument("--json", action="store_true", help="print report.json on standard output")


def run(options: argparse.Namespace) -> int:
    """Write the meshes, ``design.json`` and ``report.json``; say what was checked."""
    from CranialReconstructionLib.cli.read_input import read_input
    from CranialReconstructionLib.imaging.files import read_volume
    from CranialReconstructionLib.imaging.mask import as_skull_mask
    from CranialReconstructionLib.implant.export.about import About
    from CranialReconstructionLib.implant.export.formats import parse_formats
    from CranialReconstructionLib.implant.making import make_host_bone, make_implants

    stage = StageLine()
    formats = parse_formats(options.format)
    design = _design(options)
    stage("read")
    volume, warnings = read_input(options.skull)
    skull = as_skull_mask(volume)
    defect = read_volume(options.defect)
    confidence = read_volume(options.confidence) if options.confidence else None
    implants = make_implants(skull, defect, design, confidence, stage)
    if not implants:
        raise UserError("the defect is empty", where=str(options.defect), remedy="There is nothing to fill.")
    checks = [check for implant in implants for check in implant.checks]
    failed = [check for check in checks if check.verdict == "fail"]
    report = {
        "cranial": __version__,
        "use": "Research use only.",
        "skull": str(options.skull),
        "defect": str(options.defect),
        "design": design.as_json(),
        "frame": options.frame,
        "forced": bool(failed) and options.force,
        "implants": [_figures(implant) for implant in implants],
        "warnings": list(warnings),
    }
    text = json.dumps(report, indent=1)
    if not failed or options.force:
        stage("write")
        with result_folder(options.output) as folder:
            _write(folder, implants, design, formats, options.frame, failed)
            if design.host_model:
                host = make_host_bone(skull, defect, design)
                about = About(f"{design.name} host bone", design.number, options.frame)
                _write_mesh(folder, "host-bone", [host], formats, about)
            (folder / "design.json").write_text(json.dumps(design.as_json(), indent=1) + "\n")
            (folder / "report.json").write_text(text + "\n")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if options.json:
        print(text)
    else:
        _print(checks)
        where = f"Results are in {options.output}." if not failed or options.force else "Nothing was written."
        count = "1 implant" if len(implants) == 1 else f"{len(implants)} implants"
        print(f"{count}, {len(failed)} failed checks. {where} Research use only.")
    return FAILED if failed else 0


def _design(options: argparse.Namespace) -> Design:
    """The saved design, or a new one, with the options' changes."""
    from CranialReconstructionLib.implant.design import Design, Flange, PerfusionHoles, read_design

    design = read_design(options.design) if options.design else Design()
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
        changes["flange"] = Flange(*_numbers(options.flange, 2, "--flange"))
    for name in ("mould", "host_model"):
        if getattr(options, name):
            changes[name] = True
    if options.design and changes:
        changes["number"] = design.number + 1
    return replace(design, **changes)


def _numbers(text: str, count: int, option: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise UserError(f"{text!r} is not {count} numbers with commas", where=option, remedy="Write it as in --help.")
    return numbers


def _figures(implant: Implant) -> dict[str, Any]:
    solid = implant.solid
    return {
        "volume_ml": round(sum(piece.volume for piece in implant.pieces) / 1000.0, 3),
        "missing_bone_ml": round(solid.missing, 3),
        "axis_ras": [round(float(part), 4) for part in solid.axis],
        "gap": asdict(solid.gap),
        "undercut_ml": round(solid.undercut, 3),
        "collision_ml": round(solid.collision, 4),
        "decimation_hausdorff_mm": round(implant.decimation, 4),
        "triangles": [len(piece.triangles) for piece in implant.pieces],
        "holes": sum(len(drilled.holes) for drilled in implant.drilling),
        "holes_left_out": sum(len(drilled.skipped) for drilled in implant.drilling),
        "checks": [asdict(check) for check in implant.checks],
    }


def _write(
    folder: Path,
    implants: list[Implant],
    design: Design,
    formats: tuple[str, ...],
    frame: Frame,
    failed: list[Check],
) -> None:
    from CranialReconstructionLib.implant.export.about import About

    comments = ("FAILED CHECKS: " + "; ".join(check.name for check in failed),) if failed else ()
    about = About(design.name, design.number, frame, comments)
    for number, implant in enumerate(implants, start=1):
        stem = "implant" if len(implants) == 1 else f"implant-{number}"
        parts = {stem: implant.pieces}
        if implant.mould:
            parts[f"{stem}-mould-upper"] = (implant.mould.upper,)
            parts[f"{stem}-mould-lower"] = (implant.mould.lower,)
        for name, pieces in parts.items():
            _write_mesh(folder, name, pieces, formats, about)


def _write_mesh(folder: Path, name: str, pieces: Sequence[Mesh], formats: tuple[str, ...], about: About) -> None:
    from CranialReconstructionLib.implant.export.formats import write_mesh

    for kind in formats:
        write_mesh(pieces, folder / f"{name}.{kind}", about)


def _print(checks: list[Check]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        table.add_row(check.name, check.value, check.limit, check.verdict.upper())
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


COMMAND = Command("Design an implant for missing bone, check it, and write it.", add_arguments, run)
