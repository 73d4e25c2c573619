"""Openings in the vault: outlines on a chart of the head's surface, and what they take through the bone.

A chart is azimuthal equidistant about a direction seen from the middle of the head: places on it are
millimetres along the surface, near enough. An opening is a signed distance to its outline on the chart and
a slope, by which the rim moves inwards with each millimetre of depth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.draw import polygon2mask
from vault import Vault

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Millimetres a cell of the chart, and of the coarse one that only measures.
_CELL = 0.4
_COARSE_CELL = 2.0
# Room around an outline on its chart, for rims that bulge.
_ROOM = 15.0
_BEYOND = 1e3


@dataclass(frozen=True, eq=False)
class Plan:
    """An opening to be cut.

    Attributes:
        outlines: polygons (N, 2) in millimetres on the chart, whose union is the opening.
        direction: unit vector to its middle, in the head's axes (right, anterior, up).
        east: where the chart's first axis points, in the head's axes; made perpendicular to the direction.
        north: likewise the second axis.
        area: smallest and largest outer area that is wanted, square centimetres.
        side: +1 or -1 when it must stay on the right or the left, 0 otherwise.
        bevel: degrees by which the rim slopes from the radial direction, the outer face being the wider.
        roughness: millimetres by which the rim wanders, 0 for a clean cut.
    """

    outlines: tuple[Floats, ...]
    direction: Floats
    east: Floats
    north: Floats
    area: tuple[float, float]
    side: int = 0
    bevel: float = 0.0
    roughness: float = 0.0
    frame: Floats = field(init=False)

    def __post_init__(self) -> None:
        east = _unit(self.east - (self.east @ self.direction) * self.direction)
        rest = self.north - (self.north @ self.direction) * self.direction
        object.__setattr__(self, "frame", np.array([east, _unit(rest - (rest @ east) * east), self.direction]))

    @property
    def reach(self) -> float:
        """Millimetres from the middle to the furthest place of the chart that is looked at."""
        return float(max(np.linalg.norm(outline, axis=1).max() for outline in self.outlines)) + _ROOM


@dataclass(frozen=True, eq=False)
class Opening:
    """A plan on a head, ready to cut.

    Attributes:
        frame: rows are the chart's two axes and its middle direction, in the head's axes.
        scale: millimetres on the chart for a radian.
        distance: signed millimetres to the rim at the outer face, negative inside, over the chart.
        slope: millimetres by which the rim moves inwards for a millimetre of depth, over the chart.
    """

    frame: Floats
    scale: float
    distance: Floats
    slope: Floats

    @property
    def nearness(self) -> float:
        """Cosine of the angle from the middle to the edge of the chart: beyond it nothing is cut."""
        half = (self.distance.shape[0] - 1) / 2 * _CELL
        return float(np.cos(min(half / self.scale, np.pi)))

    def takes(self, directions: Floats, depths: Floats) -> Mask:
        """Which bone is cut away, at directions (N, 3) and depths (N,) in millimetres under the outer surface."""
        cells = _chart(directions, self.frame, self.scale) / _CELL + (self.distance.shape[0] - 1) / 2
        distance = ndimage.map_coordinates(self.distance, cells.T, order=1, cval=_BEYOND)
        slope = ndimage.map_coordinates(self.slope, cells.T, order=1)
        taken: Mask = distance + slope * np.maximum(depths, 0.0) < 0.0
        return taken


def fits(plan: Plan, vault: Vault) -> bool:
    """Whether all of the plan lies on the vault, on its side, with an area in the wanted range."""
    axis, inside = _drawn(plan, _COARSE_CELL)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    directions = _directions(points, plan.frame, vault_scale(plan, vault))
    within = directions[inside]
    if not len(within) or not vault.holds(within).all():
        return False
    if plan.side and (plan.side * within[:, 0] < 0.1).any():
        return False
    return plan.area[0] <= _area(directions, inside, vault) <= plan.area[1]


def area_of(plan: Plan, vault: Vault) -> float:
    """Square centimetres of the outer surface under the outline, without its roughness."""
    axis, inside = _drawn(plan, _COARSE_CELL)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    return _area(_directions(points, plan.frame, vault_scale(plan, vault)), inside, vault)


def opened(plan: Plan, vault: Vault, rng: np.random.Generator) -> Opening:
    """The plan on this head; ``rng`` draws the roughness of its rim."""
    _, inside = _drawn(plan, _CELL)
    distance = _signed_distance(inside)
    slope = np.full_like(distance, np.tan(np.radians(plan.bevel)))
    if plan.roughness:
        bitten = distance + plan.roughness * _fractal(distance.shape, rng) < 0.0
        distance = _signed_distance(ndimage.binary_fill_holes(_largest(bitten)))
        slope = slope + 0.3 * _fractal(distance.shape, rng)
    return Opening(plan.frame, vault_scale(plan, vault), distance, slope)


def vault_scale(plan: Plan, vault: Vault) -> float:
    """Millimetres for a radian: the head's radius where the plan lies."""
    return float(vault.outer_at(plan.direction[None])[0])


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / np.linalg.norm(vector)
    return unit


def _drawn(plan: Plan, cell: float) -> tuple[Floats, Mask]:
    """The places of the chart's cells along either axis, and the union of the outlines."""
    half = int(np.ceil(plan.reach / cell))
    shape = (2 * half + 1, 2 * half + 1)
    inside: Mask = np.zeros(shape, dtype=np.bool_)
    for outline in plan.outlines:
        inside |= polygon2mask(shape, outline / cell + half)
    return np.arange(-half, half + 1, dtype=np.float64) * cell, inside


def _chart(directions: Floats, frame: Floats, scale: float) -> Floats:
    """Millimetres on the chart (N, 2) of directions (N, 3)."""
    x, y, z = (directions @ frame.T).T
    flat = np.maximum(np.hypot(x, y), 1e-9)
    places: Floats = (scale * np.arccos(np.clip(z, -1.0, 1.0)) / flat)[:, None] * np.stack([x, y], axis=1)
    return places


def _directions(points: Floats, frame: Floats, scale: float) -> Floats:
    """Directions (..., 3) in the head's axes of millimetres on the chart (..., 2)."""
    lengths = np.linalg.norm(points, axis=-1, keepdims=True)
    angles = lengths / scale
    flat = points / np.maximum(lengths, 1e-9) * np.sin(angles)
    directions: Floats = np.concatenate([flat, np.cos(angles)], axis=-1) @ frame
    return directions


def _area(directions: Floats, inside: Mask, vault: Vault) -> float:
    surface = directions * vault.outer_at(directions)[..., None]
    cells = np.cross(np.gradient(surface, axis=0), np.gradient(surface, axis=1))
    return float(np.linalg.norm(cells, axis=-1)[inside].sum() / 100.0)


def _signed_distance(inside: Mask) -> Floats:
    outwards = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    signed: Floats = (outwards - 0.5 * np.sign(outwards)) * _CELL
    return signed


def _fractal(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """A field of unit spread with detail at every scale from 10 mm down to 1 mm."""
    field = np.zeros(shape)
    for sigma in (10.0, 5.0, 2.5, 1.2):
        octave = ndimage.gaussian_filter(rng.normal(size=shape), sigma / _CELL)
        field += np.sqrt(sigma) * octave / octave.std()
    unit: Floats = field / field.std()
    return unit


def _largest(mask: Mask) -> Mask:
    pieces, _ = ndimage.label(mask)
    largest: Mask = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    return largest
