"""Setting up a run without a window: data looked through, costs estimated, a run begun and repeated with changes."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from training_runs import new_run, write_label_cases

from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training_settings import training_settings
from CranialAugmentationTrainerLib.workflow.commands import Command, begin
from CranialAugmentationTrainerLib.workflow.data_check import check_words, read_data_check
from CranialAugmentationTrainerLib.workflow.estimating import estimate_words, read_estimate
from CranialAugmentationTrainerLib.workflow.launch import read_launch
from CranialAugmentationTrainerLib.workflow.run_order import RunOrder
from CranialAugmentationTrainerLib.workflow.run_watch import RunsWatch
from CranialAugmentationTrainerLib.workflow.set_up import (
    SetUp,
    augment_of,
    autoencoder_runs,
    begin_set_up,
    changes_of,
    fitting_changes,
    free_name,
    like_run,
)
from CranialReconstructionLib.errors import UserError

PATIENCE = 180.0


def ended(command: Command) -> Command:
    deadline = time.monotonic() + PATIENCE
    while command.state == "working":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return command


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_label_cases(tmp_path / "data", 5)


@pytest.fixture
def chosen(data: Path, tmp_path: Path) -> SetUp:
    return SetUp("vae", "tiny", (data,), changes={"steps": "4"}, parent=tmp_path / "runs", name="mine")


@pytest.fixture
def idle(tmp_path: Path) -> Path:
    """Stands for a Python that ends at once."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    return program


posix = pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")


def test_data_are_looked_through_by_a_process_of_its_own(data: Path, tmp_path: Path) -> None:
    (data / "003" / "defect.nrrd").write_bytes(b"")
    answer = tmp_path / "answer"
    command = ended(begin("Check", answer, check_words([data], answer)))
    assert command.state == "done", command.launch.last_words()
    found = read_data_check(answer)
    assert (found.cases, found.pairs, len(found.folders)) == (4, 4, 1)
    assert [(case.name, case.reason) for case in found.broken] == [("003", "the file is empty")]
    assert "data (plain): 4 pairs of skull and missing bone; 4 persons" in found.summary
    assert "1 case cannot be used" in found.summary
    assert found.picture is not None
    assert found.picture.read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_looked_through_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data set"):
        check_words([], tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        check_words([tmp_path / "nothing"], tmp_path)
    with pytest.raises(UserError, match=r"data\.json"):
        read_data_check(tmp_path)
    (tmp_path / "data.json").write_text('{"folders": [{}]}')
    with pytest.raises(UserError, match=r"data\.json"):
        read_data_check(tmp_path)


def test_a_run_is_estimated_stage_by_stage(chosen: SetUp, tmp_path: Path) -> None:
    changed = replace(chosen, method="vae-wgan-gp", changes={"steps": "4", "accelerator": "cpu", "threads": "1"})
    answer = tmp_path / "answer"
    command = ended(begin("Estimate", answer, estimate_words(changed.order(), answer, cases=5)))
    assert command.state == "done", command.launch.last_words()
    found = read_estimate(answer)
    assert [(stage.name, stage.steps) for stage in found.stages] == [("VAE", 1), ("bridge", 1), ("WGAN-GP", 2)]
    assert all(stage.seconds_a_step > 0.0 for stage in found.stages)
    assert found.seconds == pytest.approx(sum(stage.steps * stage.seconds_a_step for stage in found.stages))
    assert (found.fits, found.extrapolated, found.parameters > 10_000) == (True, False, True)
    assert 0 < found.memory < found.free
    assert "WGAN-GP 2 steps" in found.summary
    doubtful = replace(found, extrapolated=True, fits=False, preparation=100.0)
    assert "rough" in doubtful.summary
    assert "does not fit" in doubtful.summary
    assert "registering pairs" in doubtful.summary
    with pytest.raises(UserError, match=r"estimate\.json"):
        read_estimate(tmp_path)


@posix
def test_a_run_begins_with_what_was_changed_and_is_repeated(chosen: SetUp, idle: Path) -> None:
    launched = begin_set_up(replace(chosen, augment="basic"), idle)
    assert launched.folder == chosen.folder
    assert "--set=steps=4" in launched.words
    assert "--augment=basic" in launched.words
    assert sum(word.startswith("--set") for word in launched.words) == 1
    run = RunFolder(chosen.folder)
    run.create(training_settings("vae", "tiny", ["steps=4", "augmentation.names=basic"]).as_json(), chosen.data)
    with pytest.raises(UserError, match="a run in this folder"):
        begin_set_up(chosen, idle)
    again = like_run(chosen.folder)
    assert again == replace(chosen, augment="basic", name="mine-2")


@posix
def test_a_wrong_value_never_starts_a_run(chosen: SetUp, idle: Path) -> None:
    wrong = replace(chosen, changes={"steps": "many", "batch": "3"})
    assert list(wrong.problems()) == ["steps"]
    with pytest.raises(UserError, match="not a number"):
        begin_set_up(wrong, idle)
    assert not chosen.folder.exists()
    assert chosen.problems() == {}
    # Right together, though each is wrong alone.
    both = {"settings.network.widths": "6, 12", "settings.network.groups": "3"}
    assert replace(chosen, changes=both).problems() == {}
    # Right alone, and wrong together.
    together = {"settings.network.latent_size": "0", "settings.network.latent_channels": "0"}
    assert "latent" in " ".join(replace(chosen, changes=together).problems().values())


def test_what_is_missing_is_told(chosen: SetUp, tmp_path: Path) -> None:
    for changed, told in (
        (replace(chosen, data=()), "no data set"),
        (replace(chosen, split=tmp_path / "none.json"), "no such file"),
        (replace(chosen, augment="some"), "no augmentation"),
        (replace(chosen, autoencoder=tmp_path), "takes no autoencoder"),
        (replace(chosen, method="ldm-vae", autoencoder=tmp_path), "not a run folder"),
    ):
        with pytest.raises(UserError, match=told):
            changed.order()
    nameless = (None, "mine", "no folder"), (tmp_path, "a/b", "cannot be"), (tmp_path, " ", "cannot be")
    for parent, name, told in nameless:
        with pytest.raises(UserError, match=told):
            _ = replace(chosen, parent=parent, name=name).folder


def test_a_diffusion_model_is_offered_the_autoencoders_that_fit_it(chosen: SetUp, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    volumetric = {"settings": {"network": {"latent_channels": 2}}, "preset": "tiny"}
    for name, method, content in (
        ("good", "vae", volumetric),
        ("flat", "vae", {"settings": {"network": {"latent_channels": 0}}, "preset": "tiny"}),
        ("other", "vqvae", volumetric),
        ("young", "vae", volumetric),
    ):
        run = RunFolder(runs / name)
        run.create({"method": method, **content}, [])
        if name != "young":
            run.checkpoint.write_bytes(b"weights")
    assert autoencoder_runs("ldm-vae", RunsWatch([runs]).runs) == [runs / "good"]
    assert autoencoder_runs("vae", RunsWatch([runs]).runs) == []
    order = replace(chosen, method="ldm-vae", autoencoder=runs / "good").order()
    assert order.autoencoder == runs / "good"
    with pytest.raises(UserError, match="works on a vae, not on a vqvae"):
        replace(chosen, method="ldm-vae", autoencoder=runs / "other").order()
    with pytest.raises(UserError, match="no checkpoint"):
        replace(chosen, method="ldm-vae", autoencoder=runs / "young").order()


def test_names_changes_and_augmentations_as_a_scene_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "vae-small").mkdir()
    assert free_name(tmp_path, "vae-small") == "vae-small-2"
    (tmp_path / "vae-small-2").mkdir()
    assert free_name(tmp_path, "vae-small-2") == "vae-small-3"
    assert free_name(tmp_path, "another") == free_name(None, "another") == "another"
    assert changes_of(json.dumps({"steps": "4"})) == {"steps": "4"}
    assert changes_of("[]") == changes_of("{") == changes_of("") == {}
    changes = {"steps": "3000", "settings.kl_weight": "0.1", "batch": "2"}
    assert fitting_changes("wgan-gp", "small", changes) == {"batch": "2"}
    assert augment_of("none", False, False) == "none"
    assert augment_of("heavy", True, True) == "heavy+masking+registration"
    assert augment_of("none", True, False) == "masking"


def test_a_run_of_another_kind_is_not_repeated(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run", method="shell")
    with pytest.raises(UserError, match="cranial train"):
        like_run(run.path)
    assert read_launch(run.path) is None
    with pytest.raises(UserError, match="no method"):
        RunOrder("shell", (tmp_path,))
