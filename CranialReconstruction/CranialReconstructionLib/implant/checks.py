"""What an implant must satisfy before it is written, each with its value, its limit and a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.implant.design import Design, Vector
from CranialReconstructionLib.implant.gap import TOLERANCE
from CranialReconstructionLib.implant.hole_walls import thinnest_beside
from CranialReconstructionLib.implant.holes import Drilling
from CranialReconstructionLib.implant.insertion import least_above
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_quality import Quality, examine
from CranialReconstructionLib.implant.mould import Mould
from CranialReconstructionLib.implant.sharp_rim import SHARP, sharp_rim
from CranialReconstructionLib.implant.solid import Solid
from CranialReconstructionLib.implant.symmetry import Symmetry

Verdict = Literal["pass", "warn", "fail"]

# Shares of the rim's walls that must keep the gap: below the second it fails.
GAP_KEPT = 0.99, 0.9
# Millimetres of step at the rim, at its 95th percentile: above, a warning and a failure.
STEP = 0.5, 1.5
# Millilitres that may still meet bone on the way in.
COLLISION = 0.005, 0.05
# Share of the body that the way in may cost.
UNDERCUT = 0.02, 0.15
# Longest side, millimetres, of what devices of this kind have been.
EXTENT = 250.0
# Share of the minimum wall below which a wall fails; above, it warns.
WALL_KEPT = 0.9
# Share of the rim with a sharp edge.
SHARP_SHARE = 0.02, 0.1
# Millimetres of mean distance to the mirrored other side: no two halves of a head are alike.
SYMMETRY = 3.0, 6.0
# What smoothing and decimation may change: share of the volume, and millimetres anywhere.
VOLUME_CHANGE = 0.01
DECIMATION = 0.1, 0.5
# Millilitres cast beside the implant so that the mould comes off, and millimetres of the mould's thinnest wall.
MOULD_UNDERCUT = 0.01, 0.1
MOULD_WALL = 1.0, 0.8


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: what was looked at.
        value: what was found, with its unit.
        limit: what it should be.
        verdict: ``pass``, ``warn`` or ``fail``.
        at: where that is, RAS millimetres; None for what is of no place.
    """

    name: str
    value: str
    limit: str
    verdict: Verdict
    at: Vector | None = None


def check_solid(solid: Solid, design: Design) -> Iterator[Check]:
    """Gap, step, sharp edges, undercut and collision."""
    kept = solid.gap.within
    if math.isfinite(solid.gap.mean):
        yield Check(
            "gap",
            f"{solid.gap.mean:.2f} mm, {100.0 * kept:.1f} % of the rim within {TOLERANCE:g} mm",
            f"{design.gap:g} mm",
            _low(kept, *GAP_KEPT),
            solid.gap.worst,
        )
    if len(solid.rim.step):
        steps = np.abs(solid.rim.step)
        step = float(np.percentile(steps, 95))
        yield Check(
            "step at the rim", f"{step:.2f} mm (95 %)", f"below {STEP[0]:g} mm", _high(step, *STEP),
            _place(solid.rim.places[np.argmax(steps)]),
        )  # fmt: skip
    rim = sharp_rim(solid.field, design.wall)
    yield Check(
        "sharp edges", f"{rim.share * rim.length:.0f} of {rim.length:.0f} mm of the rim under {SHARP:g} degrees",
        f"at most {100 * SHARP_SHARE[0]:g} % of it", _high(rim.share, *SHARP_SHARE), rim.sharpest,
    )  # fmt: skip
    lost = solid.undercut / max(solid.undercut + solid.volume, 1e-6)
    yield Check(
        "undercut along the axis", f"{solid.undercut:.2f} ml taken away", f"below {100 * UNDERCUT[0]:g} % of it",
        _high(lost, *UNDERCUT), solid.undercut_at,
    )  # fmt: skip
    yield Check(
        "collision with the skull", f"{solid.collision:.3f} ml", f"below {COLLISION[0]:g} ml",
        _high(solid.collision, *COLLISION), _deepest_collision(solid),
    )  # fmt: skip


def check_piece(piece: Mesh, design: Design, which: str = "") -> Iterator[Check]:
    """What a printer needs, of one piece; ``which`` ends the checks' names."""
    quality = examine(piece)
    yield _surface(quality, which)
    if quality.wall is not None and math.isfinite(quality.wall.thinnest):
        thinnest = quality.wall.thinnest
        yield Check(
            f"minimum wall{which}", f"{thinnest:.2f} mm", f"{design.wall:g} mm",
            _low(thinnest, design.wall, WALL_KEPT * design.wall), _place(quality.wall.place),
        )  # fmt: skip
    longest = max(quality.extent)
    yield Check(f"extent{which}", f"{longest:.0f} mm", f"at most {EXTENT:g} mm", _high(longest, EXTENT, EXTENT))
    yield Check(
        f"triangles{which}", f"{quality.triangles:,}", f"at most {design.triangle_budget:,}",
        "pass" if quality.triangles <= design.triangle_budget else "fail",
    )  # fmt: skip


def check_symmetry(symmetry: Symmetry | None) -> Check:
    """The outer surface against the mirrored other side."""
    limit = f"mean below {SYMMETRY[0]:g} mm"
    if symmetry is None:
        return Check("symmetry", "there is no other side to compare with", limit, "pass")
    value = f"{symmetry.mean:.1f} mm (95 %: {symmetry.high:.1f} mm) from the other side"
    return Check("symmetry", value, limit, _high(symmetry.mean, *SYMMETRY))


def check_reduction(volume_change: float, distance: float) -> Iterator[Check]:
    """What smoothing and decimation cost.

    Args:
        volume_change: share of the volume before, signed.
        distance: Hausdorff, millimetres.
    """
    yield Check(
        "volume kept", f"{100.0 * volume_change:+.2f} %", f"within {100 * VOLUME_CHANGE:g} %",
        _high(abs(volume_change), VOLUME_CHANGE, VOLUME_CHANGE),
    )  # fmt: skip
    yield Check("decimation", f"{distance:.3f} mm (Hausdorff)", f"below {DECIMATION[0]:g} mm",
                _high(distance, *DECIMATION))  # fmt: skip


def check_holes(drilling: Drilling, design: Design, which: str = "") -> Iterator[Check]:
    """The wall that is left beside the holes of a piece; nothing where there are none."""
    if not drilling.holes:
        return
    walls = thinnest_beside(drilling)
    thinnest = float(walls.min())
    yield Check(
        f"hole margins{which}", f"{thinnest:.2f} mm of wall beside {len(drilling.holes)} holes", f"{design.wall:g} mm",
        _low(thinnest, design.wall, WALL_KEPT * design.wall), _place(drilling.holes[int(walls.argmin())].at),
    )  # fmt: skip


def check_mould(mould: Mould) -> Iterator[Check]:
    """Whether both halves can be printed, hold, and come off."""
    for half, name in ((mould.upper, "upper"), (mould.lower, "lower")):
        yield check_surface(half, f" of the mould's {name} half")
    yield Check(
        "mould's undercut", f"{mould.undercut:.3f} ml cast beside the implant", f"below {MOULD_UNDERCUT[0]:g} ml",
        _high(mould.undercut, *MOULD_UNDERCUT),
    )  # fmt: skip
    yield Check("mould's wall", f"{mould.wall:.1f} mm", f"{MOULD_WALL[0]:g} mm", _low(mould.wall, *MOULD_WALL))


def check_surface(mesh: Mesh, which: str = "") -> Check:
    """Whether a surface can be printed as one piece; ``which`` ends the check's name."""
    return _surface(examine(mesh, walls=False), which)


def faults_of(quality: Quality) -> tuple[str, ...]:
    """What keeps a surface from being printed as one piece, in words; none if it is sound."""
    counted = [
        (quality.open_edges, "open edge"),
        (quality.crowded_edges, "edge with more than two triangles"),
        (quality.bow_tie_vertices, "bow-tie vertex"),
        (quality.turned_edges, "edge between triangles that wind against each other"),
        (quality.inward_shells, "shell inside out"),
        (quality.degenerate_triangles, "triangle without area"),
        (quality.shells if quality.shells != 1 else 0, "shell"),
        (quality.intersections, "self-intersection"),
    ]
    faults = [f"{count} x {fault}" for count, fault in counted if count]
    if quality.intersections:
        right, anterior, superior = quality.intersection_places[0]
        faults[-1] += f", one at R {right:.1f} A {anterior:.1f} S {superior:.1f}"
    if not quality.solid:
        faults.append("refused by manifold3d")
    return tuple(faults)


def _surface(quality: Quality, which: str) -> Check:
    return Check(
        f"printable surface{which}",
        "sound" if quality.sound else "; ".join(faults_of(quality)),
        "one closed two-manifold shell, no intersection",
        "pass" if quality.sound else "fail",
        _place(quality.intersection_places[0]) if quality.intersections else None,
    )


def _deepest_collision(solid: Solid) -> Vector | None:
    """Where the implant would reach deepest into bone on its way in."""
    if solid.collision == 0.0:
        return None
    clear = np.where(solid.field.voxels < 0.0, least_above(solid.bone.voxels), np.float32(0.0))
    kji = np.unravel_index(int(clear.argmin()), clear.shape)
    return _place(solid.field.grid.ras_of([kji[::-1]])[0])


def _place(ras: npt.NDArray[np.floating]) -> Vector:
    return float(ras[0]), float(ras[1]), float(ras[2])


def _low(value: float, good: float, bad: float) -> Verdict:
    return "pass" if value >= good else "warn" if value >= bad else "fail"


def _high(value: float, good: float, bad: float) -> Verdict:
    return "pass" if value <= good else "warn" if value <= bad else "fail"
