"""The mirror method: the missing bone is the other side's, reflected.

What designers do by hand, and the baseline for everything learned: find the symmetry plane, reflect
the skull, register the reflection, subtract the skull, clean. It cannot restore what is missing on
both sides, above all where a defect crosses the midline, and says so. Constants are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import VAULT_HALF_AXES, HeadPlacement, place_head
from CranialReconstructionLib.imaging.orientation import along_patient
from CranialReconstructionLib.imaging.pooling import pooled
from CranialReconstructionLib.imaging.symmetry import (
    HeadSurface,
    Reflection,
    find_reflection,
    refine_near,
)
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.reconstruction.shell import (
    Points,
    occupancy_at,
    outermost,
    ray_directions,
    ray_radii,
)
from CranialReconstructionLib.reconstruction.subtraction import subtract

Progress = Callable[[float, str], None]

COARSE_SPACING = 2.1
# Rays about 2 mm apart on an adult's vault, down to the orbits' rims and the temporal squama.
RAY_GAP = 0.024
LOWEST_RAY = -0.25
# Below this, bone may lack on both sides of a whole skull too: the orbits open there.
LOWEST_WHOLE = 0.1
# A ray lacks bone when none lies this far inside or outside the reflected outer surface, mm.
INSIDE, OUTSIDE = 14.0, 8.0
SOME_BONE = 0.3
# Rays of one hole lie no farther apart than this on the surface, mm.
HOLE_GAP = 5.0
SMALLEST_OPENING = 60.0  # mm2
# How far about a hole the two sides are made to agree, standard deviation in mm.
FIT_REACH = 20.0
# What makes a warning: vault that lacks bone on both sides, mm2; a defect this near the plane, mm;
# two sides this unlike, mm.
BOTH_MISSING = 300.0
MIDLINE = 3.0
UNLIKE = 2.5


@dataclass(frozen=True, eq=False)
class MirrorResult:
    """What the mirror method found.

    Attributes:
        defect: missing bone, uint8 0 or 1, on the skull's own grid.
        confidence: chance, 0 to 1, float32 on the same grid, that a voxel is missing bone if the
            reflection is off by a normal error as large as the residual of its registration.
        plane_point: a point of the symmetry plane, RAS mm (3,).
        plane_normal: its unit normal (3,), towards the patient's right (+R), RAS.
        residual: robust standard deviation of the reflected from the skull's surface near the hole, mm.
        warnings: what the user should know, full sentences.
    """

    defect: Volume
    confidence: Volume
    plane_point: Points
    plane_normal: Points
    residual: float
    warnings: tuple[str, ...]


def mirror_defect(skull: Volume, progress: Progress | None = None) -> MirrorResult:
    """The missing bone of ``skull`` (K, J, I; bone above zero), from its other side.

    Args:
        skull: a mask on any grid, the head upright within about 25 degrees of the RAS axes.
        progress: is told the share done, 0 to 1, and the stage.

    Raises:
        UserError: the mask is empty or holds nothing like a head.
    """
    tell = progress if progress is not None else _silent
    tell(0.0, "finding the head")
    axes = along_patient(skull.grid)
    given, skull = skull, axes.applied(skull)
    place = place_head(skull)
    coarse = pooled(skull, COARSE_SPACING)
    try:
        surface = HeadSurface.of(coarse, place.centre, place.scale)
    except ValueError as error:
        raise UserError(
            "no head was found in the mask",
            where=skull.name,
            remedy="Give a mask of the whole skull, in millimetres, with its orientation.",
        ) from error
    tell(0.1, "finding the symmetry plane")
    reflection = find_reflection(surface)
    tell(0.5, "registering the reflection")
    vault = _compared(coarse, reflection, place)
    if len(vault.missing):
        reflection = refine_near(surface, reflection, vault.missing, FIT_REACH)
        vault = _compared(coarse, reflection, place)
    defect = np.zeros(skull.voxels.shape, dtype=np.uint8)
    confidence = np.zeros(skull.voxels.shape, dtype=np.float32)
    holes = vault.holes()
    for number, hole in enumerate(holes):
        tell(0.6 + 0.4 * number / len(holes), "subtracting the skull")
        window, missing, chance = subtract(skull, reflection, hole, place.centre)
        defect[window] |= missing
        confidence[window] = np.maximum(confidence[window], chance)
    result = skull.with_voxels(defect)
    tell(1.0, "done")
    return MirrorResult(
        given.with_voxels(axes.undone(defect)),
        given.with_voxels(axes.undone(confidence)),
        reflection.plane_point,
        reflection.plane_normal,
        reflection.residual,
        _warnings(result, reflection, vault),
    )


@dataclass(frozen=True, eq=False)
class _Vault:
    """The wall of the skull beside that of its reflection, ray by ray from the vault's centre.

    Attributes:
        missing: places on the reflection's outer surface (N, 3) where the skull lacks bone, RAS mm.
        cell: area of the surface that a ray stands for, mm2.
        bare: area where neither has bone, mm2.
    """

    missing: Points
    cell: float
    bare: float

    def holes(self) -> list[Points]:
        """The missing places, hole by hole, without what is too small to be one."""
        if len(self.missing) == 0:
            return []
        near = cKDTree(self.missing).sparse_distance_matrix(cKDTree(self.missing), HOLE_GAP)
        count, labels = connected_components(near, directed=False)
        holes = [self.missing[labels == label] for label in range(count)]
        return [hole for hole in holes if len(hole) * self.cell >= SMALLEST_OPENING]


def _compared(bone: Volume, reflection: Reflection, place: HeadPlacement) -> _Vault:
    directions = ray_directions(RAY_GAP, LOWEST_RAY)
    radii = ray_radii(place.scale)
    places = place.centre + radii[None, :, None] * directions[:, None, :]
    own = occupancy_at(bone, places)
    other = occupancy_at(bone, reflection.origin(places))
    outer = outermost(other, radii)
    depth = outer[:, None] - radii
    # Comparisons with nan are false: a ray without a reflected wall has no bone "beside" it.
    beside = (depth < INSIDE) & (depth > -OUTSIDE) & (own > SOME_BONE)
    lacking = np.isfinite(outer) & ~beside.any(axis=1)
    bare = (directions[:, 2] > LOWEST_WHOLE) & ~(own > SOME_BONE).any(axis=1) & np.isnan(outer)
    cell = (RAY_GAP * VAULT_HALF_AXES.mean() * place.scale) ** 2
    missing = place.centre + outer[lacking, None] * directions[lacking]
    return _Vault(missing, cell, float(bare.sum() * cell))


def _warnings(defect: Volume, reflection: Reflection, vault: _Vault) -> tuple[str, ...]:
    found: list[str] = []
    open_area = sum(len(hole) for hole in vault.holes()) * vault.cell
    if open_area and not defect.voxels.any():
        found.append(
            f"The vault is open over about {open_area / 100.0:.0f} cm2, but the other side's bone does not fill it."
        )
    if vault.bare > BOTH_MISSING:
        found.append(
            f"Over about {vault.bare / 100.0:.0f} cm2 of the vault bone is missing on both sides of the "
            "midline (a defect that crosses it, or a scan that ends there): a mirror cannot restore it."
        )
    elif (kji := np.argwhere(defect.voxels)).size:
        away = (defect.grid.ras_of(kji[:, ::-1]) - reflection.plane_point) @ reflection.plane_normal
        if away.min() < MIDLINE and away.max() > -MIDLINE:
            found.append("The defect reaches the midline: a mirror cannot restore what lies beyond it.")
    if reflection.residual > UNLIKE:
        found.append(
            f"The two sides differ by {reflection.residual:.1f} mm (standard deviation): "
            "the reflected bone may not fit."
        )
    return tuple(found)


def _silent(share: float, stage: str) -> None:
    """Progress that nobody asked for."""
