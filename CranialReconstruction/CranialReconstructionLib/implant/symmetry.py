"""How far an implant's outer surface lies from the other side of the head, laid over it by a reflection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.implant.bone_field import share_on
from CranialReconstructionLib.implant.outer_surface import PROBE, OuterSurface, crossing, sampled

# Millimetres about the outer surface in which the other side's outer table is looked for.
WINDOW = 10.0
# Millimetres within the rim where the comparison begins, and the share of the surface that must have a partner.
INSIDE, LEAST_SHARE = 1.0, 0.5


@dataclass(frozen=True)
class Symmetry:
    """Millimetres along the normal between the outer surface and the other side's outer table.

    Attributes:
        mean, high: of the distance without its sign, and its 95th percentile.
        offset: mean with its sign, positive where the implant stands out.
        share: of the surface that has a partner on the other side.
    """

    mean: float
    high: float
    offset: float
    share: float


def symmetry_of(outer: OuterSurface, skull: Volume, mirror: npt.NDArray[np.float64]) -> Symmetry | None:
    """The implant against the other side.

    Args:
        outer: the implant's outer surface.
        skull: mask of the bone that is there.
        mirror: 4x4, RAS to RAS, from a place to its partner on the other side of the head.

    Returns:
        None where too little of the surface has another side: the defect crosses the midline, or both sides miss bone.
    """
    grid = outer.grid
    share = share_on(Grid(grid.shape, mirror @ grid.ijk_to_ras), skull)
    level = np.arange(len(share), dtype=np.float32)[:, None, None] * np.float32(outer.spacing)
    within = np.abs(level - outer.height.astype(np.float32)) < WINDOW
    table, found = crossing(share, (share > 0.5) & within, outer.spacing, from_top=True)
    found &= sampled(share, table + PROBE, outer.spacing) < 0.5
    own = outer.opening < -INSIDE
    partner = own & found
    if partner.sum() < LEAST_SHARE * max(own.sum(), 1):
        return None
    steep = np.sqrt(1.0 + (outer.slope**2).sum(0))
    distance = ((outer.height - table) / steep)[partner]
    return Symmetry(
        mean=float(np.abs(distance).mean()),
        high=float(np.percentile(np.abs(distance), 95)),
        offset=float(distance.mean()),
        share=float(partner.sum() / own.sum()),
    )
