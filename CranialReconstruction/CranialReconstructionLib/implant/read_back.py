"""A written mesh file is read again before anybody gets it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from CranialReconstructionLib.implant.checks import Check
from CranialReconstructionLib.implant.export.about import joined
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_file import read_mesh
from CranialReconstructionLib.implant.mesh_quality import is_two_manifold

# Shares of the volume, and millimetres of the box around it, by which single precision may change a surface.
VOLUME, PLACE = 1e-4, 1e-3


def check_file(path: Path, pieces: Sequence[Mesh]) -> Check:
    """Whether the file holds the surface that was written: triangles, volume, place, and no edge torn open.

    Args:
        path: STL, PLY or OBJ.
        pieces: what was written to it.

    Raises:
        UserError: it cannot be read.
    """
    made, found = joined(pieces), read_mesh(path)
    torn = is_two_manifold(made) and not is_two_manifold(found)
    same = (
        len(found.triangles) == len(made.triangles)
        and abs(found.volume - made.volume) <= VOLUME * abs(made.volume)
        and np.allclose(_box(found), _box(made), rtol=0.0, atol=PLACE)
        and not torn
    )
    value = f"{path.name}: {len(found.triangles):,} triangles, {found.volume / 1000.0:.3f} ml"
    limit = f"{len(made.triangles):,} triangles, {made.volume / 1000.0:.3f} ml, in place and as closed as made"
    return Check("file read back", value + (", torn open" if torn else ""), limit, "pass" if same else "fail")


def _box(mesh: Mesh) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Lowest and highest corner (2, 3) of the triangles, RAS millimetres."""
    corners = mesh.corners.reshape(-1, 3)
    return np.stack((corners.min(axis=0), corners.max(axis=0)))
