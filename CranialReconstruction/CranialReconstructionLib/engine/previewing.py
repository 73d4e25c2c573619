"""Previews of an implant: the worker keeps what it needs of the files last asked about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from CranialReconstructionLib.engine.arguments import PreviewImplant
from CranialReconstructionLib.engine.worker import Report

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.preview import Previews

_Key = tuple[object, ...]


class Previewing:
    """The operation ``preview_implant``."""

    def __init__(self) -> None:
        self._previews: Previews | None = None
        self._key: _Key = ()

    def preview(self, arguments: PreviewImplant, report: Report) -> Mapping[str, Any]:
        """Write ``preview-1.ply`` and so on, with "thickness" (mm) at their vertices.

        Raises:
            UserError: the masks do not fit each other, or no implant of this design can be built or inserted.
        """
        from CranialReconstructionLib.implant.design import parse_design
        from CranialReconstructionLib.implant.export.about import About
        from CranialReconstructionLib.implant.export.ply import write_ply

        started = perf_counter()
        design = parse_design(arguments.design)
        found = self._ready(arguments, report).of(design, report)
        report("write")
        surfaces = []
        for number, preview in enumerate(found, start=1):
            surfaces.append(arguments.folder / f"preview-{number}.ply")
            about = About(design.name, design.number, "RAS", ("PREVIEW, NOT TO BE PRINTED",))
            write_ply(preview.mesh, surfaces[-1], about, {"thickness": preview.thickness})
        return {
            "surfaces": surfaces,
            "axis": found[0].axis,
            "centre": found[0].centre,
            "undercut_ml": sum(preview.undercut for preview in found),
            "collision_ml": sum(preview.collision for preview in found),
            "volume_ml": sum(preview.volume for preview in found),
            "thinnest_mm": min(preview.thinnest for preview in found),
            "holes_left_out": sum(preview.holes_left_out for preview in found),
            "seconds": perf_counter() - started,
        }

    def _ready(self, arguments: PreviewImplant, report: Report) -> Previews:
        """What is kept if it is of these very files, else new in its place."""
        from CranialReconstructionLib.imaging.files import read_volume
        from CranialReconstructionLib.imaging.mask import as_skull_mask
        from CranialReconstructionLib.implant.preview import Previews

        files = (arguments.skull, arguments.defect, arguments.confidence)
        key: _Key = (arguments.spacing, *(_state(file) for file in files))
        if self._previews is None or self._key != key:
            self._previews = None
            report("read")
            skull, defect = as_skull_mask(read_volume(arguments.skull)), read_volume(arguments.defect)
            confidence = read_volume(arguments.confidence) if arguments.confidence else None
            self._previews = Previews(skull, defect, confidence, arguments.spacing, report)
            self._key = key
        return self._previews


def _state(file: Path | None) -> object:
    """What changes when the file does; a missing one is told of when it is read."""
    if file is None or not file.exists():
        return file
    status = file.stat()
    return file, status.st_mtime_ns, status.st_size
