"""Step 5, before anything is computed: a design from what a panel holds, and what each of its entries means."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from CranialReconstructionLib.implant.design import (
    ANATOMICAL,
    MATERIALS,
    CutPlane,
    Design,
    Flange,
    Hole,
    PerfusionHoles,
    Vector,
)

__all__ = ["Design", "design_of", "explanations", "preset"]

_ENTRY = re.compile(r"^ {4,8}([a-z_, ]+): (.*)$")


def design_of(
    choices: Any,
    axis: Vector | None = None,
    holes: Sequence[Vector] = (),
    cuts: Sequence[tuple[Vector, Vector]] = (),
) -> Design:
    """The design that a panel's choices mean.

    Args:
        choices: an object with the attributes of ``widgets.parameters.DesignChoices``.
        axis: from outside to inside (RAS); None finds it.
        holes: places of single holes (RAS, mm).
        cuts: point and normal of each cut plane (RAS, mm).

    Raises:
        UserError: no implant can be like that.
    """
    thickness: float | str | None = None
    if choices.thickness.value == "constant":
        thickness = choices.thickness_mm
    elif choices.thickness.value == ANATOMICAL:
        thickness = ANATOMICAL
    perfusion = PerfusionHoles(choices.perfusion_diameter, choices.perfusion_pitch, choices.perfusion_margin)
    flange = Flange(choices.flange_width, choices.flange_thickness if choices.own_flange_thickness else None)
    return Design(
        material=choices.material.value,
        thickness=thickness,
        minimum_wall=choices.minimum_wall if choices.own_minimum_wall else None,
        gap=choices.gap,
        bevel=choices.bevel,
        axis=axis,
        inner_clearance=choices.inner_clearance,
        perfusion=perfusion if choices.perfusion else None,
        holes=tuple(Hole(place, choices.hole_diameter) for place in holes),
        flange=flange if choices.flange else None,
        cuts=tuple(CutPlane(at, normal, choices.cut_gap) for at, normal in cuts),
        mould=choices.mould,
        host_model=choices.host_model,
        triangle_budget=choices.triangle_budget,
        name=choices.name,
        number=choices.number,
    )


def preset(material: str) -> Mapping[str, float]:
    """What a panel shows as usual for a material: ``minimum_wall``, and ``thickness_mm`` where it has one."""
    chosen = MATERIALS[material]
    usual = {} if chosen.thickness is None else {"thickness_mm": chosen.thickness}
    return {"minimum_wall": chosen.minimum_wall, **usual}


def explanations() -> dict[str, str]:
    """What each choice means, from the docstrings of the design's classes; a panel shows them as tooltips."""
    design, flange, perfusion = _entries(Design), _entries(Flange), _entries(PerfusionHoles)
    hole, cut = _entries(Hole), _entries(CutPlane)
    return {
        **{name: design[name] for name in ("material", "thickness", "minimum_wall", "gap", "bevel", "name")},
        **{name: design[name] for name in ("inner_clearance", "mould", "host_model", "triangle_budget", "perfusion")},
        "thickness_mm": design["thickness"],
        "own_minimum_wall": design["minimum_wall"],
        "perfusion_diameter": perfusion["diameter"],
        "perfusion_pitch": perfusion["pitch"],
        "perfusion_margin": perfusion["margin"],
        "hole_diameter": hole["diameter"],
        "flange": design["flange"],
        "flange_width": flange["width"],
        "flange_thickness": flange["thickness"],
        "own_flange_thickness": flange["thickness"],
        "cut_gap": cut["gap"],
    }


def _entries(kind: type[Any]) -> dict[str, str]:
    """The sentences of a class's docstring under "Attributes:", or its whole first sentence for each of its fields."""
    text = inspect.getdoc(kind) or ""
    summary, _, attributes = text.partition("Attributes:")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in attributes.splitlines():
        if entry := _ENTRY.match(line):
            names = [name.strip() for name in entry[1].split(",")]
            found.update(dict.fromkeys(names, entry[2]))
        elif line.strip():
            for name in names:
                found[name] = f"{found[name]} {line.strip()}"
    whole = " ".join(summary.replace("`", "").split())
    return {name: " ".join(found.get(name, whole).replace("`", "").split()) for name in kind.__dataclass_fields__}
