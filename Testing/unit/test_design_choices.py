"""The panel's choices of a design against the design itself: defaults, limits, and what each choice means."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.design import MATERIALS, Design, Flange, Hole, PerfusionHoles
from CranialReconstructionLib.workflow.designing import design_of, explanations, preset

PARAMETERS = (
    Path(__file__).resolve().parents[2]
    / "CranialReconstruction"
    / "CranialReconstructionLib"
    / "widgets"
    / "parameters.py"
)


def classes() -> dict[str, ast.ClassDef]:
    tree = ast.parse(PARAMETERS.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def members(enumeration: ast.ClassDef) -> dict[str, str]:
    """Name -> value of an enumeration's members."""
    return {
        target.id: entry.value.value
        for entry in enumeration.body
        if isinstance(entry, ast.Assign) and isinstance(entry.value, ast.Constant)
        for target in entry.targets
        if isinstance(target, ast.Name)
    }


def entries() -> dict[str, ast.AnnAssign]:
    return {
        entry.target.id: entry
        for entry in classes()["DesignChoices"].body
        if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name)
    }


def choices(**changes: Any) -> SimpleNamespace:
    """What a new panel holds: the first member of an enumeration where no default is written."""
    known = classes()
    held: dict[str, Any] = {}
    for name, entry in entries().items():
        if entry.value is not None:
            held[name] = ast.literal_eval(entry.value)
        else:
            assert isinstance(entry.annotation, ast.Name)
            held[name] = SimpleNamespace(value=next(iter(members(known[entry.annotation.id]).values())))
    return SimpleNamespace(**{**held, **changes})


def limits() -> dict[str, tuple[float, float]]:
    """The range of each number of the panel."""
    found = {}
    for name, entry in entries().items():
        text = ast.unparse(entry.annotation)
        if "WithinRange(" in text:
            low, high = text.partition("WithinRange(")[2].partition(")")[0].split(",")
            found[name] = (float(low), float(high))
    return found


def test_a_new_panel_holds_the_default_design() -> None:
    assert design_of(choices()) == Design()


def test_the_panel_offers_every_material() -> None:
    assert set(members(classes()["Material"]).values()) == set(MATERIALS)
    for name, material in MATERIALS.items():
        usual = preset(name)
        assert usual["minimum_wall"] == material.minimum_wall
        assert usual.get("thickness_mm") == material.thickness


def test_every_choice_is_explained_in_the_designs_own_words() -> None:
    texts = explanations()
    assert set(entries()) - set(texts) == {"number"}
    assert all(len(text) > 15 for text in texts.values())
    assert texts["gap"] == "between implant and the edge of the bone."
    assert texts["flange_width"] != texts["perfusion_pitch"]


@pytest.mark.parametrize("name", sorted(limits()))
def test_the_panels_limits_are_the_designs(name: str) -> None:
    low, high = limits()[name]
    whole = {"own_minimum_wall": True, "thickness": SimpleNamespace(value="constant"), "thickness_mm": 10.0}
    used = {**whole, "minimum_wall": 0.5, "flange": True, "own_flange_thickness": True, "flange_thickness": 1.0}
    if name.startswith("perfusion"):
        used |= {"perfusion": True, "perfusion_pitch": 30.0, "minimum_wall": 0.3}
    places = {"holes": [(0.0, 0.0, 0.0)], "cuts": [((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))]}
    design_of(choices(**{**used, name: high}), **places)
    if name != "perfusion_pitch":
        design_of(choices(**{**used, name: low}), **places)
    # What lies beyond is refused by the design too, but for lengths that only the panel bounds.
    if name not in ("perfusion_pitch", "perfusion_margin"):
        for beyond in (low - 0.31, high + 0.31):
            with pytest.raises(UserError):
                design_of(choices(**{**used, name: beyond}), **places)


def test_each_choice_reaches_the_design() -> None:
    made = design_of(
        choices(
            material=SimpleNamespace(value="titanium"),
            thickness=SimpleNamespace(value="anatomical"),
            own_minimum_wall=True,
            minimum_wall=0.7,
            bevel=12.0,
            perfusion=True,
            flange=True,
            own_flange_thickness=True,
            flange_thickness=1.1,
            mould=True,
            number=4,
        ),
        axis=(0.0, 0.0, -1.0),
        holes=[(1.0, 2.0, 3.0)],
        cuts=[((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))],
    )
    assert (made.material, made.thickness, made.minimum_wall, made.bevel) == ("titanium", "anatomical", 0.7, 12.0)
    assert made.perfusion == PerfusionHoles()
    assert made.flange == Flange(8.0, 1.1)
    assert made.holes == (Hole((1.0, 2.0, 3.0), 2.0),)
    assert (made.axis, made.mould, made.number, made.cuts[0].gap) == ((0.0, 0.0, -1.0), True, 4, 0.2)


def test_what_is_not_ticked_is_not_in_the_design() -> None:
    made = design_of(choices(minimum_wall=3.3, thickness_mm=9.0, flange_width=20.0, perfusion_diameter=5.0))
    assert made == Design()
