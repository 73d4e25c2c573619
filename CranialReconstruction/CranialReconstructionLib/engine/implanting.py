"""The implant as the worker makes it: the same delivery as the command line's, and surfaces for a 3D view."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.engine.arguments import MakeImplant
from CranialReconstructionLib.engine.worker import Report

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.export.about import Frame


def make_implant(arguments: MakeImplant, report: Report) -> Mapping[str, Any]:
    """Write the files of the implants, and what a 3D view shows of them even where the files are withheld.

    Raises:
        UserError: the masks do not fit each other, the design cannot be made, a format is unknown or needs a series,
            or a folder cannot be written.
    """
    from CranialReconstructionLib.imaging.files import read_volume
    from CranialReconstructionLib.imaging.mask import as_skull_mask
    from CranialReconstructionLib.implant.delivery.order import Case, delivery_of
    from CranialReconstructionLib.implant.delivery.origin import origin_beside
    from CranialReconstructionLib.implant.delivery.results import deliver, previous_design
    from CranialReconstructionLib.implant.delivery.surfaces import write_surfaces
    from CranialReconstructionLib.implant.design import parse_design
    from CranialReconstructionLib.implant.iterations import numbered

    design = numbered(parse_design(arguments.design), None, previous_design(arguments.folder))
    delivery = delivery_of(
        arguments.formats,
        cast("Frame", arguments.frame),
        arguments.dicom,
        arguments.patient,
        arguments.report,
        arguments.force,
    )
    report("read")
    skull, defect = as_skull_mask(read_volume(arguments.skull)), read_volume(arguments.defect)
    confidence = read_volume(arguments.confidence) if arguments.confidence else None
    origin = origin_beside(arguments.defect)
    inputs = {**_digests(arguments), **origin.model}
    case = Case(skull, defect, confidence, origin.algorithm, inputs)
    outcome = deliver(case, design, delivery, arguments.folder, report)
    report("surfaces")
    surfaces = write_surfaces(outcome.implants, arguments.surfaces or arguments.folder / "preview")
    return {
        "written": outcome.written,
        "files": outcome.files,
        "pages": outcome.pages,
        "surfaces": surfaces,
        "frame": arguments.frame,
        "design": design.as_json(),
        "implants": outcome.report["implants"],
        "warnings": outcome.report["warnings"],
    }


def _digests(arguments: MakeImplant) -> dict[str, str]:
    """SHA256 of each input, by what it is and its file's name."""
    files: dict[str, Path | None] = {
        "skull": arguments.skull,
        "defect": arguments.defect,
        "confidence": arguments.confidence,
    }
    return {f"{what} ({path.name})": sha256_of(path) for what, path in files.items() if path is not None}
