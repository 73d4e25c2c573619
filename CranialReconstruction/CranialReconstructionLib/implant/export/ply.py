"""Binary PLY."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.implant.export.about import About, Pieces, ascii_of, joined, to_frame

_FACE = np.dtype([("count", "u1"), ("indices", "<i4", 3)])


def write_ply(
    pieces: Pieces, path: Path, about: About, values: Mapping[str, npt.NDArray[np.floating]] | None = None
) -> None:
    """Write little-endian PLY: float32 millimetres in ``about.frame``, all pieces together, notices as comments.

    Args:
        values: further properties (V,) of the vertices of all pieces, by name, as float32.

    Raises:
        UserError: nothing to write, or no right or space to write it.
    """
    mesh = joined(pieces)
    faces: npt.NDArray[np.void] = np.zeros(len(mesh.triangles), dtype=_FACE)
    faces["count"] = 3
    faces["indices"] = mesh.triangles
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {ascii_of(line)}" for line in about.lines),
        f"element vertex {len(mesh.vertices)}",
        *(f"property float {name}" for name in ("x", "y", "z", *(values or {}))),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    columns = [to_frame(mesh.vertices, about.frame), *(values or {}).values()]
    vertices = np.column_stack(columns).astype("<f4")
    with whole_file(path) as part:
        part.write_bytes("\n".join(header).encode("ascii") + vertices.tobytes() + faces.tobytes())
