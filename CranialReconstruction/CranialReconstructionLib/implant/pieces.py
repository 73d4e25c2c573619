"""An implant in several pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manifold3d import Manifold

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.booleans import clean_mesh_of, solid_of
from CranialReconstructionLib.implant.design import CutPlane
from CranialReconstructionLib.implant.mesh import Mesh

SCRAP = 1.0  # pieces below this volume are not worth printing, cubic millimetres


def split(mesh: Mesh, cuts: Sequence[CutPlane]) -> list[Mesh]:
    """The implant cut by each plane, half of the cut's gap gone on either side.

    Returns:
        Connected pieces, the largest first.

    Raises:
        UserError: a plane misses the implant.
    """
    parts = [solid_of(mesh)]
    for number, cut in enumerate(cuts, start=1):
        halves = [half for part in parts for half in _halves(part, cut)]
        sides = np.array([_side(half, cut) for half in halves])
        if (sides > 0.0).all() or (sides < 0.0).all():
            raise UserError(
                "the plane misses the implant", where=f"cut {number}", remedy="Move the plane, or remove the cut."
            )
        parts = halves
    pieces = [piece for part in parts for piece in part.decompose() if piece.volume() >= SCRAP]
    return [clean_mesh_of(piece) for piece in sorted(pieces, key=lambda piece: -piece.volume())]


def _halves(part: Manifold, cut: CutPlane) -> list[Manifold]:
    normal = np.array(cut.normal) / np.linalg.norm(cut.normal)
    offset = float(normal @ np.array(cut.at))
    above = part.trim_by_plane(tuple(normal), offset + 0.5 * cut.gap)
    below = part.trim_by_plane(tuple(-normal), 0.5 * cut.gap - offset)
    return [half for half in (above, below) if not half.is_empty()]


def _side(part: Manifold, cut: CutPlane) -> float:
    """On which side of the plane the middle of the part's box lies, roughly: the sign of this."""
    low_high = np.array(part.bounding_box()).reshape(2, 3)
    corners = np.stack(np.meshgrid(*low_high.T), axis=-1).reshape(-1, 3)
    return float(((corners - np.array(cut.at)) @ np.array(cut.normal)).mean())
