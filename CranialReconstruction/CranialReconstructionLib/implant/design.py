"""What a designer decides about an implant, validated where it enters and saved with the result.

Defaults are ours and labelled as such (REFERENCE section 8); every length is in millimetres.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from CranialReconstructionLib.errors import UserError

Vector = tuple[float, float, float]

ANATOMICAL = "anatomical"
# Millimetres: an onlay rim that nobody gave a thickness is no thinner.
THINNEST_FLANGE = 0.8


@dataclass(frozen=True)
class Material:
    """What an implant is made of.

    Attributes:
        thickness: usual thickness; None for that of the bone.
        minimum_wall: thinnest wall that holds.
        density: grams a cubic centimetre, for the weight in the report.
    """

    thickness: float | None
    minimum_wall: float
    density: float


MATERIALS: Mapping[str, Material] = {
    "PEEK": Material(4.0, 1.5, 1.30),
    "PMMA": Material(4.0, 2.0, 1.18),
    "titanium": Material(0.8, 0.6, 4.43),
    "bone-like": Material(None, 1.0, 1.90),
}


@dataclass(frozen=True)
class PerfusionHoles:
    """A hexagonal pattern of holes all over the implant.

    Attributes:
        diameter, pitch: of the holes, and between their middles.
        margin: from a hole's border to the implant's rim.
    """

    diameter: float = 2.0
    pitch: float = 10.0
    margin: float = 5.0

    def __post_init__(self) -> None:
        _require_numbers(self, "diameter", "pitch", "margin")


@dataclass(frozen=True)
class Hole:
    """One suture or fixation hole, normal to the surface at the place of the implant nearest to ``at`` (RAS)."""

    at: Vector
    diameter: float = 2.0

    def __post_init__(self) -> None:
        _require_vectors(self, "at")
        _require_numbers(self, "diameter")


@dataclass(frozen=True)
class Flange:
    """An onlay rim on the outer table.

    Attributes:
        width: beyond the defect's edge.
        thickness: over the bone; None for the minimum wall, or for 0.8 mm where that is less.
    """

    width: float = 8.0
    thickness: float | None = None

    def __post_init__(self) -> None:
        _require_numbers(self, "width", *(["thickness"] if self.thickness is not None else []))


@dataclass(frozen=True)
class CutPlane:
    """Splits an implant through ``at`` across ``normal`` (RAS), with ``gap`` between the pieces."""

    at: Vector
    normal: Vector
    gap: float = 0.2

    def __post_init__(self) -> None:
        _require_vectors(self, "at", "normal")
        _require_numbers(self, "gap")


@dataclass(frozen=True)
class Design:
    """All that is decided about an implant.

    Attributes:
        material: one of ``MATERIALS``.
        thickness: inward from the outer surface; ``anatomical`` for that of the bone; None for the material's.
        minimum_wall: thinnest wall; None for the material's.
        gap: between implant and the edge of the bone.
        bevel: angle of the walls to the insertion axis, degrees, opening outwards.
        axis: direction from outside to inside (RAS) along which the implant goes in; None finds it.
        inner_clearance: the inner surface stays this far outside of where the dura begins.
        perfusion: pattern of holes, or None.
        holes: single holes.
        flange: onlay rim, or None.
        cuts: planes that split the implant.
        mould: also make a two-part mould for casting.
        host_model: also make the skull around the defect as a part to print.
        triangle_budget: largest number of triangles of a piece.
        name, number: of the design; the number counts the iterations.
    """

    material: str = "PEEK"
    thickness: float | str | None = None
    minimum_wall: float | None = None
    gap: float = 0.5
    bevel: float = 0.0
    axis: Vector | None = None
    inner_clearance: float = 0.0
    perfusion: PerfusionHoles | None = None
    holes: tuple[Hole, ...] = ()
    flange: Flange | None = None
    cuts: tuple[CutPlane, ...] = ()
    mould: bool = False
    host_model: bool = False
    triangle_budget: int = 200_000
    name: str = "implant"
    number: int = 1

    def __post_init__(self) -> None:
        self._require_types()
        constant = self.constant_thickness
        rules = [
            (not 0.0 <= self.gap <= 2.0, f"gap {self.gap:g} mm is not within 0 to 2 mm"),
            (not 0.0 <= self.bevel <= 30.0, f"bevel {self.bevel:g} is not within 0 to 30 degrees"),
            (not 0.0 <= self.inner_clearance <= 10.0, "inner_clearance is not within 0 to 10 mm"),
            (not 0.3 <= self.wall <= 5.0, f"minimum wall {self.wall:g} mm is not within 0.3 to 5 mm"),
            (
                isinstance(self.thickness, str) and self.thickness != ANATOMICAL,
                f"thickness {self.thickness!r} is neither millimetres nor {ANATOMICAL!r}",
            ),
            (constant is not None and not 0.6 <= constant <= 10.0, "thickness is not within 0.6 to 10 mm"),
            (constant is not None and constant < self.wall, "the thickness is below the minimum wall"),
            (self.axis is not None and math.hypot(*self.axis) < 1e-6, "the axis has no length"),
            (not 1_000 <= self.triangle_budget <= 5_000_000, "triangle_budget is not within 1,000 to 5,000,000"),
            (self.number < 1, "the design's number is below 1"),
            *self._hole_rules(),
            *(
                (not (0.0 <= cut.gap <= 5.0) or math.hypot(*cut.normal) < 1e-6, "a cut needs a normal and 0 to 5 mm")
                for cut in self.cuts
            ),
        ]
        if self.flange:
            rules += [
                (not 2.0 <= self.flange.width <= 25.0, "flange width is not within 2 to 25 mm"),
                (not 0.4 <= self.flange_thickness <= 4.0, "flange thickness is not within 0.4 to 4 mm"),
            ]
        for wrong, sentence in rules:
            if wrong:
                raise _refused(sentence, "Change the design.")

    @property
    def wall(self) -> float:
        """Thinnest wall that is allowed."""
        return MATERIALS[self.material].minimum_wall if self.minimum_wall is None else self.minimum_wall

    @property
    def constant_thickness(self) -> float | None:
        """The thickness where it is constant, None where it is the bone's."""
        if isinstance(self.thickness, str):
            return None
        return MATERIALS[self.material].thickness if self.thickness is None else self.thickness

    @property
    def flange_thickness(self) -> float:
        """Millimetres of the onlay rim over the bone; 0 without one."""
        if self.flange is None:
            return 0.0
        return max(self.wall, THINNEST_FLANGE) if self.flange.thickness is None else self.flange.thickness

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        return asdict(self)

    def _require_types(self) -> None:
        if not isinstance(self.material, str) or self.material not in MATERIALS:
            raise _refused(f"material {self.material!r} is unknown", f"Choose one of {', '.join(MATERIALS)}.")
        _require_numbers(self, "gap", "bevel", "inner_clearance")
        if self.minimum_wall is not None:
            _require_numbers(self, "minimum_wall")
        if self.thickness is not None and not isinstance(self.thickness, str):
            _require_numbers(self, "thickness")
        if self.axis is not None:
            _require_vectors(self, "axis")
        for name in ("triangle_budget", "number"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise _refused(f"{name} is {value!r}, not a whole number", "Give a whole number.")
        for name in ("mould", "host_model"):
            if not isinstance(getattr(self, name), bool):
                raise _refused(f"{name} is {getattr(self, name)!r}, neither true nor false", "Give true or false.")
        if not isinstance(self.name, str) or not self.name.strip():
            raise _refused(f"name is {self.name!r}, not a text", "Give the design a name.")

    def _hole_rules(self) -> list[tuple[bool, str]]:
        rules = [
            (not 0.5 <= hole.diameter <= 10.0, "a hole's diameter is not within 0.5 to 10 mm") for hole in self.holes
        ]
        if self.perfusion:
            pattern = self.perfusion
            rules += [
                (not 0.5 <= pattern.diameter <= 10.0, "the perfusion holes' diameter is not within 0.5 to 10 mm"),
                (
                    pattern.pitch < pattern.diameter + self.wall,
                    f"perfusion holes {pattern.pitch:g} mm apart leave less than the minimum wall between them",
                ),
                (pattern.margin < self.wall, "the perfusion holes' margin is below the minimum wall"),
            ]
        return rules


_SINGLE: Mapping[str, type[Any]] = {"perfusion": PerfusionHoles, "flange": Flange}
_SEVERAL: Mapping[str, type[Any]] = {"holes": Hole, "cuts": CutPlane}


def read_design(path: Path) -> Design:
    """A design from its JSON file.

    Raises:
        UserError: not JSON, an unknown key, a value that no implant can have.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"not a readable design ({error})", where=str(path), remedy="Give a JSON file.") from error
    if not isinstance(content, dict):
        raise UserError("a design is a JSON object", where=str(path), remedy="Start from a saved design.")
    return parse_design(content, str(path))


def parse_design(content: Mapping[str, Any], where: str = "design") -> Design:
    """A design from what its JSON holds."""
    unknown = sorted(set(content) - {entry.name for entry in fields(Design)})
    if unknown:
        raise UserError(f"unknown key {unknown[0]!r}", where=where, remedy="Remove it, or update the extension.")
    try:
        return Design(**{key: _value(key, value) for key, value in content.items()})
    except UserError as error:
        raise UserError(error.problem, where=where, remedy=error.remedy) from error


def _value(key: str, value: Any) -> Any:
    """A value of the design's as its class holds it; parts are objects, or lists of them."""
    if key in _SEVERAL:
        if not isinstance(value, list):
            raise _refused(f"{key} is {value!r}, not a list", "Write it as a saved design does.")
        kind = _SEVERAL[key]
        return tuple(_part(kind, entry, f"entry {count} of {key}") for count, entry in enumerate(value, start=1))
    if key in _SINGLE and value is not None:
        return _part(_SINGLE[key], value, key)
    return tuple(value) if isinstance(value, list) else value


def _part(kind: type[Any], value: Any, name: str) -> Any:
    known = {entry.name: entry.default for entry in fields(kind)}
    if not isinstance(value, Mapping):
        raise _refused(f"{name} is {value!r}, not an object", f"Its keys are {', '.join(known)}.")
    unknown = sorted(set(value) - set(known))
    missing = [key for key, default in known.items() if default is MISSING and key not in value]
    if unknown or missing:
        fault = f"unknown key {unknown[0]!r}" if unknown else f"{missing[0]} is missing"
        raise _refused(f"{name}: {fault}", f"Its keys are {', '.join(known)}.")
    try:
        return kind(**{key: tuple(entry) if isinstance(entry, list) else entry for key, entry in value.items()})
    except UserError as error:
        raise _refused(f"{name}: {error.problem}", error.remedy) from error


def _require_numbers(part: object, *names: str) -> None:
    for name in names:
        value = getattr(part, name)
        if not _is_number(value):
            raise _refused(f"{name} is {value!r}, not a finite number", "Give a number, without quotes.")


def _require_vectors(part: object, *names: str) -> None:
    for name in names:
        value = getattr(part, name)
        if not isinstance(value, tuple) or len(value) != 3 or not all(_is_number(number) for number in value):
            shown = list(value) if isinstance(value, tuple) else value
            raise _refused(f"{name} is {shown!r}, not three finite numbers", "Give it as [R, A, S].")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _refused(problem: str, remedy: str) -> UserError:
    return UserError(problem, where="design", remedy=remedy)
