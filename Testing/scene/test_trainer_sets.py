"""Sets as the panel makes them: ordered, watched, paused, killed, gone on with, measured, and seen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_generator import untrained_run
from trainer_scene import TrainerApplication, reopened
from training_runs import labels_of_ball, new_run, write_label_cases

from CranialAugmentationTrainerLib.augmentation.masking_settings import masking_range
from CranialAugmentationTrainerLib.cli.generate import LIMITS
from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.datasets.synthetic_set import SetRecord, SyntheticSet
from CranialAugmentationTrainerLib.scene.pair_surfaces import pair_models
from CranialAugmentationTrainerLib.scene.sequences import frame_note, frame_values, models_of, show_frame
from CranialAugmentationTrainerLib.scene.set_cases import FIRST, IN_A_ROW, rows_of, shown_cases
from CranialAugmentationTrainerLib.scene.set_statistics import rows_of_table, statistics_of
from CranialAugmentationTrainerLib.workflow import set_watch
from CranialAugmentationTrainerLib.workflow.commands import begin
from CranialAugmentationTrainerLib.workflow.launch import RECORD, read_launch
from CranialAugmentationTrainerLib.workflow.run_watch import RunsWatch
from CranialAugmentationTrainerLib.workflow.set_actions import (
    StatisticsOrder,
    generating_runs,
    go_on_with_set,
    pause_set,
    picture_of,
    start_set,
    trial_of,
    usual_statistics,
    words_to_go_on,
    words_to_start,
)
from CranialAugmentationTrainerLib.workflow.set_orders import (
    PLACES,
    MaskedOrder,
    RegisteredOrder,
    Skulls,
    SyntheticOrder,
    cuts_at,
    cuts_of_size,
)
from CranialAugmentationTrainerLib.workflow.set_showing import (
    hide_sets,
    reveal_cases,
    reveal_pair,
    show_figures,
    show_next_case,
)
from CranialAugmentationTrainerLib.workflow.set_watch import SetWatch
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume

PATIENCE = 120.0
RUNS = {"good": "vae", "fresh": "vqvae", "other": "reconstruction"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_run(tmp_path_factory.mktemp("runs") / "vae")


@pytest.fixture
def application(tmp_path: Path) -> Iterator[TrainerApplication]:
    made = TrainerApplication(tmp_path / "cache-of-the-first")
    yield made
    made.scene.Clear(True)


def until(what: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def reaches(watch: SetWatch, state: str) -> bool:
    watch.poll()
    assert watch.set.state in ("working", state), watch.set.said
    return watch.set.state == state


def recorded(folder: Path, words: list[str]) -> None:
    """As if a process had been begun there, on a computer that is not this one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).write_text(json.dumps({"words": words, "pid": 1, "host": "another", "begun": 0}))


def add_case(folder: Path, number: int, rejected: str = "", radius: float = 70.0) -> None:
    made = SyntheticSet(folder)
    file = ""
    if not rejected:
        write_volume(labels_of_ball(16, radius), made.volume(number))
        file = made.volume(number).relative_to(folder).as_posix()
    made.append(SetRecord(number, rejected, file))


def test_orders_are_the_commands_words(run: Path, tmp_path: Path) -> None:
    data, folder = write_label_cases(tmp_path / "data", 2), tmp_path / "set"
    Split(("000",), ("001",), ()).write(tmp_path / "split.json")
    limits = {**LIMITS, "least_skull": 0.01}
    synthetic = SyntheticOrder(run, 7, "uds", "literal", 3, limits=limits, ending=".nii.gz", workers=2, batch=4)
    skulls = Skulls(data, 5, 1, split=tmp_path / "split.json", spacing=4.0, workers=1, cache=tmp_path / "heads")
    registered = RegisteredOrder(skulls, 25000.0, states=2)
    masked = MaskedOrder(replace(skulls, geometric="heavy"), "sharp", ("radius=[20, 5]",))
    told = []
    for number, order in enumerate((synthetic, registered, masked)):
        recorded(tmp_path / str(number), order.words(folder))
        launch = read_launch(tmp_path / str(number))
        assert launch is not None
        told.append(vars(set_watch.words_of(launch)))
    assert [options["output"] for options in told] == [folder] * 3
    expected: list[dict[str, Any]] = [
        {
            "generator": run, "count": 7, "sampling": "uds", "form": "literal", "seed": 3, "keep_all": False,
            "limits": ["least_skull=0.01"], "format": ".nii.gz", "workers": 2, "batch": 4,
        },
        {
            "data": data, "count": 5, "seed": 1, "split": tmp_path / "split.json", "spacing": 4.0, "workers": 1,
            "alpha": 25000.0, "states": 2, "keep_pairs": True, "device": "cpu", "geometric": None,
        },
        {"cuts": "sharp", "changes": ["radius=[20, 5]"], "geometric": "heavy", "cache": tmp_path / "heads"},
    ]  # fmt: skip
    for options, wanted in zip(told, expected, strict=True):
        assert {name: options[name] for name in wanted} == wanted
    assert "--keep-all" in SyntheticOrder(run, keep_all=True, limits=limits).words(folder)


def test_cuts_are_asked_for_by_size_and_place() -> None:
    for place in PLACES:
        extent = masking_range("mixed", cuts_at(place))
        assert extent.places == (PLACES[place],)
    extent = masking_range("sharp", (*cuts_of_size(20.0, 2.5), *cuts_at("left", "right")))
    assert (extent.radius, extent.small, extent.large, len(extent.places)) == ((20.0, 2.5), 0.0, 0.0, 2)
    assert cuts_at() == ()


def test_a_trial_is_the_first_pair_alone(tmp_path: Path) -> None:
    order = RegisteredOrder(Skulls(tmp_path, 9, 4, "heavy", workers=3), 500.0, 5, keep_pairs=False)
    trial = trial_of(order, tmp_path / "heads")
    assert (trial.alpha, trial.states, trial.keep_pairs) == (500.0, 1, True)
    assert trial.skulls == Skulls(tmp_path, 1, 4, cache=tmp_path / "heads")


def test_runs_that_can_generate(tmp_path: Path) -> None:
    good, fresh, other = (new_run(tmp_path / name, method) for name, method in RUNS.items())
    for run in (good, other):
        run.checkpoint.parent.mkdir(exist_ok=True)
        run.checkpoint.write_bytes(b"weights")
    assert [run.folder for run in generating_runs(RunsWatch([tmp_path]).runs)] == [good.path]
    assert fresh.path.is_dir()


def test_an_order_that_cannot_be_is_refused(run: Path, tmp_path: Path) -> None:
    data = write_label_cases(tmp_path / "data", 1)
    skulls = Skulls(data)
    for make, why in (
        (lambda: SyntheticOrder(Path()), "no generator is chosen"),
        (lambda: SyntheticOrder(tmp_path), "neither a run nor"),
        (lambda: SyntheticOrder(run, 0), "count"),
        (lambda: SyntheticOrder(run, sampling="best"), "no sampling"),
        (lambda: SyntheticOrder(run, limits={"main_skull": 1.5}), "main_skull"),
        (lambda: SyntheticOrder(run, limits={"size": 0.5}), "no limit"),
        (lambda: Skulls(Path()), "no skulls"),
        (lambda: Skulls(tmp_path / "none"), "no such folder"),
        (lambda: Skulls(data, split=tmp_path / "none.json"), "no such file"),
        (lambda: Skulls(data, spacing=0.1), "voxel edge"),
        (lambda: Skulls(data, geometric="wild"), "no geometric"),
        (lambda: RegisteredOrder(skulls, alpha=-1.0), "alpha"),
        (lambda: RegisteredOrder(skulls, states=0), "states"),
        (lambda: RegisteredOrder(replace(skulls, geometric="basic")), "where their pairs do"),
        (lambda: RegisteredOrder(replace(skulls, workers=2), device="cuda"), "share one GPU"),
        (lambda: MaskedOrder(skulls, "blunt"), "no cuts"),
        (lambda: MaskedOrder(skulls, settings=("radius",)), "sets nothing"),
        (lambda: StatisticsOrder(tmp_path, tmp_path / "none"), "no such folder"),
    ):
        with pytest.raises(UserError, match=why):
            make()


def test_a_set_is_watched_as_it_grows(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(set_watch.time, "monotonic", lambda: now)
    folder = tmp_path / "set"
    with pytest.raises(UserError, match="no set"):
        SetWatch(folder)
    recorded(folder, SyntheticOrder(run, 40).words(folder))
    monkeypatch.setattr(set_watch.Command, "state", "working")
    watch = SetWatch(folder)
    assert (watch.set.command, watch.set.wanted, watch.set.accepted, watch.set.share) == ("generate", 40, 0, 0.0)
    assert (watch.set.rate, watch.set.seconds_left) == (None, None)
    assert not watch.poll()
    # Two cases a second, every fourth rejected.
    for number in range(12):
        now += 0.5
        add_case(folder, number, "no defect" if number % 4 == 3 else "")
        assert watch.poll()
    assert (watch.set.accepted, watch.set.rejected, watch.set.tried) == (9, {"no defect": 3}, 12)
    assert watch.set.rate == pytest.approx(2.0)
    assert watch.set.seconds_left == pytest.approx(31 / 1.5)
    assert set_watch.pace_of(watch.set) == "2 a second, 21 s left"
    assert [case.number for case in watch.cases] == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    # A line that is half written counts once it is whole.
    with (folder / "index.jsonl").open("a") as index:
        line = SetRecord(12, "no skull").as_line()
        index.write(line[:20])
        index.flush()
        assert not watch.poll()
        index.write(line[20:])
    assert watch.poll()
    assert watch.set.rejected == {"no defect": 3, "no skull": 1}
    # One that looks later knows the same, but not yet how fast it goes; so does one who finds the index put in order.
    late = SetWatch(folder)
    SyntheticSet(folder).finish()
    now += 60.0
    for later in (late, watch):
        later.poll()
        assert (later.set.tried, later.set.rate) == (13, None)
    add_case(folder, 13)
    now += 10.0
    watch.poll()
    assert watch.set.rate == pytest.approx(0.1)
    assert set_watch.pace_of(replace(watch.set, rate=0.05)).startswith("20 s each, ")
    # Of the other kinds, the count is that of cases tried.
    recorded(folder, MaskedOrder(Skulls(tmp_path, 28)).words(folder))
    assert SetWatch(folder).set.share == pytest.approx(0.5)
    recorded(folder, ["train", "vae"])
    monkeypatch.undo()
    assert (SetWatch(folder).set.state, SetWatch(folder).set.share) == ("there", 1.0)
    with pytest.raises(UserError, match="not begun here"):
        words_to_go_on(folder)


def test_a_long_index_is_read_in_a_blink(tmp_path: Path) -> None:
    line = json.loads(SetRecord(0, "", "cases/000000.nrrd", 1.0, 1.0, {"seed": 0, "latent": "0" * 64}).as_line())
    with (tmp_path / "index.jsonl").open("w") as index:
        index.writelines(json.dumps({**line, "number": number}) + "\n" for number in range(12000))
    watch = SetWatch(tmp_path)
    looks = 1
    while watch.poll():
        looks += 1
    assert watch.set.accepted == 12000
    assert looks > 2
    begun = time.process_time()
    for _ in range(100):
        watch.poll()
    assert time.process_time() - begun < 0.2
    assert len(watch.cases) == set_watch.KEPT


def test_a_folder_keeps_to_its_set(run: Path, tmp_path: Path) -> None:
    folder, order = tmp_path / "set", SyntheticOrder(run, 5)
    recorded(folder, order.words(folder))
    # Nothing was made yet: it binds nobody.
    assert words_to_start(replace(order, seed=1), folder)
    add_case(folder, 0)
    assert words_to_start(replace(order, count=9, workers=2), folder)
    with pytest.raises(UserError, match="seed differ"):
        words_to_start(replace(order, seed=1), folder)
    with pytest.raises(UserError, match="its kind differs"):
        words_to_start(MaskedOrder(Skulls(tmp_path)), folder)
    assert words_to_go_on(folder) == order.words(folder)


def test_a_real_set_is_killed_goes_on_and_is_measured(
    run: Path, tmp_path: Path, application: TrainerApplication
) -> None:
    folder, trainer = tmp_path / "set", application.trainer()
    order = SyntheticOrder(run, 60, keep_all=True, device="cpu")
    command = start_set(order, folder)
    try:
        watch = SetWatch(folder)
        until(lambda: watch.poll() and watch.set.accepted > 1)
        assert show_next_case(trainer, watch)
        with pytest.raises(UserError, match="still at work"):
            start_set(order, folder)
        command.launch.kill()
        until(lambda: reaches(watch, "killed"))
        assert 1 < watch.set.accepted < 60
        # The panel was closed meanwhile.
        watch = SetWatch(folder)
        command = go_on_with_set(folder)
        until(lambda: reaches(watch, "done"))
    finally:
        command.launch.kill()
    assert (watch.set.accepted, watch.set.share, watch.set.rejected) == (60, 1.0, {})
    assert sorted(SyntheticSet(folder).records()) == list(range(60))
    while show_next_case(trainer, watch):
        pass
    assert len(shown_cases(trainer, folder)) == FIRST
    # What it is measured beside: by itself the data of its run, where they are known; here another set.
    assert usual_statistics(folder).reference is None
    measured = StatisticsOrder(folder, write_label_cases(tmp_path / "data", 3))
    command = begin("Statistics", measured.folder, measured.words)
    until(lambda: command.state != "working")
    assert command.state == "done", command.problem()
    table = show_figures(trainer, folder)
    columns, rows = rows_of_table(table)
    assert columns[:2] == ["figure", "set"]
    assert columns[-1] == "data (reference)"
    figures = {row[0]: row[1:] for row in rows}
    assert (figures["cases"][0], figures["cases"][-1]) == ("60", "3")
    assert 0.0 <= float(figures["skull with defect, ml"][1]) <= 1.0
    assert picture_of(folder).read_bytes().startswith(b"\x89PNG")
    assert (show_figures(trainer, folder), statistics_of(trainer, folder)) == (table, table)
    opened, again = reopened(application, tmp_path / "scene")
    assert rows_of_table(statistics_of(again, folder)) == (columns, rows)
    assert len(shown_cases(again, folder)) == FIRST
    opened.scene.Clear(True)


def test_a_real_set_of_pairs_is_paused_and_seen(tmp_path: Path, application: TrainerApplication) -> None:
    trainer, folder = application.trainer(), tmp_path / "set"
    data = write_label_cases(tmp_path / "data", 3)
    order = RegisteredOrder(Skulls(data, 6, spacing=16.0), 100.0, device="cpu")
    command = start_set(order, folder)
    try:
        watch = SetWatch(folder)
        until(lambda: watch.poll() and watch.set.tried > 0)
        pause_set(folder)
        until(lambda: reaches(watch, "stopped"))
    finally:
        command.launch.kill()
    assert 0 < watch.set.tried < 6
    assert words_to_go_on(folder) == order.words(folder)
    assert usual_statistics(folder).reference == data
    case = watch.cases[0]
    assert case.pair is not None
    assert show_next_case(trainer, watch)
    shown = reveal_pair(trainer, case.pair, "pair 0")
    assert set(shown.models) == {"moving", "fixed", "warped"}
    assert shown.folded is not None
    assert all(model.GetMesh().GetNumberOfCells() > 0 for model in shown.models.values())
    rows = models_of(rows_of(trainer, folder)).values()
    assert visible(*pair_models(trainer))
    assert not visible(*rows)
    reveal_cases(trainer, folder)
    assert visible(*rows)
    assert not visible(*pair_models(trainer))
    hide_sets(trainer)
    assert not visible(*rows)
    # A set whose pairs were not kept has none to show.
    for path in (folder / "pairs").iterdir():
        path.unlink()
    with pytest.raises(UserError):
        reveal_pair(trainer, case.pair, "pair 0")


def visible(*models: Any) -> bool:
    return all(model.GetDisplayNode().GetVisibility() for model in models)


def test_the_first_cases_stand_in_rows_as_they_come(tmp_path: Path, application: TrainerApplication) -> None:
    trainer, folder = application.trainer(), tmp_path / "set"
    SyntheticSet(folder).begin({"seed": 0})
    for number in range(3):
        add_case(folder, number, radius=60.0 + 5.0 * number)
    add_case(folder, 3, "no defect")
    watch = SetWatch(folder)
    for count in (1, 2, 3):
        assert show_next_case(trainer, watch)
        assert len(shown_cases(trainer, folder)) == count
    assert not show_next_case(trainer, watch)
    browser = rows_of(trainer, folder)
    skull, defect = (models_of(browser)[part] for part in ("skull", "defect"))
    middle, wide = place_of(skull)
    assert skull.GetDisplayNode().GetColor() != defect.GetDisplayNode().GetColor()
    # The first stand on the viewer's left, which is the patient's right; the row's other places are free.
    assert (middle, wide) == (pytest.approx(0.8 * 256.0, abs=8.0), pytest.approx(2 * 0.8 * 256.0 + 130.0, abs=24.0))
    for number in range(4, 4 + IN_A_ROW):
        add_case(folder, number)
    watch.poll()
    while show_next_case(trainer, watch):
        pass
    assert (frame_values(browser), browser.GetSelectedItemNumber()) == ([1.0, 2.0], 1)
    assert list(json.loads(frame_note(browser, 0))) == ["0", "1", "2", "4", "5"]
    # A row that is looked at stays.
    show_frame(browser, 0)
    assert place_of(skull)[0] == pytest.approx(0.0, abs=16.0)
    for number in range(9, 9 + FIRST):
        add_case(folder, number)
    watch.poll()
    while show_next_case(trainer, watch):
        pass
    assert (len(shown_cases(trainer, folder)), len(frame_values(browser))) == (FIRST, FIRST // IN_A_ROW)
    assert browser.GetSelectedItemNumber() == 0
    # Another set in the same folder takes their place.
    add_case(folder, 0, radius=90.0)
    assert show_next_case(trainer, watch)
    assert len(shown_cases(trainer, folder)) == 1


def place_of(model: Any) -> tuple[float, float]:
    """Middle and width along R."""
    bounds = [0.0] * 6
    model.GetRASBounds(bounds)
    return (bounds[0] + bounds[1]) / 2.0, bounds[1] - bounds[0]


def test_the_skulls_of_a_run_are_what_its_set_is_measured_beside(run: Path, tmp_path: Path) -> None:
    data, learned = write_label_cases(tmp_path / "data", 2), untrained_run(tmp_path / "run")
    configuration = json.loads((learned / "run.json").read_text())
    (learned / "run.json").write_text(json.dumps({**configuration, "data": [str(data)]}))
    folder = tmp_path / "set"
    recorded(folder, SyntheticOrder(learned).words(folder))
    assert usual_statistics(folder) == StatisticsOrder(folder, data)
    Split(("000",), ("001",), ()).write(learned / "split.json")
    assert usual_statistics(folder) == StatisticsOrder(folder, data, learned / "split.json")
    words = usual_statistics(folder).words
    assert words[words.index("--split") + 1] == str(learned / "split.json")
    # A reference that is gone is left out.
    data.rename(tmp_path / "elsewhere")
    assert usual_statistics(folder) == StatisticsOrder(folder)
    with pytest.raises(UserError, match="no figures"):
        show_figures(None, folder)
    assert np.isfinite(SetWatch(folder).set.share)
