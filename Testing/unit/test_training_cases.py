"""What `cranial train` learns from and is told: data sets, splits, order, augmentation, settings, previews."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_cases import SIDE, ball_case, write_cases

from CranialAugmentationTrainerLib.cli import train as train_command
from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.datasets.synthetic_set import SetRecord, SyntheticSet
from CranialAugmentationTrainerLib.training.case_network_settings import CaseNetworkSettings
from CranialAugmentationTrainerLib.training.case_numbers import AugmentedNumbers, NumberedCases, Warps
from CranialAugmentationTrainerLib.training.case_previews import picture_of, thin_out
from CranialAugmentationTrainerLib.training.case_store import StoredCase, StoredCases, gather_cases
from CranialAugmentationTrainerLib.training.pace import Pace, StepNumbers
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.run_state import read_run
from CranialAugmentationTrainerLib.training.training_settings import (
    METHODS,
    OnlineAugmentation,
    TrainingSettings,
    parse_training,
    training_settings,
)
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume

TINY = training_settings("vae", "tiny")


def stored(number: int) -> StoredCase:
    shares = (255 * np.stack(ball_case(number))).astype(np.uint8)
    return StoredCase(f"{number:03d}", f"{number:03d}", str(number), False, shares)


def gathered(
    folders: list[Path], tmp_path: Path, chosen: TrainingSettings = TINY, split: Path | None = None
) -> tuple[StoredCases, RunFolder]:
    run = RunFolder(tmp_path / "run")
    run.create(chosen.as_json(), folders)
    return gather_cases(folders, chosen, run, tmp_path / "cache", split), run


def names(cases: tuple[StoredCase, ...]) -> list[str]:
    return [case.name for case in cases]


def left_out(run: RunFolder) -> dict[str, str]:
    return {event["case"]: event["reason"] for event in run.read_events() if event["event"] == "left_out"}


def test_broken_cases_are_told_and_the_others_used(tmp_path: Path) -> None:
    data = write_cases(tmp_path / "data", 4)
    (data / "000" / "skull.nrrd").write_bytes(b"no volume")
    (data / "001" / "defect.nrrd").unlink()
    grid = case_grid(SIDE).ijk_to_ras
    write_volume(Volume(np.zeros(3 * (SIDE,), np.uint8), grid, "empty"), data / "002" / "skull.nrrd")
    write_volume(Volume(np.zeros(3 * (SIDE,), np.uint8), grid, "empty"), data / "002" / "defect.nrrd")
    cases, run = gathered([data], tmp_path)
    assert "003" in names(cases.training)
    assert left_out(run).keys() >= {"000", "001"}
    assert "not known" in left_out(run)["001"]
    assert read_run(run.path).left_out >= 2


def test_the_given_split_holds_for_real_and_for_synthetic_cases(tmp_path: Path) -> None:
    """A set that was made from a validation skull carries its name, and stays out of training with it."""
    data, made = write_cases(tmp_path / "data", 5), SyntheticSet(tmp_path / "made")
    made.begin({"method": "registration"})
    for number, skull in enumerate(("000", "001", "002", None)):
        missing = ball_case(number)[1]
        labels = (ball_case(number)[0] + 2 * missing).astype(np.uint8)
        write_volume(Volume(labels, case_grid(SIDE).ijk_to_ras, "labels"), made.volume(number))
        facts = {} if skull is None else {"skull": skull}
        made.append(SetRecord(number, file=f"cases/{number:06d}.nrrd", skull_ml=1.0, defect_ml=1.0, facts=facts))
    split = tmp_path / "split.json"
    Split(("000",), ("001",), ("002",)).write(split)
    cases, run = gathered([data, made.path], tmp_path, split=split)
    assert names(cases.training) == ["000", "003", "004", "000000", "000003"]
    assert names(cases.validation) == ["001"]
    written = Split.read(run.split)
    assert (written.validation, written.test) == (("001",), ("002",))
    # The run's own division is what counts from then on.
    Split(("001",), ("000",), ("002",)).write(split)
    assert gather_cases([data, made.path], TINY, run, tmp_path / "cache", split).digest == cases.digest


def test_a_split_of_other_skulls_is_refused(tmp_path: Path) -> None:
    split = tmp_path / "split.json"
    Split(("A",), ("B",), ("C",)).write(split)
    with pytest.raises(UserError, match="none of the skulls"):
        gathered([write_cases(tmp_path / "data", 2)], tmp_path, split=split)


@pytest.mark.parametrize(("count", "sizes"), [(1, (1, 0)), (2, (1, 1)), (6, (4, 1))])
def test_a_split_that_is_drawn_leaves_something_to_train_on(count: int, sizes: tuple[int, int], tmp_path: Path) -> None:
    cases, run = gathered([write_cases(tmp_path / "data", count)], tmp_path)
    assert (len(cases.training), len(cases.validation)) == sizes
    division = Split.read(run.split)
    assert sorted((*division.train, *division.validation, *division.test)) == [f"{n:03d}" for n in range(count)]


def test_whole_skulls_teach_only_where_they_are_cut(tmp_path: Path) -> None:
    data, grid = write_cases(tmp_path / "data", 2), case_grid(SIDE).ijk_to_ras
    for number in (2, 3):
        whole = np.logical_or(*ball_case(number)).astype(np.uint8)
        write_volume(Volume(whole, grid, "whole"), data / f"{number:03d}.nrrd")
    assert len(gathered([data], tmp_path)[0].training) == 1
    masking = replace(TINY, augmentation=OnlineAugmentation("masking", masked=0.0))
    cases = gathered([data], tmp_path / "masked", masking)[0]
    whole_ones = [case for case in cases.training if not case.shares[1].any()]
    assert whole_ones
    cut = AugmentedNumbers(NumberedCases(whole_ones, 0), masking.augmentation)[0]
    assert float(cut[1].sum()) > 1.0
    np.testing.assert_allclose(
        cut.sum(0), whole_ones[NumberedCases(whole_ones, 0).index(0)].shares[0] / 255.0, atol=1e-6
    )


def test_a_changed_file_is_resampled_again(tmp_path: Path) -> None:
    data = write_cases(tmp_path / "data", 1)
    first, run = gathered([data], tmp_path)
    skull, _ = ball_case(3)
    write_volume(Volume(skull.astype(np.uint8), case_grid(SIDE).ijk_to_ras, "x"), data / "000" / "skull.nrrd")
    again = gather_cases([data], TINY, run, tmp_path / "cache")
    assert again.digest != first.digest
    assert not np.array_equal(again.training[0].shares, first.training[0].shares)


def test_cases_that_were_copied_elsewhere_are_the_same_cases(tmp_path: Path) -> None:
    data = write_cases(tmp_path / "data", 2)
    first, run = gathered([data], tmp_path)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(data, elsewhere, copy_function=shutil.copyfile)
    shutil.rmtree(data)
    assert gather_cases([elsewhere], TINY, run, tmp_path / "cache").digest == first.digest


def test_every_case_comes_once_a_turn_in_another_order() -> None:
    numbered = NumberedCases([stored(number) for number in range(5)], seed=3)
    turns = [[numbered.index(number) for number in range(turn * 5, turn * 5 + 5)] for turn in range(4)]
    assert all(sorted(turn) == [0, 1, 2, 3, 4] for turn in turns)
    assert len({tuple(turn) for turn in turns}) > 1
    assert numbered.index(2) == turns[0][2]


@given(
    st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(1, 3),
    st.lists(st.integers(0, 12), max_size=6),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_each_number_is_seen_once_however_often_a_run_is_stopped(
    steps: int, validate: int, checkpoint: int, preview: int, batch: int, processes: int, stops: list[int]
) -> None:
    pace = Pace(steps, 1, validate, checkpoint, preview)
    seen: list[list[int]] = [[] for _ in range(processes)]
    done, lengths = 0, [*stops, *[10**6] * (3 * steps)]
    while done < steps:
        taken = []
        for process in range(processes):
            batches = list(StepNumbers(pace, lambda: done, batch, lambda p=process: (p, processes)))  # noqa: B023
            taken.append(batches[: max(1, lengths[0])])
            seen[process] += [number for numbers in taken[-1] for number in numbers]
        lengths.pop(0)
        done += len(taken[0])
        assert all(len(other) == len(taken[0]) for other in taken)
        assert all(
            step % every for every in (validate, checkpoint, preview) for step in range(done + 1, pace.halt(done))
        )
    assert sorted(number for numbers in seen for number in numbers) == list(range(steps * batch * processes))
    assert list(StepNumbers(pace, lambda: done, batch, lambda: (0, 1))) == []


@pytest.mark.parametrize("names", ["basic", "masking", "registration", "registration+masking+extreme"])
def test_an_augmented_case_follows_from_its_number(names: str) -> None:
    numbered = NumberedCases([stored(number) for number in range(3)], seed=1)
    warps = Warps({index: [0.1 * torch.randn(3, 4, 4, 4)] for index in range(3)})
    made = AugmentedNumbers(numbered, OnlineAugmentation(names, masked=1.0, warped=1.0), warps)
    again = AugmentedNumbers(numbered, OnlineAugmentation(names, masked=1.0, warped=1.0), warps)
    several = [made[number] for number in range(6)]
    for number in (4, 1):
        torch.testing.assert_close(again[number], several[number], rtol=0, atol=0)
    plain = [numbered[number].float() / 255.0 for number in range(6)]
    assert any(not torch.equal(one, other) for one, other in zip(several, plain, strict=True))
    # The same case comes with other draws in the next turn.
    first, second = (next(n for n in turn if numbered.index(n) == 0) for turn in (range(3), range(3, 6)))
    assert not torch.equal(several[first], several[second])
    for case in several:
        assert case.shape == (2, SIDE, SIDE, SIDE)
        assert float(case.min()) >= 0.0
        assert float(case.sum(0).max()) <= 1.0 + 1e-5


def test_synthetic_cases_are_not_warped() -> None:
    numbered = NumberedCases([stored(0), stored(1)], seed=0)
    made = AugmentedNumbers(
        numbered, OnlineAugmentation("registration", warped=1.0), Warps({0: [torch.ones(3, 2, 2, 2)]})
    )
    for number in range(4):
        alike = torch.equal(made[number], numbered[number].float() / 255.0)
        assert alike == (numbered.index(number) == 1)


def test_the_command_names_what_the_library_knows() -> None:
    assert train_command.METHODS == METHODS
    assert {training_settings("vae", name).preset for name in train_command.PRESETS} == set(train_command.PRESETS)


def test_settings_survive_the_run_folder() -> None:
    for method in METHODS:
        for name in train_command.PRESETS:
            chosen = training_settings(method, name)
            assert parse_training(json.loads(json.dumps(chosen.as_json())), "run.json").as_json() == chosen.as_json()


def test_overrides_reach_every_table_with_their_types() -> None:
    chosen = training_settings(
        "vae",
        "tiny",
        ("steps=7", "network.widths=4,8", "settings.optimiser.learning_rate=1", "seed=5", "precision=bf16-mixed"),
    )
    assert (chosen.steps, chosen.precision) == (7, "bf16-mixed")
    assert chosen.settings.network.widths == (4, 8)
    assert chosen.settings.optimiser.learning_rate == 1.0
    # The noise of training follows the run's seed, unless it has one of its own.
    assert (chosen.seed, chosen.settings.seed) == (5, 5)
    assert training_settings("vae", "tiny", ("seed=5", "settings.seed=9")).settings.seed == 9
    network = training_settings("reconstruction", "tiny", ("arguments.norm=batch", "augmentation.names=basic+masking"))
    assert isinstance(network.settings, CaseNetworkSettings)
    assert network.settings.arguments["norm"] == "batch"
    assert network.augmentation.chosen == ("basic", "masking")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("steps", "sets nothing"),
        ("speed=3", "no setting 'speed'.*steps"),
        ("network.depth=3", "no setting 'network.depth'.*widths"),
        ("network.widths.first=3", "no table"),
        ("steps=many", "'many' is not a number"),
        ("steps=0", "steps must be at least one"),
        ("network.side=17", "halve"),
        ("network.widths=[4, true]", "True is not"),
        ("augmentation.names=basic+heavy", "basic and heavy"),
        ("augmentation.names=magic", "no augmentation 'magic'"),
        ("split.validation=1.5", "leave something"),
        ("autoencoder=somewhere", "only a latent diffusion"),
        ("devices=0", "devices"),
    ],
)
def test_a_wrong_override_is_named(word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        training_settings("vae", "tiny", (word,))


def test_previews_are_thinned_out_evenly(tmp_path: Path) -> None:
    kept: list[int] = []
    for step in range(100, 4100, 100):
        (tmp_path / f"step-{step:06d}").mkdir()
        (tmp_path / f"step-{step:06d}.png").touch()
        thin_out(tmp_path, 8)
        kept = sorted(int(path.stem[5:]) for path in tmp_path.glob("*.png"))
        assert len(kept) <= 8
        assert kept[-1] == step
    assert kept[0] == 100
    gaps = np.diff(kept)
    assert gaps.max() <= 4 * gaps.min()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [f"step-{step:06d}" for step in kept]


def test_the_picture_shows_bone_and_the_hole_where_they_are() -> None:
    """A plate at the right, anterior, superior corner of the box, with a hole in its upper half."""
    case = np.zeros((1, 2, 16, 16, 16), dtype=np.float32)
    case[0, 0, 8:12, 10:14, 13:15] = 1.0
    case[0, 1, 12:15, 10:14, 13:15] = 1.0
    picture = picture_of(case).astype(int)
    edge = picture.shape[0] // 3
    lateral, above = picture[:edge, :edge], picture[edge : 2 * edge, :edge]
    blue = (lateral[..., 2] > lateral[..., 0] + 20).nonzero()
    bone = ((lateral[..., 0] > lateral[..., 2] + 5) & (lateral[..., 0] > 60)).nonzero()
    assert blue[0].mean() < bone[0].mean() < 0.6 * edge
    # Columns run from posterior to anterior seen from the right; from above, anterior is up, right is right.
    assert bone[1].mean() > 0.6 * edge
    seen = (above.max(-1) > 60).nonzero()
    assert seen[0].mean() < 0.4 * edge
    assert seen[1].mean() > 0.7 * edge


def test_runs_of_the_other_command_are_listed_too(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.create({"stage": "coarse", "steps": 100}, tmp_path)
    run.log("started", step=0, steps=100)
    run.log("step", step=50, loss=0.5, seconds_a_step=2.0)
    seen = read_run(tmp_path)
    assert (seen.method, seen.step, seen.steps, seen.state) == ("train-reconstruction (coarse)", 50, 100, "killed")


def test_a_run_on_another_computer_is_not_called_killed(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.create({"method": "vae"}, tmp_path)
    run.log("begun", pid=1, host="some-other-computer", resumed=False)
    assert read_run(tmp_path).state == "elsewhere"


def test_several_machines_share_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    from CranialAugmentationTrainerLib.training.training import _machine

    several: Any = SimpleNamespace(**{**vars(TINY), "devices": 2})
    assert _machine(several).strategy == "ddp_find_unused_parameters_true"
