"""A design's parameters in words: every field, its unit, and whether it is our default or was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any

from CranialReconstructionLib.implant.design import ANATOMICAL, Design
from CranialReconstructionLib.implant.report.document import Table

OURS, CHOSEN = "default (ours)", "chosen"
# What a field is called, its unit, and what None means. A field without an entry goes by its own name.
LABELS: Mapping[str, tuple[str, str, str]] = {
    "material": ("Material", "", ""),
    "thickness": ("Thickness", "mm", ""),
    "minimum_wall": ("Minimum wall", "mm", ""),
    "gap": ("Gap to the edge of the bone", "mm", ""),
    "bevel": ("Bevel of the walls to the axis", "degrees", ""),
    "axis": ("Insertion axis, from outside to inside (RAS)", "", "found by itself"),
    "inner_clearance": ("Clearance on the dura's side", "mm", ""),
    "perfusion": ("Perfusion holes", "mm", "none"),
    "holes": ("Single holes (places in RAS)", "mm", "none"),
    "flange": ("Flange on the outer table", "mm", "none"),
    "cuts": ("Cut planes (RAS)", "mm", "none"),
    "mould": ("Mould for casting", "", ""),
    "host_model": ("Model of the host bone", "", ""),
    "triangle_budget": ("Triangle budget of a piece", "triangles", ""),
    "name": ("Name of the design", "", ""),
    "number": ("Iteration", "", ""),
}


def parameter_table(design: Design) -> Table:
    """Every field of the design."""
    rows = []
    for entry in fields(design):
        label, unit, _ = LABELS.get(entry.name, (entry.name.replace("_", " "), "", ""))
        value = getattr(design, entry.name)
        default = entry.default_factory() if entry.default_factory is not MISSING else entry.default
        text = _value(design, entry.name, value)
        measured = f"{text} {unit}" if unit and isinstance(value, int | float) and unit not in text else text
        rows.append((label, measured, OURS if value == default else CHOSEN))
    return Table("Parameters of the design", ("Parameter", "Value", "Origin"), rows, (0.4, 0.4, 0.2))


def _value(design: Design, name: str, value: Any) -> str:
    if name == "thickness":
        constant = design.constant_thickness
        usual = f", as usual for {design.material}" if value is None else ""
        return f"{ANATOMICAL}, that of the bone{usual}" if constant is None else f"{constant:g} mm{usual}"
    if name == "minimum_wall":
        return f"{design.wall:g} mm" + (f", as usual for {design.material}" if value is None else "")
    if value is None or value == ():
        return LABELS.get(name, ("", "", ""))[2] or "none"
    if name == "flange" and value.thickness is None:
        return f"{_text(replace(value, thickness=design.flange_thickness))}, the least for {design.material}"
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if is_dataclass(value):
        return ", ".join(f"{entry.name} {_text(getattr(value, entry.name))}" for entry in fields(value))
    if isinstance(value, tuple):
        numbers = all(isinstance(entry, int | float) for entry in value)
        return " ".join(map(_text, value)) if numbers else "; ".join(map(_text, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
