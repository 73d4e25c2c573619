"""Step 5: the implant of a missing bone, at reduced detail while its design changes, and whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CranialReconstructionLib.engine.arguments import MakeImplant, PreviewImplant
from CranialReconstructionLib.implant.design import Design, Vector
from CranialReconstructionLib.scene.checks import checks_table
from CranialReconstructionLib.scene.surfaces import show_surface
from CranialReconstructionLib.workflow.segment import NodeFiles, Segment
from CranialReconstructionLib.workflow.tasks import Task, Tasks

PREVIEW_COLOUR = (0.45, 0.75, 0.95)
IMPLANT_COLOUR = (0.95, 0.85, 0.45)


@dataclass(frozen=True, eq=False)
class Ground:
    """What an implant is made of.

    Attributes:
        skull, defect: segments on one grid.
        confidence: volume node of it, for a surface below the voxel size; or None.
    """

    skull: Segment
    defect: Segment
    confidence: Any = None


@dataclass(frozen=True, eq=False)
class Preview:
    """An implant at reduced detail.

    Attributes:
        model: its surface; of several implants all.
        axis, centre: the way in of the largest, and a place on it (RAS).
        undercut_ml, collision_ml, volume_ml, thinnest_mm: what it would measure.
    """

    model: Any
    axis: Vector
    centre: Vector
    undercut_ml: float
    collision_ml: float
    volume_ml: float
    thinnest_mm: float | None


@dataclass(frozen=True, eq=False)
class MadeImplant:
    """An implant in full detail, in the scene and, where it was asked for, as files.

    Attributes:
        models: a surface of each part.
        checks: table node of its checks.
        failed: the names of those that failed.
        written: whether there are files; they are withheld where a check failed.
        files, pages: what was written.
        warnings: of the input.
        number: of the design; it counts up where a folder holds an earlier one.
    """

    models: tuple[Any, ...]
    checks: Any
    failed: tuple[str, ...]
    written: bool
    files: tuple[Path, ...]
    pages: tuple[Path, ...]
    warnings: tuple[str, ...]
    number: int


@dataclass(frozen=True)
class Delivery:
    """Which files are written, and where.

    Attributes:
        folder: gets them.
        formats: of the command line's.
        frame: "LPS" or "RAS".
        force: write even if a check fails.
        report: also a page and a PDF.
        source: folder of the source series, for DICOM.
        patient: name the patient in the report.
    """

    folder: Path
    formats: tuple[str, ...] = ("stl",)
    frame: str = "LPS"
    force: bool = False
    report: bool = True
    source: Path | None = None
    patient: bool = False


def preview(
    tasks: Tasks, files: NodeFiles, case: Any, ground: Ground, design: Design, model: Any = None
) -> Task[Preview]:
    """Show the implant at reduced detail; ``model`` is the one to show it in."""
    arguments = PreviewImplant(
        skull=files.path_of(ground.skull),
        defect=files.path_of(ground.defect),
        folder=tasks.new_folder(),
        design=design.as_json(),
        confidence=files.path_of_volume(ground.confidence),
    )

    def finish(result: Mapping[str, Any]) -> Preview:
        name = f"{design.name} preview"
        shown = show_surface(case, [Path(file) for file in result["surfaces"]], name, model, PREVIEW_COLOUR)
        figures = (result[key] for key in ("undercut_ml", "collision_ml", "volume_ml", "thinnest_mm"))
        return Preview(shown, tuple(result["axis"]), tuple(result["centre"]), *figures)

    return tasks.begin("Preview of the implant", arguments, finish)


def make(
    tasks: Tasks, files: NodeFiles, case: Any, ground: Ground, design: Design, delivery: Delivery | None = None
) -> Task[MadeImplant]:
    """Make the implant, check it, show it, and write it where ``delivery`` says."""
    folder = tasks.new_folder()
    wanted = delivery or Delivery(folder / "files", ("ply",), "RAS", force=True, report=False)
    arguments = MakeImplant(
        skull=files.path_of(ground.skull),
        defect=files.path_of(ground.defect),
        folder=wanted.folder,
        design=design.as_json(),
        confidence=files.path_of_volume(ground.confidence),
        formats=wanted.formats,
        frame=wanted.frame,
        force=wanted.force,
        report=wanted.report,
        dicom=wanted.source,
        patient=wanted.patient,
        surfaces=folder / "surfaces",
    )

    def finish(result: Mapping[str, Any]) -> MadeImplant:
        number = int(result["design"]["number"])
        label = f"{design.name} {number}"
        models = tuple(
            show_surface(case, Path(path), f"{label} {part}", None, IMPLANT_COLOUR)
            for part, path in result["surfaces"].items()
        )
        checks = [check for implant in result["implants"] for check in implant["checks"]]
        return MadeImplant(
            models,
            checks_table(case, f"{label} checks", checks),
            tuple(check["name"] for check in checks if check["verdict"] == "fail"),
            result["written"] and delivery is not None,
            tuple(Path(path) for paths in result["files"].values() for path in paths),
            tuple(Path(path) for path in result["pages"]),
            tuple(result["warnings"]),
            number,
        )

    return tasks.begin("Make the implant", arguments, finish)
