"""From a case and a design to a folder with the implant, its design and its report, or to nothing but the reasons."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from CranialReconstructionLib import __version__
from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.imaging.result_folder import result_folder
from CranialReconstructionLib.implant.checks import Check, check_surface
from CranialReconstructionLib.implant.delivery.files import write_meshes
from CranialReconstructionLib.implant.delivery.order import Case, Delivery
from CranialReconstructionLib.implant.design import Design, read_design
from CranialReconstructionLib.implant.export.about import About
from CranialReconstructionLib.implant.export.formats import DICOM_SEG
from CranialReconstructionLib.implant.figures import figures
from CranialReconstructionLib.implant.making import Implant, make_host_bone, make_implants

Report = Callable[[str], None]

PAGES = ("report.html", "report.pdf")
SEGMENTATION = "defect"
_LIBRARIES = ("manifold3d", "numpy", "scikit-image", "scipy", "SimpleITK", "vtk")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of it.

    Attributes:
        report: as report.json holds it.
        implants: with all their checks, the largest first.
        written: whether there are files.
        files: those of each part, by its stem.
        pages: of the report.
    """

    report: dict[str, Any]
    implants: tuple[Implant, ...]
    written: bool
    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    pages: tuple[Path, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """Those of all implants."""
        return tuple(check for implant in self.implants for check in implant.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.verdict == "fail")


def previous_design(folder: Path) -> Design | None:
    """The design of the implant that the folder holds already.

    Raises:
        UserError: its design.json is none, so that it is somebody else's and not to be written over.
    """
    path = folder / "design.json"
    return read_design(path) if path.is_file() else None


class _WithheldError(Exception):
    """A check failed: what was begun in the output folder goes again."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


def deliver(case: Case, design: Design, delivery: Delivery, output: Path, report: Report) -> Outcome:
    """Make the implants of a case, check them, and write them unless a check fails.

    Args:
        output: gets the meshes, ``design.json``, ``report.json`` and the report's pages, all or nothing.
        report: called with what is under way.

    Raises:
        UserError: masks that do not belong together, a design that cannot be made, a folder that cannot be written,
            a written file that does not hold the surface.
    """
    former = _former_files(output)
    try:
        # The folder is opened before the work: one that cannot be written is told at once.
        with result_folder(output) as folder:
            outcome = _results(case, design, delivery, folder, report)
            current = {file.name for file in folder.iterdir()}
    except _WithheldError as withheld:
        return withheld.outcome
    for file in former:
        if file.name not in current:
            file.unlink(missing_ok=True)
    files = {stem: [output / path.name for path in paths] for stem, paths in outcome.files.items()}
    return replace(outcome, files=files, pages=tuple(output / page.name for page in outcome.pages))


def _results(case: Case, design: Design, delivery: Delivery, folder: Path, report: Report) -> Outcome:
    source = delivery.source if DICOM_SEG in delivery.formats else None
    if source is not None:
        from CranialReconstructionLib.implant.export.dicom_seg import slices_under

        slices_under(case.defect.grid, source)
    implants, warnings = make_implants(case.skull, case.defect, design, case.confidence, report)
    host = None
    if design.host_model:
        report("host bone")
        host = make_host_bone(case.skull, case.defect, design)
        implants[0] = _with_check(implants[0], check_surface(host, " of the host bone"))
    failed = [check.name for implant in implants for check in implant.checks if check.verdict == "fail"]
    content: dict[str, Any] = {
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
        "warnings": [*case.warnings, *delivery.warnings, *warnings],
    }
    if failed and not delivery.force:
        raise _WithheldError(Outcome({**content, "files": {}, **_figures(implants)}, tuple(implants), written=False))
    report("write")
    stamp = ("FAILED CHECKS: " + "; ".join(failed),) if failed else ()
    names, read_back = write_meshes(folder, implants, host, design, delivery, stamp)
    implants = [_with_check(implant, check) for implant, check in zip(implants, read_back, strict=True)]
    if source is not None:
        from CranialReconstructionLib.implant.export.dicom_seg import write_dicom_seg

        names[SEGMENTATION] = [f"{SEGMENTATION}.dcm"]
        about = About(design.name, design.number)
        write_dicom_seg(case.defect, folder / names[SEGMENTATION][0], source, about, case.algorithm)
    (folder / "design.json").write_text(json.dumps(design.as_json(), indent=1) + "\n")
    content["files"] = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
    if delivery.report:
        report("report")
        _write_pages(folder, case, implants, design, content)
    content |= _figures(implants)
    (folder / "report.json").write_text(json.dumps(content, indent=1) + "\n")
    files = {stem: [folder / name for name in names] for stem, names in names.items()}
    pages = tuple(folder / page for page in PAGES) if delivery.report else ()
    return Outcome(content, tuple(implants), written=True, files=files, pages=pages)


def _with_check(implant: Implant, check: Check) -> Implant:
    return replace(implant, checks=(*implant.checks, check))


def _figures(implants: Sequence[Implant]) -> dict[str, Any]:
    return {"implants": [figures(implant) for implant in implants]}


def _former_files(output: Path) -> list[Path]:
    """What an earlier run left in the folder and nobody has changed since: beside a new design it would mislead."""
    if previous_design(output) is None or not (output / "report.json").is_file():
        return []
    stated = json.loads((output / "report.json").read_text()).get("files", {})
    files = [output / name for name in stated]
    unchanged = [file for file in files if file.is_file() and sha256_of(file) == stated[file.name]]
    return [*unchanged, *(output / page for page in PAGES)]


def _write_pages(
    folder: Path, case: Case, implants: Sequence[Implant], design: Design, content: Mapping[str, Any]
) -> None:
    from CranialReconstructionLib.implant.report.contents import ReportContents
    from CranialReconstructionLib.implant.report.writing import write_report

    contents = ReportContents(
        implants=implants,
        design=design,
        skull=case.skull,
        defect=case.defect,
        frame=content["frame"],
        files=content["files"],
        inputs=case.inputs,
        versions=content["versions"],
        warnings=content["warnings"],
        forced=content["forced"],
        patient=content["patient"],
    )
    write_report(contents, folder, datetime.fromisoformat(content["made"]))


def _versions() -> dict[str, str]:
    return {"cranial": __version__, "Python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}
