"""``cranial reconstruct``: a CT or a skull mask in, the missing bone out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CranialReconstructionLib import __version__
from CranialReconstructionLib.cli.command import Command
from CranialReconstructionLib.cli.implant_options import add_delivery_arguments, delivery_asked_for
from CranialReconstructionLib.cli.implant_outcome import FAILED, tell
from CranialReconstructionLib.cli.progress import StageLine
from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialReconstructionLib.imaging.volume import Volume
    from CranialReconstructionLib.implant.delivery.order import Delivery
    from CranialReconstructionLib.implant.delivery.results import Outcome
    from CranialReconstructionLib.implant.design import Design

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Result:
    """What either method leaves to be written."""

    defect: Volume
    confidence: Volume
    warnings: tuple[str, ...]
    details: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial reconstruct``."""
    parser.add_argument(
        "input", type=Path, metavar="CT_OR_SKULL", help="volume file (NRRD, NIfTI, MHA) or DICOM folder"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where results go")
    parser.add_argument("--model", metavar="NAME", help="model package, by name or folder (default: the shipped one)")
    parser.add_argument(
        "--method", choices=("network", "mirror"), default="network", help="a model, or the other side of the head"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where the network runs")
    parser.add_argument("--threshold", type=float, metavar="HU", help="bone threshold, for a CT")
    parser.add_argument("--json", action="store_true", help="print report.json on standard output")
    group = parser.add_argument_group("the implant", "see `cranial implant --help`")
    group.add_argument(
        "--implant", action="store_true", help="also make the implant, in FOLDER/implant; exit status 1 if it fails"
    )
    group.add_argument("--design", type=Path, metavar="FILE.json", help="its design (default: PEEK, 4 mm)")
    add_delivery_arguments(group)


@dataclass(frozen=True, eq=False)
class _Order:
    """The implant that is to be made of what is found."""

    design: Design
    delivery: Delivery
    folder: Path


def run(options: argparse.Namespace) -> int:
    """Reconstruct, write ``defect.nrrd``, ``confidence.nrrd``, ``complete.nrrd``, ``picture.png``,
    ``report.json``, and say what was found; then make its implant if that is asked for."""
    from CranialReconstructionLib.imaging.result_folder import result_folder
    from CranialReconstructionLib.imaging.scan import read_skull

    started = time.perf_counter()
    stage = StageLine()
    # What is wrong with the order is said before the minutes of reconstruction.
    order = _order(options)
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        stage(name)
        since = time.perf_counter()
        outcome = work()
        seconds[name] = round(time.perf_counter() - since, 3)
        return outcome

    with result_folder(options.output) as folder:
        skull, input_warnings = timed("read", lambda: read_skull(options.input, options.threshold))
        method = _network if options.method == "network" else _mirror
        result: Result = timed("reconstruct", lambda: method(skull, options, stage))
        found = bool(result.defect.voxels.any())
        warnings = (*input_warnings, *result.warnings)
        timed("write", lambda: _write(folder, skull, result, _caption(result, found)))
        report = {
            "cranial": __version__,
            "use": "Research use only.",
            "input": str(options.input),
            "input_sha256": sha256_of(options.input),
            "method": options.method,
            **result.details,
            "defect_found": found,
            "defect_ml": round(float(result.defect.voxels.sum()) * skull.grid.voxel_volume / 1000.0, 3),
            "warnings": list(warnings),
            "files": {file.name: sha256_of(file) for file in sorted(folder.iterdir())},
            "seconds": {**seconds, **result.seconds, "total": round(time.perf_counter() - started, 3)},
        }
        (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if not options.json:
        missing = (
            f"Missing bone: {report['defect_ml']:.1f} ml." if found else "Nothing is missing: the defect is empty."
        )
        unmade = " There is no implant to make." if order and not found else ""
        print(f"{missing}{unmade} Results are in {options.output}.")
    if order is None or not found:
        if options.json:
            print(json.dumps(report, indent=1))
        return 0
    outcome = _implant(order, skull, result, report, options.input, stage)
    for warning in outcome.report["warnings"][len(warnings) :]:
        print(f"warning: {warning}", file=sys.stderr)
    if options.json:
        print(json.dumps({**report, "implant": outcome.report}, indent=1))
    else:
        tell(outcome, order.folder)
    return FAILED if outcome.failed else 0


def _order(options: argparse.Namespace) -> _Order | None:
    """The implant that the options ask for.

    Raises:
        UserError: a design without ``--implant``, or what ``delivery_asked_for`` and ``read_design`` refuse.
    """
    if not options.implant:
        if options.design:
            raise UserError("a design without an implant", where="--design", remedy="Add --implant.")
        return None
    from CranialReconstructionLib.implant.delivery.results import previous_design
    from CranialReconstructionLib.implant.design import Design, read_design
    from CranialReconstructionLib.implant.iterations import numbered

    folder = options.output / "implant"
    start = read_design(options.design) if options.design else None
    design = numbered(start or Design(), start, previous_design(folder))
    return _Order(design, delivery_asked_for(options, options.input), folder)


def _implant(
    order: _Order, skull: Volume, result: Result, report: dict[str, Any], scan: Path, stage: StageLine
) -> Outcome:
    from CranialReconstructionLib.implant.delivery.order import Case
    from CranialReconstructionLib.implant.delivery.origin import origin_in
    from CranialReconstructionLib.implant.delivery.results import deliver

    origin = origin_in(report)
    named = {"defect": "defect.nrrd", "confidence": "confidence.nrrd"}
    inputs = {f"scan ({scan.name})": report["input_sha256"]}
    inputs |= {f"{what} ({name})": report["files"][name] for what, name in named.items()}
    warnings = tuple(report["warnings"])
    case = Case(skull, result.defect, result.confidence, origin.algorithm, {**inputs, **origin.model}, warnings)
    return deliver(case, order.design, order.delivery, order.folder, stage)


def _network(skull: Volume, options: argparse.Namespace, stage: StageLine) -> Result:
    since = time.perf_counter()
    stage("load model")
    from CranialReconstructionLib.reconstruction.catalogue import DEFAULT_MODEL, find_package
    from CranialReconstructionLib.reconstruction.devices import choose_device
    from CranialReconstructionLib.reconstruction.model_package import load_package
    from CranialReconstructionLib.reconstruction.predictor import Predictor

    device = choose_device(options.device)
    package = load_package(find_package(options.model or DEFAULT_MODEL))
    predictor = Predictor(package, device)
    loading = round(time.perf_counter() - since, 3)
    outcome = predictor.reconstruct(skull, stage)
    manifest = package.manifest
    details = {
        "model": {
            "name": manifest.name,
            "version": manifest.version,
            "licence": manifest.licence,
            "sha256": {name: entry.sha256 for name, entry in manifest.networks.items()},
        },
        "device": str(device),
        "plan": outcome.plan,
        "statistics": outcome.statistics,
    }
    seconds = {"load model": loading, **outcome.seconds}
    return Result(outcome.defect, outcome.confidence, outcome.warnings, details, seconds)


def _mirror(skull: Volume, options: argparse.Namespace, stage: StageLine) -> Result:
    import numpy as np

    from CranialReconstructionLib.reconstruction.mirror import mirror_defect

    outcome = mirror_defect(skull, lambda share, name: stage(name))
    confidence = outcome.confidence
    if confidence is None:
        confidence = outcome.defect.with_voxels(outcome.defect.voxels.astype(np.float32))
    return Result(outcome.defect, confidence, outcome.warnings, {})


def _write(folder: Path, skull: Volume, result: Result, caption: str) -> None:
    import numpy as np

    from CranialReconstructionLib.imaging.files import write_volume
    from CranialReconstructionLib.imaging.picture import draw_case

    complete = skull.with_voxels(((skull.voxels > 0) | (result.defect.voxels > 0)).astype(np.uint8))
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(draw_case, skull, result.defect, folder / "picture.png", caption),
            pool.submit(write_volume, result.confidence, folder / "confidence.nrrd"),
            pool.submit(write_volume, complete, folder / "complete.nrrd"),
            pool.submit(write_volume, result.defect, folder / "defect.nrrd"),
        ]
        for job in jobs:
            job.result()


def _caption(result: Result, found: bool) -> str:
    if not found:
        return "Nothing is missing"
    millilitres = float(result.defect.voxels.sum()) * result.defect.grid.voxel_volume / 1000.0
    return f"Missing bone: {millilitres:.1f} ml"


COMMAND = Command("Find the missing bone of a skull in a CT or a skull mask.", add_arguments, run)
