"""A set on disk: what its index says is there, whatever a kill left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.datasets.reading import read_data_set
from CranialAugmentationTrainerLib.datasets.synthetic_set import SetRecord, SyntheticSet
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume

RECIPE = {"making": {"seed": 3, "sizes": (1, 2)}}


def small_set(folder: Path, rejected: tuple[int, ...] = (1,), count: int = 4) -> SyntheticSet:
    made = SyntheticSet(folder)
    made.begin(RECIPE, "somewhere")
    for number in range(count):
        if number in rejected:
            made.append(SetRecord(number, "no defect"))
            continue
        path = made.volume(number)
        write_volume(Volume(np.full((4, 4, 4), 1, dtype=np.uint8), case_grid(4).ijk_to_ras), path)
        facts = {"skull": "012"} if number == 0 else {}
        made.append(SetRecord(number, file=path.relative_to(folder).as_posix(), skull_ml=1.5, facts=facts))
    return made


def test_accepted_cases_are_a_data_set(tmp_path: Path) -> None:
    made = small_set(tmp_path)
    data = read_data_set(tmp_path)
    assert data.kind == "synthetic"
    assert [case.name for case in data.cases] == ["000000", "000002", "000003"]
    assert data.cases[0].paired
    # A case that was made from a person's skull stays with that person in a split.
    assert [case.skull for case in data.cases] == ["012", f"{tmp_path.name}/000002", f"{tmp_path.name}/000003"]
    assert made.records()[1].rejected == "no defect"


def test_missing_and_damaged_volumes_are_broken_cases(tmp_path: Path) -> None:
    made = small_set(tmp_path)
    made.volume(0).unlink()
    made.volume(3).write_bytes(b"no volume")
    data = read_data_set(tmp_path)
    assert [case.name for case in data.cases] == ["000002"]
    assert {case.name: case.reason for case in data.broken} == {
        "000000": "the file is missing",
        "000003": "its header cannot be read",
    }


def test_beginning_again_puts_right_what_a_kill_tore(tmp_path: Path) -> None:
    made = small_set(tmp_path)
    whole = made.records()
    lines = made.index.read_text().splitlines(keepends=True)
    made.index.write_text("".join([lines[3], lines[0], "not json\n", lines[1], lines[0], "{}\n", lines[2][:-5]]))
    (tmp_path / "cases" / ".123.part-000009.nrrd").write_bytes(b"half")
    made.begin(RECIPE)
    assert list(made.records()) == [0, 1, 3]
    assert [json.loads(line)["number"] for line in made.index.read_text().splitlines()] == [0, 1, 3]
    assert not list(tmp_path.glob("cases/.*"))
    made.append(whole[2])
    # The end leaves no volume that the index does not know.
    write_volume(Volume(np.ones((4, 4, 4), dtype=np.uint8), np.eye(4)), made.volume(77))
    made.finish()
    assert made.records() == whole
    assert sorted(path.name for path in (tmp_path / "cases").iterdir()) == ["000000.nrrd", "000002.nrrd", "000003.nrrd"]


def test_the_recipe_is_kept_to_and_the_origin_may_move(tmp_path: Path) -> None:
    made = small_set(tmp_path)
    made.begin(RECIPE, "elsewhere")
    assert made.recipe() == {"making": {"seed": 3, "sizes": [1, 2]}, "origin": "somewhere"}
    with pytest.raises(UserError, match="making differ"):
        made.begin({"making": {"seed": 4, "sizes": (1, 2)}})
    # A recipe that nothing was made by binds nobody.
    unused = SyntheticSet(tmp_path / "unused")
    unused.begin(RECIPE)
    unused.begin({"making": {"seed": 4}})
    assert unused.recipe() == {"making": {"seed": 4}}
    (tmp_path / "set.json").unlink()
    with pytest.raises(UserError, match=r"without set\.json"):
        made.begin(RECIPE)
    with pytest.raises(UserError, match="not a synthetic set"):
        made.recipe()
