"""What a designer may ask for, and what is refused."""

import json
import math
from pathlib import Path

import pytest

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.design import (
    MATERIALS,
    CutPlane,
    Design,
    Flange,
    Hole,
    PerfusionHoles,
    parse_design,
    read_design,
)


def test_a_design_survives_its_file(tmp_path: Path) -> None:
    design = Design(
        material="titanium",
        gap=0.3,
        bevel=12.0,
        axis=(0.0, 0.6, -0.8),
        perfusion=PerfusionHoles(3.0, 12.0, 6.0),
        holes=(Hole((1.0, 2.0, 3.0)), Hole((4.0, 5.0, 6.0), 1.5)),
        flange=Flange(9.0, 0.6),
        cuts=(CutPlane((0.0, 0.0, 80.0), (1.0, 0.0, 0.0)),),
        mould=True,
        name="left",
        number=3,
    )
    (tmp_path / "design.json").write_text(json.dumps(design.as_json()))
    assert read_design(tmp_path / "design.json") == design


@pytest.mark.parametrize(
    ("material", "thickness", "expected"),
    [("PEEK", None, 4.0), ("PEEK", "anatomical", None), ("bone-like", None, None), ("titanium", 1.5, 1.5)],
)
def test_thickness_is_the_material_s_unless_it_is_given(
    material: str, thickness: float | str | None, expected: float | None
) -> None:
    assert Design(material=material, thickness=thickness).constant_thickness == expected


def test_every_material_makes_a_design() -> None:
    for name, material in MATERIALS.items():
        assert Design(material=name).wall == material.minimum_wall


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"material": "wood"}, "wood"),
        ({"gap": 2.5}, "gap"),
        ({"gap": math.nan}, "finite"),
        ({"bevel": 45}, "bevel"),
        ({"thickness": "thick"}, "thick"),
        ({"thickness": 0.2}, "0.6 to 10"),
        ({"thickness": 1.0}, "minimum wall"),
        ({"axis": [0, 0, 0]}, "axis"),
        ({"perfusion": {"diameter": 4.0, "pitch": 4.5}}, "minimum wall between"),
        ({"perfusion": {"margin": 0.5}}, "margin"),
        ({"holes": [{"at": [0, 0, 0], "diameter": 20.0}]}, "diameter"),
        ({"flange": {"width": 40.0}}, "flange"),
        ({"cuts": [{"at": [0, 0, 0], "normal": [0, 0, 0]}]}, "normal"),
        ({"triangle_budget": 12}, "triangle_budget"),
        ({"number": 0}, "number"),
        ({"colour": "red"}, "colour"),
        ({"perfusion": {"radius": 3}}, "radius"),
        ({"gap": "wide"}, "gap"),
    ],
)
def test_what_no_implant_can_have_is_refused(content: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_design(content)


def test_what_is_no_design_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "design.json"
    for text in ("{", "[1, 2]"):
        path.write_text(text)
        with pytest.raises(UserError, match="design"):
            read_design(path)
