"""An implant's pieces as files for a 3D view: RAS, with what is shown in colour on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from CranialReconstructionLib.implant.delivery.files import stems_of
from CranialReconstructionLib.implant.export.about import About
from CranialReconstructionLib.implant.export.ply import write_ply
from CranialReconstructionLib.implant.making import Implant
from CranialReconstructionLib.implant.report.maps import fit_map, thickness_map


def write_surfaces(implants: Sequence[Implant], folder: Path) -> dict[str, Path]:
    """A PLY of each piece with "thickness" and "gap" at its vertices, millimetres, NaN where there is none.

    Returns:
        The files by the part's stem; a piece of several has its number in it.

    Raises:
        UserError: the folder cannot be written.
    """
    written = {}
    for stem, implant in zip(stems_of(implants), implants, strict=True):
        for number, piece in enumerate(implant.pieces, start=1):
            part = stem if len(implant.pieces) == 1 else f"{stem}-piece-{number}"
            written[part] = folder / f"{part}.ply"
            values = {"thickness": thickness_map(piece), "gap": fit_map(piece, implant.solid.bone)}
            write_ply(piece, written[part], About(part, frame="RAS"), values)
    return written
