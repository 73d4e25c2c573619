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
        ({"gap": "wide"}, "gap is 'wide', not a finite number"),
        ({"bevel": True}, "bevel is True, not a finite number"),
        ({"minimum_wall": "2"}, "minimum_wall is '2'"),
        ({"thickness": [4]}, "thickness is"),
        ({"axis": "up"}, "axis is 'up', not three finite numbers"),
        ({"axis": [0, 1]}, "not three finite numbers"),
        ({"number": 1.5}, "number is 1.5, not a whole number"),
        ({"triangle_budget": "many"}, "triangle_budget is 'many'"),
        ({"mould": "yes"}, "mould is 'yes', neither true nor false"),
        ({"name": 7}, "name is 7"),
        ({"material": ["PEEK"]}, "material"),
        ({"perfusion": 5}, "perfusion is 5, not an object"),
        ({"perfusion": {"pitch": "ten"}}, "perfusion: pitch is 'ten', not a finite number"),
        ({"flange": [8, 0.8]}, "flange is .*, not an object"),
        ({"flange": {"width": None}}, "flange: width is None"),
        ({"holes": {"at": [0, 0, 0]}}, "holes is .*, not a list"),
        ({"holes": [{"at": [0, 0, 0]}, {"diameter": 2}]}, "entry 2 of holes: at is missing"),
        ({"holes": [{"at": [0, "0", 0]}]}, "entry 1 of holes: at is"),
        ({"cuts": [{"at": [0, 0, 0], "normal": 3}]}, "entry 1 of cuts: normal is 3"),
        ({"cuts": ["left"]}, "entry 1 of cuts is 'left', not an object"),
    ],
)
def test_what_no_implant_can_have_is_refused(content: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        parse_design(content, "mine.json")
    assert refused.value.where == "mine.json"


def test_what_is_no_design_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "design.json"
    for text in ("{", "[1, 2]"):
        path.write_text(text)
        with pytest.raises(UserError, match="design"):
            read_design(path)
