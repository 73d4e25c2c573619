"""Patches of random number, size and place cut out of the vault (M24), so that healthy skulls teach.

A cut is the union of ellipsoids and boxes that follow the vault, each put through a random elastic
deformation. It is kept as a signed distance that can be asked at any place, so the coarse and the
fine grid of one case, and any spacing, see the same cut. Shapes and sizes: REFERENCE "a useful shape
for mask patches", with larger cuts than it names, since clinical ones reach 150 cm2 (ours).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame

# The place (3,) of the outer table, millimetres from the vault's centre, in a direction (3,).
PlacesOnVault = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class MaskingRange:
    """What cuts may look like; lengths in millimetres.

    Attributes:
        radius: mean and standard deviation of a primary patch's radius.
        small, large: shares of primaries drawn evenly from ``small_radius`` and ``large_radius`` instead.
        satellite_radius: mean and standard deviation of the patches on its border.
        satellites: the largest number of them.
        boxes: share of patches that are boxes.
        second: probability of a second cut somewhere else (of a third: its square).
        elastic: range of the standard deviation of the elastic deformation.
        depth: how far below the outer table a cut reaches.
        lowest: sine of the lowest elevation, seen from the vault's centre, of a cut's middle.
        floor: range of the height, from the vault's centre, below which nothing is cut: the face stays.
        softness: range of the width of the cut's border; sharp and smooth rims.
        blend: range of the width over which patches run into each other; 0 leaves corners where they meet.
        places: where cuts are to lie, each (R, A, S, concentration): a direction from the vault's centre and
            how closely they keep to it (of a von Mises-Fisher distribution). Without any: evenly all over.
    """

    radius: tuple[float, float] = (28.0, 8.0)
    small: float = 0.12
    large: float = 0.28
    small_radius: tuple[float, float] = (6.0, 18.0)
    large_radius: tuple[float, float] = (38.0, 68.0)
    satellite_radius: tuple[float, float] = (16.0, 4.0)
    satellites: int = 7
    boxes: float = 0.35
    second: float = 0.2
    elastic: tuple[float, float] = (0.5, 4.0)
    depth: float = 32.0
    lowest: float = -0.15
    floor: tuple[float, float] = (-55.0, -30.0)
    softness: tuple[float, float] = (0.5, 3.0)
    blend: tuple[float, float] = (0.0, 0.0)
    places: tuple[tuple[float, float, float, float], ...] = ()

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("small", "large", "boxes", "second")}
        ranges = ("small_radius", "large_radius", "elastic", "floor", "softness", "blend")
        problems = [
            *((not 0.0 <= share <= 1.0, f"{name} must lie between 0 and 1") for name, share in shares.items()),
            (self.small + self.large > 1.0, "small and large together exceed 1"),
            *((_falls(getattr(self, name)), f"{name} must be two numbers that rise") for name in ranges),
            (min(*self.small_radius, *self.large_radius, self.depth) <= 0.0, "lengths must be above zero"),
            (self.satellites < 0, "satellites must not be below zero"),
            (not -1.0 <= self.lowest < 1.0, "lowest is a sine, between -1 and 1"),
            (
                any(len(place) != 4 or not any(place[:3]) for place in self.places),
                "a place is a direction (R, A, S) and a concentration",
            ),
            (
                any(_unit(torch.tensor(place))[2] < self.lowest for *place, _ in self.places if len(place) == 3),
                "a place is lower than lowest",
            ),
        ]
        for wrong, sentence in problems:
            if wrong:
                raise UserError(sentence, where="deformable masking", remedy="Correct the setting.")


def _falls(ends: tuple[float, ...]) -> bool:
    return len(ends) != 2 or ends[0] > ends[1]


# Sharp: boxes with hard corners, hardly bent, as a saw leaves. Smooth: ellipsoids that run into each other.
MASKING_PRESETS = {
    "mixed": MaskingRange(),
    "sharp": MaskingRange(boxes=1.0, satellites=2, elastic=(0.0, 0.5), softness=(0.0, 0.5)),
    "smooth": MaskingRange(boxes=0.0, elastic=(1.0, 4.0), softness=(2.0, 4.0), blend=(6.0, 14.0)),
}


@dataclass(frozen=True)
class Patch:
    """One solid: ``axes`` (3, 3) rows are its unit axes, ``half`` (3,) its half lengths."""

    centre: torch.Tensor
    axes: torch.Tensor
    half: torch.Tensor
    box: bool

    def distance(self, places: torch.Tensor) -> torch.Tensor:
        """Approximate signed distance (...,) of ``places`` (..., 3), negative inside."""
        local = (places - self.centre) @ self.axes.T
        if not self.box:
            scaled = torch.linalg.vector_norm(local / self.half, dim=-1)
            return (scaled - 1.0) * self.half[:2].min()
        corner = 0.25 * float(self.half.min())
        outside = local.abs() - (self.half - corner)
        beyond = torch.linalg.vector_norm(outside.clamp_min(0.0), dim=-1)
        return beyond + outside.amax(-1).clamp_max(0.0) - corner


@dataclass(frozen=True)
class DeformableCut:
    """A drawn cut: patches, the elastic deformation that they go through, its floor, the widths of its rim
    and of the blend between patches."""

    frame: HeadFrame
    patches: tuple[Patch, ...]
    elastic: torch.Tensor
    floor: float
    softness: float
    blend: float = 0.0

    def share(self, places: torch.Tensor, spacing: float) -> torch.Tensor:
        """Share (K, J, I), 0 to 1, of the bone at ``places`` (K, J, I, 3) that the cut takes away."""
        bent = places + self.frame.sample(self.elastic, places).movedim(0, -1)
        distance = torch.full(places.shape[:-1], torch.inf, device=places.device)
        for patch in self.patches:
            distance = _united(distance, patch.distance(bent), self.blend)
        distance = torch.maximum(distance, self.floor - bent[..., 2])
        return (0.5 - distance / max(self.softness, spacing)).clamp(0.0, 1.0)


def vault_of(complete: torch.Tensor, frame: HeadFrame) -> PlacesOnVault:
    """Finds the last bone in a direction, in shares of bone (K, J, I) that fill the frame's box."""
    distances = torch.arange(150.0, 20.0, -1.5)

    def place(direction: torch.Tensor) -> torch.Tensor:
        ray = distances[:, None] * direction
        bone = frame.sample(complete[None], ray[None, None])[0, 0, 0] > 0.5
        return ray[int(bone.nonzero()[0, 0])] if bool(bone.any()) else 80.0 * direction

    return place


def draw_cut(extent: MaskingRange, vault: PlacesOnVault, frame: HeadFrame, generator: torch.Generator) -> DeformableCut:
    """Draw a cut over a vault, whose outer table ``vault`` finds."""

    def chance() -> float:
        return float(torch.rand(1, generator=generator))

    cuts = 1 + (chance() < extent.second) + (chance() < extent.second**2)
    patches: list[Patch] = []
    for _ in range(cuts):
        radius = _primary_radius(extent, generator, chance())
        place = vault(_direction(extent, generator))
        primary = _patch(extent, place, radius, chance() < extent.boxes, generator)
        patches.append(primary)
        for _ in range(int(chance() * (extent.satellites + 1))):
            spread = primary.axes[:2].T @ _unit(torch.randn(2, generator=generator))
            mean, deviation = extent.satellite_radius
            satellite = max(5.0, mean + deviation * float(torch.randn(1, generator=generator)))
            box = chance() < extent.boxes
            patches.append(_patch(extent, place + 0.9 * radius * spread, min(satellite, radius), box, generator))

    def uniform(ends: tuple[float, float]) -> float:
        return ends[0] + (ends[1] - ends[0]) * chance()

    knots = [round(edge / 16.0) for edge in frame.box.size[::-1]]
    noise = uniform(extent.elastic) * torch.randn(1, 3, *knots, generator=generator)
    elastic = functional.interpolate(noise, scale_factor=2, mode="trilinear", align_corners=False)[0]
    return DeformableCut(
        frame, tuple(patches), elastic, uniform(extent.floor), uniform(extent.softness), uniform(extent.blend)
    )


def _primary_radius(extent: MaskingRange, generator: torch.Generator, kind: float) -> float:
    if kind < extent.small:
        low, high = extent.small_radius
        return low + (high - low) * float(torch.rand(1, generator=generator))
    if kind < extent.small + extent.large:
        low, high = extent.large_radius
        return low + (high - low) * float(torch.rand(1, generator=generator))
    mean, deviation = extent.radius
    return max(8.0, mean + deviation * float(torch.randn(1, generator=generator)))


def _direction(extent: MaskingRange, generator: torch.Generator) -> torch.Tensor:
    """A direction (3,) from the vault's centre, about one of the places or even, and not too low."""
    while True:
        direction = _unit(torch.randn(3, generator=generator))
        if extent.places:
            *middle, concentration = extent.places[int(torch.randint(len(extent.places), (1,), generator=generator))]
            direction = _about(_unit(torch.tensor(middle)), concentration, direction, generator)
        if direction[2] >= extent.lowest:
            return direction


def _about(middle: torch.Tensor, concentration: float, even: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A draw of the von Mises-Fisher distribution on the sphere: the cosine to ``middle`` in closed form
    (Ulrich 1984), the way round it from an even direction."""
    if concentration < 1e-3:
        return even
    chance = 1.0 - torch.rand(1, generator=generator)
    fallen = torch.log(chance + (1.0 - chance) * math.exp(-2.0 * concentration)) / concentration
    cosine = (1.0 + fallen).clamp(-1.0, 1.0)
    aside = _unit(even - (even @ middle) * middle)
    return cosine * middle + (1.0 - cosine.square()).sqrt() * aside


def _patch(extent: MaskingRange, place: torch.Tensor, radius: float, box: bool, generator: torch.Generator) -> Patch:
    """A solid on the vault at ``place``: wide along it, no deeper than the cut's depth."""
    normal = _unit(place)
    first = torch.linalg.cross(normal, _unit(torch.randn(3, generator=generator)))
    axes = torch.stack((_unit(first), _unit(torch.linalg.cross(normal, first)), normal))
    widths = radius * (0.75 + 0.6 * torch.rand(2, generator=generator))
    # The vault falls away from its tangent plane; the solid sinks in by half of that fall.
    fall = 85.0 - (85.0**2 - min(radius, 70.0) ** 2) ** 0.5
    half = torch.cat((widths, torch.tensor([min(radius, extent.depth) + 0.5 * fall])))
    return Patch(place - 0.5 * fall * normal, axes, half, box)


def _united(one: torch.Tensor, other: torch.Tensor, width: float) -> torch.Tensor:
    """Signed distance of the union of two solids; below a ``width`` of both, the corner is filled (a
    quadratic smooth minimum)."""
    union = torch.minimum(one, other)
    if width <= 0.0:
        return union
    return union - (width - (one - other).abs()).clamp_min(0.0).square() / (4.0 * width)


def _unit(vector: torch.Tensor) -> torch.Tensor:
    return vector / torch.linalg.vector_norm(vector).clamp_min(1e-6)
