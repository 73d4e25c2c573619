"""Wavefront OBJ."""

from __future__ import annotations

from pathlib import Path

from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.implant.export.about import About, Pieces, ascii_of, names_of, pieces_of, to_frame


def write_obj(pieces: Pieces, path: Path, about: About) -> None:
    """Write OBJ: millimetres with six decimals in ``about.frame``, an object a piece, notices as comments.

    Raises:
        UserError: nothing to write, or no right or space to write it.
    """
    meshes = pieces_of(pieces)
    text = [f"# {ascii_of(line)}\n" for line in about.lines]
    start = 1
    for mesh, name in zip(meshes, names_of(meshes, about), strict=True):
        vertices = to_frame(mesh.vertices, about.frame)
        text.append(f"o {ascii_of(name)}\n")
        text.append(("v %.6f %.6f %.6f\n" * len(vertices)) % tuple(vertices.ravel().tolist()))
        text.append(("f %d %d %d\n" * len(mesh.triangles)) % tuple((mesh.triangles + start).ravel().tolist()))
        start += len(vertices)
    with whole_file(path) as part:
        part.write_text("".join(text), encoding="ascii", newline="\n")
