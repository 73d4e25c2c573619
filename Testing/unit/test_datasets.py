"""Data sets are found by their layout, and a person stays on one side of a split."""

from pathlib import Path

import pytest

from CranialAugmentationTrainerLib.datasets.paired_skulls import find_paired_skulls
from CranialAugmentationTrainerLib.datasets.split import Split, split_by_skull
from CranialReconstructionLib.errors import UserError

NAMES = [f"{n:03d}" for n in range(20)]


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_skullfix_layout(tmp_path: Path) -> None:
    for name in ("007", "002"):
        touch(tmp_path / "defective_skull" / f"{name}.nrrd", tmp_path / "implant" / f"{name}.nrrd")
    cases = find_paired_skulls(tmp_path)
    assert [case.name for case in cases] == ["002", "007"]
    assert cases[0].implant == tmp_path / "implant" / "002.nrrd"


def test_skullbreak_layout_keeps_the_person(tmp_path: Path) -> None:
    for kind in ("bilateral", "random_1"):
        touch(tmp_path / "defective_skull" / kind / "003.nrrd", tmp_path / "implant" / kind / "003.nrrd")
    cases = find_paired_skulls(tmp_path)
    assert [case.name for case in cases] == ["bilateral/003", "random_1/003"]
    assert {case.skull for case in cases} == {"003"}


def test_a_missing_implant_is_named(tmp_path: Path) -> None:
    touch(tmp_path / "defective_skull" / "001.nrrd")
    with pytest.raises(UserError, match=r"001\.nrrd.*no implant"):
        find_paired_skulls(tmp_path)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="layout"):
        find_paired_skulls(tmp_path)


def test_a_split_is_a_division_and_repeats() -> None:
    split = split_by_skull(NAMES, seed=4, validation=3, test=5)
    assert sorted([*split.train, *split.validation, *split.test]) == NAMES
    assert (len(split.validation), len(split.test)) == (3, 5)
    assert split == split_by_skull(reversed(NAMES), seed=4, validation=3, test=5)
    assert split != split_by_skull(NAMES, seed=5, validation=3, test=5)


def test_one_person_under_two_names_is_only_trained_on() -> None:
    for seed in range(20):
        split = split_by_skull(NAMES, seed, validation=5, test=10, same_person=[("003", "011")])
        assert {"003", "011"} <= set(split.train)


def test_a_split_survives_its_file(tmp_path: Path) -> None:
    split = split_by_skull(NAMES, seed=1, validation=2, test=2)
    split.write(tmp_path / "split.json")
    assert Split.read(tmp_path / "split.json") == split


@pytest.mark.parametrize(
    "text", ["{}", "not json", '{"train": ["a"], "validation": ["a"], "test": []}', '{"train": 3}']
)
def test_a_spoilt_split_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"split\.json"):
        Split.read(path)


def test_too_few_skulls_are_refused() -> None:
    with pytest.raises(UserError, match="3 skulls"):
        split_by_skull(["a", "b", "c"], seed=0, validation=2, test=1)
