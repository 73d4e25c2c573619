"""What an implant must satisfy before it is written, each with its value, its limit and a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.gap import TOLERANCE
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_quality import examine
from CranialReconstructionLib.implant.solid import Solid

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


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: what was looked at.
        value: what was found, with its unit.
        limit: what it should be.
        verdict: ``pass``, ``warn`` or ``fail``.
    """

    name: str
    value: str
    limit: str
    verdict: Verdict


def check_solid(solid: Solid, design: Design) -> Iterator[Check]:
    """Gap, step, undercut and collision."""
    kept = solid.gap.within
    if math.isfinite(solid.gap.mean):
        yield Check(
            "gap",
            f"{solid.gap.mean:.2f} mm, {100.0 * kept:.1f} % of the rim within {TOLERANCE:g} mm",
            f"{design.gap:g} mm",
            _low(kept, *GAP_KEPT),
        )
    if len(solid.rim.step):
        step = float(np.percentile(np.abs(solid.rim.step), 95))
        yield Check("step at the rim", f"{step:.2f} mm (95 %)", f"below {STEP[0]:g} mm", _high(step, *STEP))
    lost = solid.undercut / max(solid.undercut + solid.volume, 1e-6)
    yield Check(
        "undercut along the axis", f"{solid.undercut:.2f} ml taken away", f"below {100 * UNDERCUT[0]:g} % of it",
        _high(lost, *UNDERCUT),
    )  # fmt: skip
    yield Check(
        "collision with the skull", f"{solid.collision:.3f} ml", f"below {COLLISION[0]:g} ml",
        _high(solid.collision, *COLLISION),
    )  # fmt: skip


def check_piece(piece: Mesh, design: Design, which: str = "") -> Iterator[Check]:
    """What a printer needs, of one piece; ``which`` ends the checks' names."""
    quality = examine(piece)
    yield Check(f"printable surface{which}", _surface(quality.sound), "one closed two-manifold shell, no intersection",
                "pass" if quality.sound else "fail")  # fmt: skip
    if quality.wall is not None and math.isfinite(quality.wall.thinnest):
        thinnest = quality.wall.thinnest
        yield Check(
            f"minimum wall{which}", f"{thinnest:.2f} mm", f"{design.wall:g} mm",
            _low(thinnest, design.wall, WALL_KEPT * design.wall),
        )  # fmt: skip
    longest = max(quality.extent)
    yield Check(f"extent{which}", f"{longest:.0f} mm", f"at most {EXTENT:g} mm", _high(longest, EXTENT, EXTENT))
    yield Check(
        f"triangles{which}", f"{quality.triangles:,}", f"at most {design.triangle_budget:,}",
        "pass" if quality.triangles <= design.triangle_budget else "fail",
    )  # fmt: skip


def _surface(sound: bool) -> str:
    return "sound" if sound else "not sound"


def _low(value: float, good: float, bad: float) -> Verdict:
    return "pass" if value >= good else "warn" if value >= bad else "fail"


def _high(value: float, good: float, bad: float) -> Verdict:
    return "pass" if value <= good else "warn" if value <= bad else "fail"
