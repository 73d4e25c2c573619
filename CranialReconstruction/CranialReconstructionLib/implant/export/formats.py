"""The mesh formats by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.export.about import About, Pieces
from CranialReconstructionLib.implant.export.dicom_stl import write_dicom_stl
from CranialReconstructionLib.implant.export.gltf import write_glb
from CranialReconstructionLib.implant.export.obj import write_obj
from CranialReconstructionLib.implant.export.ply import write_ply
from CranialReconstructionLib.implant.export.stl import write_stl
from CranialReconstructionLib.implant.export.three_mf import write_three_mf

# The name of a format is its file suffix without the dot.
WRITERS: Mapping[str, Callable[[Pieces, Path, About], None]] = {
    "stl": write_stl,
    "ply": write_ply,
    "obj": write_obj,
    "3mf": write_three_mf,
    "glb": write_glb,
    "dcm": write_dicom_stl,
}


def parse_formats(text: str) -> tuple[str, ...]:
    """The formats in ``text``, as in ``stl,3mf``: known ones, each once.

    Raises:
        UserError: an unknown format, or none.
    """
    names = tuple(dict.fromkeys(word.strip().lower().lstrip(".") for word in text.split(",") if word.strip()))
    unknown = [name for name in names if name not in WRITERS]
    if unknown or not names:
        raise UserError(
            f"format {unknown[0]!r} is unknown" if unknown else "no format is named",
            where="--format",
            remedy=f"Choose from {', '.join(WRITERS)}, separated by commas.",
        )
    return names


def write_mesh(pieces: Pieces, path: Path, about: About) -> None:
    """Write one mesh or several pieces in the format of the file's suffix.

    Raises:
        UserError: unknown suffix, nothing to write, or no right or space to write it.
    """
    name = path.suffix.lower().lstrip(".")
    if name not in WRITERS:
        raise UserError(
            "the mesh format is not known by the file's name",
            where=str(path),
            remedy=f"Use one of {', '.join('.' + known for known in WRITERS)}.",
        )
    WRITERS[name](pieces, path, about)
