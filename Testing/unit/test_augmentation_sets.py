"""Masked and registered heads as sets on disk: what is drawn, what is written, what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from synthetic_head import SyntheticHead

from CranialAugmentationTrainerLib.augmentation.case import case_of
from CranialAugmentationTrainerLib.augmentation.defect_places import DefectPlace, measure_defect, plot_defects
from CranialAugmentationTrainerLib.augmentation.deformable_masking import MASKING_PRESETS, MaskingRange, draw_cut
from CranialAugmentationTrainerLib.augmentation.geometric_presets import GEOMETRIC_PRESETS
from CranialAugmentationTrainerLib.augmentation.heads import Heads, heads_from_files
from CranialAugmentationTrainerLib.augmentation.masked_heads import MaskedHeads
from CranialAugmentationTrainerLib.augmentation.masking_settings import masking_range
from CranialAugmentationTrainerLib.augmentation.offline import Shard, write_set
from CranialAugmentationTrainerLib.augmentation.registration_schedule import ALPHAS
from CranialAugmentationTrainerLib.augmentation.transform import Images
from CranialAugmentationTrainerLib.cli import augmented_set, mask_defects, register_pairs
from CranialAugmentationTrainerLib.datasets.case_grid import read_labels
from CranialAugmentationTrainerLib.datasets.reading import read_data_set
from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.datasets.synthetic_set import FORMATS, SyntheticSet
from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume, write_volume
from CranialReconstructionLib.imaging.head_grid import PAPER_BOX
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame

SPACING = 16.0
GRID = PAPER_BOX.grid(np.zeros(3), SPACING)
PEOPLE = ("anna", "bert", "cora")
HEADS = {
    name: SyntheticHead(thickness=28.0, hole_radius=45.0, half_axes=half_axes)
    for name, half_axes in zip(PEOPLE, ((72.0, 90.0, 82.0), (80.0, 88.0, 76.0), (66.0, 96.0, 84.0)), strict=True)
}


def loaded(number: int) -> Images:
    head = HEADS[PEOPLE[number]]
    return case_of(*(torch.from_numpy(mask(GRID).voxels)[None].float() for mask in (head.complete, head.defect)))


def heads() -> Heads:
    return Heads(PEOPLE, PEOPLE, PAPER_BOX, SPACING, loaded)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cases in SkullFix's layout."""
    folder = tmp_path_factory.mktemp("data")
    for name, head in HEADS.items():
        grid = head.grid((8.0, 8.0, 8.0))
        write_volume(head.skull(grid), folder / "defective_skull" / f"{name}.nrrd")
        write_volume(head.defect(grid), folder / "implant" / f"{name}.nrrd")
    return folder


def content(folder: Path) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """The index, and the files of a set's cases."""
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    return lines, {path.name: path.read_bytes() for path in sorted((folder / "cases").iterdir())}


def masked(count: int, extent: MaskingRange | None = None, seed: int = 0) -> MaskedHeads:
    return MaskedHeads(heads(), count, extent or MaskingRange(), seed)


def written(folder: Path, items: MaskedHeads, **options: Any) -> Any:
    return write_set(items, GRID, SyntheticSet(folder), items.settings(), **options)


def test_each_head_is_used_once_a_round() -> None:
    used = [item["record"]["skull"] for item in masked(9)]
    assert all(sorted(used[first : first + 3]) == sorted(PEOPLE) for first in (0, 3, 6))
    assert used != [item["record"]["skull"] for item in masked(9, seed=1)]


def test_masked_heads_are_whole_heads_with_one_new_hole() -> None:
    for item in masked(6):
        assert torch.equal(item["defect"], item["complete"] - item["skull"])
        # The hole that the head came with is filled.
        assert torch.equal(item["complete"], loaded(PEOPLE.index(item["record"]["skull"]))["complete"])
        assert item["defect"].sum() > 0


def test_a_head_without_bone_is_told() -> None:
    empty = replace(heads(), load=lambda number: case_of(torch.zeros(1, 16, 16, 16), torch.zeros(1, 16, 16, 16)))
    with pytest.raises(UserError, match="none of 20 cuts"):
        MaskedHeads(empty, 1, MaskingRange())[0]


def test_sizes_and_places_can_be_set() -> None:
    """Larger radii cut more bone; places hold the cuts where they are asked for."""
    alone = {"second": 0.0, "satellites": 0, "small": 0.0, "large": 0.0}

    def measured(**settings: Any) -> list[DefectPlace]:
        items = masked(24, replace(MaskingRange(), **alone, **settings))
        places = [measure_defect(item["defect"][0], GRID) for item in items]
        return [place for place in places if place is not None]

    large, small = measured(radius=(50.0, 3.0)), measured(radius=(25.0, 3.0))
    assert np.median([p.millilitres for p in large]) > 2.0 * np.median([p.millilitres for p in small])
    frontal = np.array([place.middle for place in measured(places=((0.0, 1.0, 0.8, 60.0),))])
    assert (frontal[:, 1] > 20.0).mean() > 0.9
    assert abs(frontal[:, 0].mean()) < 15.0
    everywhere = np.array([place.middle for place in large + small])
    assert 0.25 < (everywhere[:, 0] > 0.0).mean() < 0.75
    assert (everywhere[:, 1] < -20.0).any()


def test_the_patches_of_every_cut_lie_on_the_vault() -> None:
    extent = replace(MaskingRange(), second=1.0, satellites=7)
    for seed in range(8):
        cut = draw_cut(extent, lambda d: 85.0 * d, HeadFrame(PAPER_BOX), torch.Generator().manual_seed(seed))
        assert len(cut.patches) >= 3
        for patch in cut.patches:
            # A satellite sits on its primary's border, in the plane that touches the vault: never inside.
            sunk = 0.5 * (85.0 - (85.0**2 - 70.0**2) ** 0.5)
            assert float(patch.centre.norm()) >= 85.0 - 2.0 * sunk


def test_smooth_cuts_have_softer_rims_than_sharp_ones() -> None:
    places = HeadFrame(PAPER_BOX).places(4.0)

    def rim(preset: str) -> float:
        shares = []
        for seed in range(6):
            generator = torch.Generator().manual_seed(seed)
            cut = draw_cut(MASKING_PRESETS[preset], lambda d: 85.0 * d, HeadFrame(PAPER_BOX), generator)
            shares.append(cut.share(places, 0.1))
        stack = torch.stack(shares)
        return float(((stack > 0.0) & (stack < 1.0)).sum() / (stack >= 1.0).sum())

    assert rim("smooth") > 2.0 * rim("sharp")
    assert all(patch.box for patch in draw_cut(
        MASKING_PRESETS["sharp"], lambda d: 85.0 * d, HeadFrame(PAPER_BOX), torch.Generator().manual_seed(0)
    ).patches)  # fmt: skip


def test_settings_as_they_are_written() -> None:
    changed = masking_range("sharp", ["radius=[20, 5]", "depth=12", "satellites=1", "places=[[0,1,1,30],[1,0,1,5]]"])
    assert (changed.radius, changed.depth, changed.satellites) == ((20.0, 5.0), 12.0, 1)
    assert changed.places == ((0.0, 1.0, 1.0, 30.0), (1.0, 0.0, 1.0, 5.0))
    assert changed.boxes == MASKING_PRESETS["sharp"].boxes
    for wrong, why in {
        "size=3": "names no setting",
        "radius": "names no setting",
        "radius=20": "no value of radius",
        "radius=[20,": "no value of radius",
        "radius=[20, 5, 1]": "no value of radius",
        "depth=true": "no value of depth",
        "satellites=1.5": "no value of satellites",
        "places=[[0, 1]]": "a place is a direction",
        "places=[1]": "no value of places",
        "boxes=2": "between 0 and 1",
    }.items():
        with pytest.raises(UserError, match=why):
            masking_range("mixed", [wrong])
    with pytest.raises(UserError, match="mixed, sharp, smooth"):
        masking_range("blunt")


def test_size_and_place_of_a_known_defect(tmp_path: Path) -> None:
    defect = torch.zeros(GRID.shape)
    # Voxels (k, j, i) = (12, 8, 8) and (12, 7, 8): above, a little to the right, in the middle.
    defect[12, 7:9, 8] = 1.0
    place = measure_defect(defect, GRID)
    assert place is not None
    assert place.millilitres == pytest.approx(2.0 * 16.0**3 / 1000.0)
    assert place.middle == pytest.approx((8.0, 0.0, 72.0))
    assert place.from_top == pytest.approx(np.degrees(np.arctan(8.0 / 72.0)))
    assert place.turn == pytest.approx(0.0)
    assert measure_defect(torch.zeros(GRID.shape), GRID) is None
    plot_defects({"drawn": [place], "real": [DefectPlace(20.0, (0.0, -50.0, 60.0))], "none": []}, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        drawn = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for colour in ((0x18, 0x90, 0x9C), (0xD2, 0x69, 0x1E)):
        assert (np.abs(drawn.astype(int) - colour).max(1) < 8).sum() > 20


def test_a_set_holds_what_the_index_says(tmp_path: Path) -> None:
    items = masked(5)
    progress = written(tmp_path, items)
    lines, _ = content(tmp_path)
    assert (progress.accepted, progress.made) == (5, 5)
    assert [line["number"] for line in lines] == list(range(5))
    skull, defect = read_labels(tmp_path / lines[3]["file"])
    assert np.array_equal(defect.voxels, items[3]["defect"][0].numpy() > 0)
    assert np.array_equal(skull.voxels, items[3]["skull"][0].numpy() > 0)
    assert defect.grid.same_as(GRID)
    assert defect.voxels.sum() * 16.0**3 / 1000.0 == pytest.approx(lines[3]["defect_ml"])
    assert lines[3]["facts"]["sources"] == [lines[3]["facts"]["skull"]]
    # The readers know it, and know who is who.
    assert {case.skull for case in read_data_set(tmp_path).cases} == set(PEOPLE)


def test_a_set_grows_and_what_is_torn_is_mended(tmp_path: Path) -> None:
    written(tmp_path / "whole", masked(6))
    written(tmp_path / "torn", masked(4))
    index = tmp_path / "torn" / "index.jsonl"
    kept = index.read_text().splitlines(keepends=True)
    index.write_text("".join([kept[0], kept[2], kept[2], kept[3][:30]]))
    (tmp_path / "torn" / "cases" / "000002.nrrd").unlink()
    (tmp_path / "torn" / "cases" / "000009.nrrd").write_bytes(b"half")
    progress = written(tmp_path / "torn", masked(6))
    assert (progress.accepted, progress.made) == (6, 5)
    assert content(tmp_path / "torn") == content(tmp_path / "whole")


def test_shards_share_the_numbers(tmp_path: Path) -> None:
    written(tmp_path / "whole", masked(5))
    for number in (1, 2):
        written(tmp_path / str(number), masked(5), shard=Shard(number, 2))
    whole, first, second = (content(tmp_path / name) for name in ("whole", "1", "2"))
    assert {**first[1], **second[1]} == whole[1]
    assert [line["number"] for line in first[0]] == [0, 2, 4]
    assert sorted(first[0] + second[0], key=lambda line: line["number"]) == whole[0]
    with pytest.raises(UserError, match="shard differ"):
        written(tmp_path / "1", masked(5))
    assert Shard.parse("3/4").numbers(9) == range(2, 9, 4)
    for wrong in ("4/3", "0/2", "2", "a/b", "-1/2"):
        with pytest.raises(UserError, match="--shard"):
            Shard.parse(wrong)


def test_another_recipe_is_not_mixed_in(tmp_path: Path) -> None:
    written(tmp_path, masked(2))
    with pytest.raises(UserError, match="seed differ"):
        written(tmp_path, masked(2, seed=1))
    with pytest.raises(UserError, match="extent differ"):
        written(tmp_path, masked(2, MASKING_PRESETS["sharp"]))


def test_cases_that_are_none_are_counted_not_written(tmp_path: Path) -> None:
    class Cases(MaskedHeads):
        def __getitem__(self, index: int) -> dict[str, Any]:
            item = super().__getitem__(index)
            if index == 1:
                raise UserError("broken", where="head", remedy="Mend it.")
            if index == 2:
                return {**item, "skull": item["complete"], "defect": torch.zeros_like(item["defect"])}
            if index == 3:
                return {**item, "skull": torch.zeros_like(item["skull"])}
            return item

    items = Cases(heads(), 5, MaskingRange())
    progress = written(tmp_path / "a", items)
    assert progress.accepted == 2
    assert progress.rejected == {"head: broken. Mend it.": 1, "no defect": 1, "no skull": 1}
    assert len(content(tmp_path / "a")[1]) == 2
    assert written(tmp_path / "b", items, needs_defect=False).accepted == 3


def test_kept_heads_are_those_of_their_files(data: Path, tmp_path: Path) -> None:
    def read(folder: Path) -> Heads:
        return heads_from_files(read_data_set(folder).usable().cases, PAPER_BOX, SPACING, tmp_path / "kept")

    first = read(data)[0]
    assert torch.equal(read(data)[0]["complete"], first["complete"])
    assert len(list((tmp_path / "kept").iterdir())) == 1
    # Another set has a case of the same name.
    other = HEADS["bert"]
    grid = other.grid((8.0, 8.0, 8.0))
    write_volume(other.complete(grid), tmp_path / "other" / "anna.nrrd")
    healthy = read(tmp_path / "other")
    assert healthy.names == ("anna",)
    assert not torch.equal(healthy[0]["complete"], first["complete"])
    assert float(healthy[0]["defect"].sum()) == 0.0
    assert first["defect"].sum() > 10
    torch.testing.assert_close(first["complete"], first["skull"] + first["defect"])


def test_the_commands_name_what_the_library_has() -> None:
    assert set(augmented_set.GEOMETRIC) == set(GEOMETRIC_PRESETS)
    assert augmented_set.ENDINGS == FORMATS
    assert set(mask_defects.MASKINGS) == set(MASKING_PRESETS)
    assert register_pairs.ALPHA in ALPHAS


def test_masking_from_the_command_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mask-defects", "--data", str(data), "-o", str(tmp_path / "set"), "--spacing", "16", "--cuts", "smooth"]
    words += ["--set", "radius=[40,2]", "--cache", str(tmp_path / "kept")]
    assert main([*words, "-n", "2"]) == 0
    assert "2 cases are in" in capsys.readouterr().out
    assert main([*words, "-n", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == 2
    assert main([*words, "-n", "4", "--plot", str(tmp_path / "p.png"), "--reference", str(data)]) == 0
    output = capsys.readouterr()
    assert "4 cases are in" in output.out
    assert "2 are new" in output.out
    assert "4 of 4 cases" in output.err
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert SyntheticSet(tmp_path / "set").recipe()["extent"]["radius"] == [40.0, 2.0]
    # Moved by a preset, it is another set.
    assert main([*words, "-n", "4", "--geometric", "basic"]) == 2
    assert "geometric" in capsys.readouterr().err
    assert main([*words[:4], str(tmp_path / "moved"), *words[5:], "-n", "4", "--geometric", "heavy"]) == 0
    assert content(tmp_path / "moved")[1] != content(tmp_path / "set")[1]


def test_registration_from_the_command_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Split(("anna", "bert"), ("cora",), ()).write(tmp_path / "split.json")
    words = ["register-pairs", "--data", str(data), "-o", str(tmp_path / "set"), "--spacing", "16"]
    words += ["--split", str(tmp_path / "split.json"), "--format", ".nii.gz", "--alpha", "25000", "--device", "cpu"]
    assert main([*words, "-n", "4", "--states", "2"]) == 0
    lines, files = content(tmp_path / "set")
    assert [line["facts"]["iterations"] for line in lines] == [100, 200, 100, 200]
    assert {tuple(line["facts"]["sources"]) for line in lines} == {("anna", "bert"), ("bert", "anna")}
    assert {line["facts"]["alpha"] for line in lines} == {25000.0}
    assert all("folding_fraction" in line["facts"] and line["defect_ml"] > 1.0 for line in lines)
    assert all(name.endswith(".nii.gz") for name in files)
    capsys.readouterr()
    for more, why in (
        (["-n", "3"], "give 2 pairs, not 3"),
        (["-n", "2", "--states", "0"], "--states"),
        (["-n", "2", "--alpha", "-1"], "alpha"),
        (["-n", "2", "--spacing", "0.01"], "--spacing"),
        (["-n", "2", "--data", str(tmp_path / "nowhere")], "no such folder"),
    ):
        assert main([*words, *more]) == 2
        assert why in capsys.readouterr().err


def test_pairs_are_kept_beside_their_cases(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["register-pairs", "--data", str(data), "--spacing", "16", "--cache", str(tmp_path / "heads")]
    words += ["-n", "2", "--states", "2", "--alpha", "100", "--device", "cpu", "-o", str(tmp_path / "set")]
    assert main([*words[:-1], str(tmp_path / "plain")]) == 0
    assert main([*words, "--keep-pairs"]) == 0
    lines, _ = content(tmp_path / "set")
    beside = [line["facts"].pop("beside") for line in lines]
    plain, files = content(tmp_path / "plain")
    # What is kept beside them changes nothing of the cases.
    assert (lines, files) == (plain, content(tmp_path / "set")[1])
    assert not (tmp_path / "plain" / "pairs").exists()
    # The two states of a pair share its heads.
    assert beside[0]["moving"] == beside[1]["moving"] != beside[0]["fixed"]
    assert len(list((tmp_path / "set" / "pairs").iterdir())) == 2 + 2
    grid = read_volume(tmp_path / "set" / lines[1]["file"]).grid
    for line, kept in zip(lines, beside, strict=True):
        volumes = {role: read_volume(tmp_path / "set" / place) for role, place in kept.items()}
        assert all(volume.grid.same_as(grid) for volume in volumes.values())
        assert set(np.unique(volumes["moving"].voxels)) == {0, 1, 2}
        determinant = volumes["determinant"].voxels
        assert (determinant < 0).mean() == pytest.approx(line["facts"]["folding_fraction"])
        np.testing.assert_array_equal(32.0 * determinant, np.round(32.0 * determinant))
        # The warp begins at one head and ends near the other.
        there = read_volume(tmp_path / "set" / line["file"]).voxels > 0
        away = {role: (there != (volumes[role].voxels > 0)).sum() for role in ("moving", "fixed")}
        assert 0 < away["fixed"] < away["moving"]
    assert main([*words, "--keep-pairs", "--geometric", "basic"]) == 2
    assert "--keep-pairs" in capsys.readouterr().err


# Each case takes a tenth of a second, so that the run is still at work when it is killed.
KILLED = """
import sys
import time
from pathlib import Path
from test_augmentation_sets import masked, written

if __name__ == "__main__":
    written(Path(sys.argv[1]), masked(400), workers=1, report=lambda _: time.sleep(0.1))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    script, folder = tmp_path / "killed.py", tmp_path / "set"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    child = subprocess.Popen([sys.executable, str(script), str(folder)], env=environment)
    index, limit = folder / "index.jsonl", time.monotonic() + 120.0
    while not index.exists() or index.read_bytes().count(b"\n") < 5:
        assert time.monotonic() < limit
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    there = index.read_bytes().count(b"\n")
    count = there + 4
    progress = written(folder, masked(count))
    assert progress.accepted == count
    assert progress.made <= 4 + 1
    written(tmp_path / "whole", masked(count))
    lines, files = content(folder)
    whole_lines, whole_files = content(tmp_path / "whole")
    assert lines[:count] == whole_lines
    assert {name: files[name] for name in whole_files} == whole_files
