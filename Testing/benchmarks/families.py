"""Families of cranial defects: where on the vault they lie, and their outlines.

None of them is what training draws (unions of elastically deformed spheres and boxes). Directions are in
the head's axes (right, anterior, up), outlines in millimetres, areas in square centimetres.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from openings import Plan, fits
from scipy.interpolate import splev, splprep
from scipy.spatial import ConvexHull
from vault import Vault

from CranialReconstructionLib.errors import UserError

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator

RIGHT, ANTERIOR, UP = np.eye(3)
_ATTEMPTS = 600

# Anterior and superior millimetres about the parietal eminence, from the zygoma's root over the ear
# backwards, along the midline and down the forehead: the frontotemporoparietal flap.
_QUESTION_MARK = np.array(
    [(6, -47), (-22, -38), (-50, -22), (-66, 4), (-60, 32), (-32, 49), (6, 53), (42, 46), (64, 24),
     (62, 0), (44, -16), (30, -36)], dtype=np.float64
)  # fmt: skip
# Right and upward millimetres about the middle of the forehead, from temple to temple.
_VISOR = np.array(
    [(-62, -14), (-38, -26), (-12, -23), (12, -23), (38, -26), (62, -14), (66, 8), (44, 28), (0, 37),
     (-44, 28), (-66, 8)], dtype=np.float64
)  # fmt: skip


def drawn(family: str, vault: Vault, rng: Rng) -> tuple[Plan, ...]:
    """The openings of a case of ``family`` on this head.

    Raises:
        UserError: an unknown family, or no place for it on this vault.
    """
    if family not in FAMILIES:
        raise UserError("there is no such family", where=family, remedy=f"Use one of {', '.join(FAMILIES)}.")
    return tuple(_placed(family, propose, vault, rng) for propose in _PROPOSALS[family])


def _placed(family: str, propose: Callable[[Vault, Rng], Plan], vault: Vault, rng: Rng) -> Plan:
    for _ in range(_ATTEMPTS):
        plan = propose(vault, rng)
        if fits(plan, vault):
            return plan
    raise UserError("the vault has no place for it", where=family, remedy="Use another head or family.")


def _polygon(vault: Vault, rng: Rng) -> Plan:
    return _anywhere((_straight_sided(rng, rng.uniform(10.0, 90.0)),), (8.0, 100.0), vault, rng)


def _bevelled(vault: Vault, rng: Rng) -> Plan:
    outline = _straight_sided(rng, rng.uniform(15.0, 90.0))
    return replace(_anywhere((outline,), (12.0, 100.0), vault, rng), bevel=rng.uniform(20.0, 45.0))


def _rough(vault: Vault, rng: Rng) -> Plan:
    outline = _straight_sided(rng, rng.uniform(15.0, 80.0))
    return replace(_anywhere((outline,), (12.0, 90.0), vault, rng), roughness=rng.uniform(1.5, 3.0))


def _hemicraniectomy(vault: Vault, rng: Rng) -> Plan:
    side = int(rng.choice([-1, 1]))
    corners = _QUESTION_MARK + rng.normal(scale=3.0, size=_QUESTION_MARK.shape)
    outline = _smooth(corners * np.array([rng.uniform(1.05, 1.4), 1.0]))
    direction = _direction(side * rng.uniform(78.0, 98.0), rng.uniform(52.0, 60.0))
    # The large ones find a place less often, so they are drawn more often.
    size = rng.triangular(80.0, 145.0, 145.0)
    return Plan((_sized(outline, size),), direction, ANTERIOR, UP, (80.0, 150.0), side=side)


def _bifrontal(vault: Vault, rng: Rng) -> Plan:
    outline = _smooth(_VISOR + rng.normal(scale=2.5, size=_VISOR.shape))
    direction = _direction(rng.uniform(-6.0, 6.0), rng.uniform(40.0, 65.0))
    return Plan((_sized(outline, rng.uniform(45.0, 110.0)),), direction, RIGHT, UP, (45.0, 115.0))


def _strip(vault: Vault, rng: Rng) -> Plan:
    length, width = rng.uniform(80.0, 160.0), rng.uniform(25.0, 40.0)
    along = np.linspace(-length / 2, length / 2, 41)
    middle = rng.uniform(-0.1, 0.1) * length * (2 * along / length) ** 2
    edges = [np.stack([along, middle + half], axis=1) for half in (-width / 2, width / 2)]
    direction = _direction(rng.uniform(-180.0, 180.0), rng.uniform(0.0, 50.0))
    # Along the sagittal suture, along the coronal one, or between.
    turn = np.radians(rng.choice([0.0, 90.0]) + rng.normal(scale=15.0))
    east = np.cos(turn) * ANTERIOR + np.sin(turn) * RIGHT
    north = np.cos(turn) * RIGHT - np.sin(turn) * ANTERIOR
    outline = np.concatenate([edges[0], edges[1][::-1]])
    return Plan((outline,), direction, east, north, (15.0, 70.0))


def _burr_holes(vault: Vault, rng: Rng) -> Plan:
    count = int(rng.integers(1, 4))
    radii = rng.uniform(12.0 if count == 1 else 7.0, 15.0, size=count)
    around = np.linspace(0.0, 2 * np.pi, 60, endpoint=False)
    circle = np.stack([np.cos(around), np.sin(around)], axis=1)
    angles = rng.uniform(0.0, 2 * np.pi) + np.arange(count) * 2 * np.pi / max(count, 2)
    spread = 0.0 if count == 1 else rng.uniform(18.0, 30.0)
    angles = angles + rng.normal(scale=0.2, size=count)
    holes = spread * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outlines = [hole + radius * circle for hole, radius in zip(holes, radii, strict=True)]
    if count > 1:
        # The saw runs between the holes, close to their inner sides.
        saw = 0.45 * radii[:, None, None] * circle
        corners = (holes[:, None] + saw).reshape(-1, 2)
        outlines.append(corners[ConvexHull(corners).vertices])
    return _anywhere(tuple(outlines), (4.0, 60.0), vault, rng)


def _on_the(side: int) -> Callable[[Vault, Rng], Plan]:
    def propose(vault: Vault, rng: Rng) -> Plan:
        direction = _direction(side * rng.uniform(40.0, 140.0), rng.uniform(35.0, 70.0))
        outline = _straight_sided(rng, rng.uniform(10.0, 45.0))
        return Plan((outline,), direction, _any(rng), _any(rng), (8.0, 50.0), side=side)

    return propose


_PROPOSALS: dict[str, tuple[Callable[[Vault, Rng], Plan], ...]] = {
    "polygon": (_polygon,),
    "bevelled": (_bevelled,),
    "hemicraniectomy": (_hemicraniectomy,),
    "bifrontal": (_bifrontal,),
    "strip": (_strip,),
    "burr_holes": (_burr_holes,),
    "bilateral": (_on_the(1), _on_the(-1)),
    "rough": (_rough,),
}
FAMILIES = tuple(_PROPOSALS)


def _anywhere(outlines: tuple[Floats, ...], area: tuple[float, float], vault: Vault, rng: Rng) -> Plan:
    """The outlines about a direction drawn evenly over the vault, turned at random."""
    while True:
        direction = _any(rng)
        if vault.holds(direction[None])[0]:
            return Plan(outlines, direction, _any(rng), _any(rng), area)


def _any(rng: Rng) -> Floats:
    vector = rng.normal(size=3)
    unit: Floats = vector / np.linalg.norm(vector)
    return unit


def _direction(turn: float, tilt: float) -> Floats:
    """Turned ``turn`` degrees from the front to the right, ``tilt`` degrees down from the top."""
    turn, tilt = np.radians(turn), np.radians(tilt)
    return np.array([np.sin(tilt) * np.sin(turn), np.sin(tilt) * np.cos(turn), np.cos(tilt)])


def _straight_sided(rng: Rng, area: float) -> Floats:
    """A convex or star-shaped polygon of 4 to 9 corners, up to 1.8 times as long as wide."""
    count = int(rng.integers(4, 10))
    angles = (np.arange(count) + rng.uniform(-0.3, 0.3, size=count)) * 2 * np.pi / count
    corners = rng.uniform(0.6, 1.0, size=count)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    corners = corners * np.array([rng.uniform(1.0, 1.8), 1.0])
    if rng.random() < 0.5:
        corners = corners[ConvexHull(corners).vertices]
    return _sized(corners, area)


def _smooth(corners: Floats) -> Floats:
    """A closed cubic curve through the corners."""
    closed = np.concatenate([corners, corners[:1]])
    curve, _ = splprep(closed.T, s=0.0, per=True)
    return np.stack(splev(np.linspace(0.0, 1.0, 240, endpoint=False), curve), axis=1)


def _sized(outline: Floats, area: float) -> Floats:
    """The outline about its middle, scaled to an area in square centimetres on the chart."""
    x, y = outline.T
    enclosed = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2.0
    sized: Floats = (outline - outline.mean(axis=0)) * np.sqrt(100.0 * area / enclosed)
    return sized
