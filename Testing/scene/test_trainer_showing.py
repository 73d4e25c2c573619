"""From a folder that a run writes to what is seen of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from trainer_scene import TrainerApplication
from training_runs import begin, new_run, preview, report, write_label_cases

from CranialAugmentationTrainerLib.scene.loss_curves import curve, runs_shown
from CranialAugmentationTrainerLib.scene.preview_surfaces import previews_of
from CranialAugmentationTrainerLib.scene.sequences import frame_note, frame_values, models_of
from CranialAugmentationTrainerLib.workflow.data_cases import DataCases
from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch
from CranialAugmentationTrainerLib.workflow.showing import show_curves, show_next_preview
from CranialReconstructionLib.errors import UserError


def test_a_run_is_seen_as_it_goes_on_and_goes_back(tmp_path: Path) -> None:
    application = TrainerApplication(tmp_path / "cache")
    trainer, run = application.trainer(), new_run(tmp_path / "vae")
    key = str(run.path)
    watch = RunWatch(run.path)
    show_curves(trainer, watch)
    assert (runs_shown(trainer), show_next_preview(trainer, watch)) == ({}, False)
    begin(run)
    for step in range(1, 7):
        report(run, step)
        if step % 2 == 0:
            preview(run, step)
    watch.poll()
    show_curves(trainer, watch)
    assert runs_shown(trainer) == {key: "vae"}
    assert list(curve(trainer, key, "kl")[1]) == [0.5 * step for step in range(1, 7)]
    shown = []
    while show_next_preview(trainer, watch):
        shown.append(len(frame_values(previews_of(trainer, key))))
    browser = previews_of(trainer, key)
    assert (shown, frame_values(browser)) == ([1, 2, 3], [2.0, 4.0, 6.0])
    assert browser.GetSelectedItemNumber() == 2
    # Gone on with from step 3, it writes step 4 again.
    before = frame_note(browser, 1)
    begin(run, step=3, resumed=True)
    preview(run, 4, cases=1)
    watch.poll()
    show_curves(trainer, watch)
    assert len(curve(trainer, key, "loss")[0]) == 3
    assert show_next_preview(trainer, watch)
    assert not show_next_preview(trainer, watch)
    assert frame_note(browser, 1) != before
    # What is gone from disk is not asked for.
    for volume in watch.run.previews[0].volumes:
        volume.unlink()
    assert not show_next_preview(trainer, watch)
    assert models_of(browser)["skull"].GetMesh().GetNumberOfCells() > 0
    application.scene.Clear(True)


def test_a_case_of_a_data_set_is_shown_by_its_name(tmp_path: Path) -> None:
    data = write_label_cases(tmp_path / "data", 6)
    cases = DataCases()
    first, second = (cases.surfaces(data, name)["skull"] for name in ("000", "005"))
    assert first.GetBounds()[1] < second.GetBounds()[1]
    assert cases.surfaces(data, "000")["skull"] is first
    assert cases.surfaces(data, "005")["defect"].GetNumberOfCells() > 0
    with pytest.raises(UserError, match="no longer there"):
        cases.surfaces(data, "006")
    with pytest.raises(UserError, match="no such folder"):
        cases.surfaces(tmp_path / "nowhere", "000")
