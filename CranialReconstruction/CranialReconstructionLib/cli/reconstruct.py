"""``cranial reconstruct``: a CT or a skull mask in, the missing bone out."""

from __future__ import annotations

import argparse
import hashlib
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
from CranialReconstructionLib.cli.progress import StageLine
from CranialReconstructionLib.cli.result_folder import result_folder

if TYPE_CHECKING:
    from CranialReconstructionLib.imaging.volume import Volume

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
    parser.add_argument("--method", choices=("network", "mirror"), default="network")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--threshold", type=float, metavar="HU", help="bone threshold, for a CT")
    parser.add_argument("--json", action="store_true", help="print report.json on standard output")


def run(options: argparse.Namespace) -> int:
    """Reconstruct, write ``defect.nrrd``, ``confidence.nrrd``, ``complete.nrrd``, ``picture.png``,
    ``report.json``, and say what was found."""
    started = time.perf_counter()
    stage = StageLine()
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        stage(name)
        since = time.perf_counter()
        outcome = work()
        seconds[name] = round(time.perf_counter() - since, 3)
        return outcome

    with result_folder(options.output) as folder:
        skull, input_warnings = timed("read", lambda: _read_skull(options))
        method = _network if options.method == "network" else _mirror
        result: Result = timed("reconstruct", lambda: method(skull, options, stage))
        found = bool(result.defect.voxels.any())
        warnings = (*input_warnings, *result.warnings)
        timed("write", lambda: _write(folder, skull, result, _caption(result, found)))
        report = {
            "cranial": __version__,
            "use": "Research use only.",
            "input": str(options.input),
            "input_sha256": _sha256(options.input),
            "method": options.method,
            **result.details,
            "defect_found": found,
            "defect_ml": round(float(result.defect.voxels.sum()) * skull.grid.voxel_volume / 1000.0, 3),
            "warnings": list(warnings),
            "seconds": {**seconds, **result.seconds, "total": round(time.perf_counter() - started, 3)},
        }
        text = json.dumps(report, indent=1)
        (folder / "report.json").write_text(text + "\n")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if options.json:
        print(text)
    elif found:
        print(f"Missing bone: {report['defect_ml']:.1f} ml. Results are in {options.output}.")
    else:
        print(f"Nothing is missing: the defect is empty. Results are in {options.output}.")
    return 0


def _read_skull(options: argparse.Namespace) -> tuple[Volume, tuple[str, ...]]:
    from CranialReconstructionLib.cli.read_input import read_input
    from CranialReconstructionLib.imaging.mask import as_skull_mask, looks_like_ct
    from CranialReconstructionLib.imaging.skull import segment_skull

    volume, warnings = read_input(options.input)
    if options.threshold is None and not looks_like_ct(volume):
        return as_skull_mask(volume), warnings
    segmentation = segment_skull(volume, options.threshold)
    return as_skull_mask(segmentation.skull), (*warnings, *segmentation.warnings)


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
        "model": {"name": manifest.name, "version": manifest.version, "licence": manifest.licence},
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


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


COMMAND = Command("Find the missing bone of a skull in a CT or a skull mask.", add_arguments, run)
