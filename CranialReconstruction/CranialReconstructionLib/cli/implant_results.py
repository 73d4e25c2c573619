"""From masks and a design to a folder with the implant: what ``implant`` and ``reconstruct`` share."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CranialReconstructionLib import __version__
from CranialReconstructionLib.cli.implant_files import write_meshes
from CranialReconstructionLib.cli.implant_options import Delivery
from CranialReconstructionLib.cli.progress import StageLine
from CranialReconstructionLib.cli.result_folder import result_folder
from CranialReconstructionLib.digest import sha256_of

if TYPE_CHECKING:
    from CranialReconstructionLib.imaging.volume import Volume
    from CranialReconstructionLib.implant.checks import Check
    from CranialReconstructionLib.implant.design import Design
    from CranialReconstructionLib.implant.export.algorithm import Algorithm
    from CranialReconstructionLib.implant.making import Implant

FAILED = 1
PAGES = ("report.html", "report.pdf")
_LIBRARIES = ("manifold3d", "numpy", "scikit-image", "scipy", "SimpleITK", "vtk")


@dataclass(frozen=True, eq=False)
class Case:
    """What an implant is made from.

    Attributes:
        skull, defect, confidence: volumes on one grid.
        algorithm: what found the defect.
        inputs: what went in (with its file's name) -> SHA256.
        warnings: of the scan, and of how it was read.
    """

    skull: Volume
    defect: Volume
    confidence: Volume | None
    algorithm: Algorithm
    inputs: Mapping[str, str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of it.

    Attributes:
        report: as report.json holds it.
        checks: of all implants.
        written: whether there are files.
    """

    report: dict[str, Any]
    checks: tuple[Check, ...]
    written: bool

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.verdict == "fail")

    def tell(self, folder: Path) -> None:
        """The checks and where the files are, on standard output."""
        _print(self.checks)
        implants = len(self.report["implants"])
        count = "1 implant" if implants == 1 else f"{implants} implants"
        where = f"Results are in {folder}." if self.written else "Nothing was written."
        failed = "no check failed" if not self.failed else f"{len(self.failed)} of {len(self.checks)} checks failed"
        print(f"{count}, {failed}. {where} Research use only.")


def previous_design(folder: Path) -> Design | None:
    """The design of the implant that the folder holds already.

    Raises:
        UserError: its design.json is none, so that it is somebody else's and not to be written over.
    """
    from CranialReconstructionLib.implant.design import read_design

    path = folder / "design.json"
    return read_design(path) if path.is_file() else None


class _WithheldError(Exception):
    """A check failed: what was begun in the output folder goes again."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


def deliver(case: Case, design: Design, delivery: Delivery, output: Path, stage: StageLine) -> Outcome:
    """Make the implants of a case, check them, and write them unless a check fails.

    Raises:
        UserError: masks that do not belong together, a design that cannot be made, a folder that cannot be written,
            a written file that does not hold the surface.
    """
    former = _former_files(output)
    try:
        # The folder is opened before the work: one that cannot be written is told at once.
        with result_folder(output) as folder:
            outcome = _results(case, design, delivery, folder, stage)
            current = {file.name for file in folder.iterdir()}
    except _WithheldError as withheld:
        return withheld.outcome
    for file in former:
        if file.name not in current:
            file.unlink(missing_ok=True)
    return outcome


def _results(case: Case, design: Design, delivery: Delivery, folder: Path, stage: StageLine) -> Outcome:
    from CranialReconstructionLib.implant.checks import check_surface
    from CranialReconstructionLib.implant.export.formats import DICOM_SEG
    from CranialReconstructionLib.implant.input_checks import check_input
    from CranialReconstructionLib.implant.making import make_host_bone, make_implants

    warnings = (*case.warnings, *check_input(case.skull, case.defect, case.confidence))
    segmentation = DICOM_SEG in delivery.formats
    if segmentation and delivery.source is not None:
        from CranialReconstructionLib.implant.export.dicom_seg import slices_under

        slices_under(case.defect.grid, delivery.source)
    implants = make_implants(case.skull, case.defect, design, case.confidence, stage)
    host = None
    if design.host_model:
        stage("host bone")
        host = make_host_bone(case.skull, case.defect, design)
        implants[0] = _with_check(implants[0], check_surface(host, " of the host bone"))
    failed = [check.name for implant in implants for check in implant.checks if check.verdict == "fail"]
    report: dict[str, Any] = {
        "cranial": __version__,
        "use": "Research use only.",
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "design": design.as_json(),
        "frame": delivery.frame,
        "forced": bool(failed) and delivery.force,
        "patient": dict(delivery.patient),
        "inputs": dict(case.inputs),
        "defect_found_by": asdict(case.algorithm),
        "versions": _versions(),
        "warnings": list(warnings),
    }
    if failed and not delivery.force:
        raise _WithheldError(_outcome({**report, "files": {}}, implants, written=False))
    stage("write")
    stamp = ("FAILED CHECKS: " + "; ".join(failed),) if failed else ()
    read_back = write_meshes(folder, implants, host, design, delivery, stamp)
    implants = [_with_check(implant, check) for implant, check in zip(implants, read_back, strict=True)]
    if segmentation:
        _write_segmentation(folder / "defect.dcm", case, design, delivery)
    (folder / "design.json").write_text(json.dumps(design.as_json(), indent=1) + "\n")
    report["files"] = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
    if delivery.report:
        stage("report")
        _write_pages(folder, case, implants, design, report)
    outcome = _outcome(report, implants, written=True)
    (folder / "report.json").write_text(json.dumps(outcome.report, indent=1) + "\n")
    return outcome


def _with_check(implant: Implant, check: Check) -> Implant:
    return replace(implant, checks=(*implant.checks, check))


def _outcome(report: dict[str, Any], implants: Sequence[Implant], written: bool) -> Outcome:
    from CranialReconstructionLib.implant.figures import figures

    checks = tuple(check for implant in implants for check in implant.checks)
    return Outcome({**report, "implants": [figures(implant) for implant in implants]}, checks, written)


def _former_files(output: Path) -> list[Path]:
    """What an earlier run left in the folder and nobody has changed since: beside a new design it would mislead."""
    if previous_design(output) is None or not (output / "report.json").is_file():
        return []
    stated = json.loads((output / "report.json").read_text()).get("files", {})
    files = [output / name for name in stated]
    unchanged = [file for file in files if file.is_file() and sha256_of(file) == stated[file.name]]
    return [*unchanged, *(output / page for page in PAGES)]


def _write_segmentation(path: Path, case: Case, design: Design, delivery: Delivery) -> None:
    from CranialReconstructionLib.implant.export.about import About
    from CranialReconstructionLib.implant.export.dicom_seg import write_dicom_seg

    if delivery.source is not None:
        about = About(design.name, design.number)
        write_dicom_seg(case.defect, path, delivery.source, about, case.algorithm)


def _write_pages(
    folder: Path, case: Case, implants: Sequence[Implant], design: Design, report: Mapping[str, Any]
) -> None:
    from CranialReconstructionLib.implant.report.contents import ReportContents
    from CranialReconstructionLib.implant.report.writing import write_report

    contents = ReportContents(
        implants=implants,
        design=design,
        skull=case.skull,
        defect=case.defect,
        frame=report["frame"],
        files=report["files"],
        inputs=case.inputs,
        versions=report["versions"],
        warnings=report["warnings"],
        forced=report["forced"],
        patient=report["patient"],
    )
    write_report(contents, folder, datetime.fromisoformat(report["made"]))


def _versions() -> dict[str, str]:
    return {"cranial": __version__, "Python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def _print(checks: Sequence[Check]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        table.add_row(check.name, check.value, check.limit, check.verdict.upper())
    # A pipe has no width of its own; the table must not lose columns in it.
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
