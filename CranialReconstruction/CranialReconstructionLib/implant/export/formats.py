"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.export.about import About, Pieces
from CranialReconstructionLib.implant.export.gltf import write_glb
from CranialReconstructionLib.implant.export.obj import write_obj
from CranialReconstructionLib.implant.export.ply import write_ply
from CranialReconstructionLib.implant.export.stl import write_stl
from CranialReconstructionLib.implant.export.three_mf import write_three_mf

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.export.dicom_source import DicomSource

# The name of a format is its file suffix without the dot.
WRITERS: Mapping[str, Callable[[Pieces, Path, About], None]] = {
    "stl": write_stl,
    "ply": write_ply,
    "obj": write_obj,
    "3mf": write_three_mf,
    "glb": write_glb,
}
DICOM_SUFFIX = "dcm"
# An Encapsulated STL of each mesh, and a segmentation of the missing bone.
DICOM_STL, DICOM_SEG = "dicom-stl", "dicom-seg"
FORMATS = (*WRITERS, DICOM_STL, DICOM_SEG)


def parse_formats(text: str) -> tuple[str, ...]:
    """The formats in ``text``, as in ``stl,3mf``: known ones, each once.

    Raises:
        UserError: an unknown format, or none.
    """
    names = tuple(dict.fromkeys(word.strip().lower().lstrip(".") for word in text.split(",") if word.strip()))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise UserError(
            f"format {unknown[0]!r} is unknown" if unknown else "no format is named",
            where="format",
            remedy=f"Choose from {', '.join(FORMATS)}, separated by commas.",
        )
    return names


def write_mesh(pieces: Pieces, path: Path, about: About, source: DicomSource | None = None) -> None:
    """Write one mesh or several pieces in the format of the file's suffix; ``.dcm`` is an Encapsulated STL.

    Args:
        source: the series whose patient and study a DICOM file joins.

    Raises:
        UserError: unknown suffix, nothing to write, or no right or space to write it.
    """
    name = path.suffix.lower().lstrip(".")
    if name == DICOM_SUFFIX:
        # Its libraries take long to load.
        from CranialReconstructionLib.implant.export.dicom_stl import write_dicom_stl

        write_dicom_stl(pieces, path, about, source)
        return
    if name not in WRITERS:
        raise UserError(
            "the mesh format is not known by the file's name",
            where=str(path),
            remedy=f"Use one of {', '.join('.' + known for known in (*WRITERS, DICOM_SUFFIX))}.",
        )
    WRITERS[name](pieces, path, about)
