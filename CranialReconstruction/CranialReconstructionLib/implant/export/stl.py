"""Binary STL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.implant.export.about import About, Pieces, ascii_of, joined, to_frame
from CranialReconstructionLib.implant.mesh import Mesh

HEADER_BYTES = 80
FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def write_stl(pieces: Pieces, path: Path, about: About) -> None:
    """Write binary STL: float32 millimetres in ``about.frame``, all pieces in one solid.

    The header begins with ``SPACE=LPS`` or ``SPACE=RAS``, which Slicer finds again; what does not fit
    into its 80 bytes is cut off. It never begins with "solid", the mark of the ASCII kind.

    Raises:
        UserError: nothing to write, or no right or space to write it.
    """
    content = stl_bytes(joined(pieces), about)
    with whole_file(path) as part:
        part.write_bytes(content)


def stl_bytes(mesh: Mesh, about: About) -> bytes:
    """The content of the binary STL file."""
    facets: npt.NDArray[np.void] = np.zeros(len(mesh.triangles), dtype=FACET)
    facets["normal"] = to_frame(mesh.normals, about.frame)
    facets["corners"] = to_frame(mesh.vertices, about.frame)[mesh.triangles]
    header = ascii_of("; ".join(about.lines)).encode("ascii")[:HEADER_BYTES]
    return header.ljust(HEADER_BYTES, b" ") + len(facets).to_bytes(4, "little") + facets.tobytes()
