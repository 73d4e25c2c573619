"""Training small networks for real: losses fall, runs resume, configurations are checked."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from synthetic_head import SyntheticHead

from CranialAugmentationTrainerLib.augmentation.registration_schedule import RegistrationSchedule
from CranialAugmentationTrainerLib.training.cases import CaseMixture
from CranialAugmentationTrainerLib.training.configuration import (
    ReconstructionSettings,
    SplitSettings,
    parse_settings,
    read_settings,
)
from CranialAugmentationTrainerLib.training.loop import averaged_weights, train, trained_network
from CranialAugmentationTrainerLib.training.loss import reconstruction_loss, soft_dice_loss
from CranialAugmentationTrainerLib.training.optimiser_settings import OptimiserSettings
from CranialAugmentationTrainerLib.training.packaging import package_runs, training_coverage
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.evaluation.overlap import dice
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.reconstruction.manifest import TrainingData
from CranialReconstructionLib.reconstruction.model_package import load_package
from CranialReconstructionLib.reconstruction.predictor import Predictor

TINY = ReconstructionSettings(
    stage="coarse",
    arguments={"channels": [4, 8], "strides": [2], "num_res_units": 1},
    fine_spacing=3.0,
    window=16,
    steps=6,
    steps_an_epoch=3,
    warps=2,
    validation_cases=1,
    accelerator="cpu",
    split=SplitSettings(validation=1, test=1),
    optimiser=OptimiserSettings(learning_rate=1e-2, warmup=1, average=0.5),
    registration=RegistrationSchedule(levels=(1,), iterations=3, affine_iterations=3),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic skulls in SkullFix's layout, 3 mm voxels."""
    folder = tmp_path_factory.mktemp("skulls")
    for name in ("defective_skull", "implant"):
        (folder / name).mkdir()
    for number in range(4):
        head = SyntheticHead(half_axes=(68.0 + 2 * number, 88.0, 80.0), hole_direction=(number - 1.5, 0.4, 1.0))
        grid = head.grid((3.0, 3.0, 3.0))
        write_volume(head.skull(grid), folder / "defective_skull" / f"{number:03d}.nrrd")
        write_volume(head.defect(grid), folder / "implant" / f"{number:03d}.nrrd")
    return folder


def events(run: RunFolder, kind: str) -> list[dict]:
    lines = [json.loads(line) for line in run.events.read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def test_the_loss_falls(data: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    still = CaseMixture(paired=1.0, healthy=0.0, towards=0.0, spatial=None)
    train(replace(TINY, steps=80, steps_an_epoch=20, mixture=still, warps=0), data, run)
    losses = [event["validation_loss"] for event in events(run, "validated")]
    assert len(losses) == 4
    assert losses[-1] < 0.8 * losses[0]
    assert events(run, "done")
    previews = [Path(event["path"]) for event in events(run, "preview")]
    assert [path.name for path in previews] == [f"step-{step:06d}.png" for step in (20, 40, 60, 80)]
    # Skull, missing bone and what was found, side by side: the last comes to look like the middle one.
    skull, missing, found = np.array_split(np.asarray(Image.open(previews[-1])).astype(float), 3, axis=1)
    likeness = [np.corrcoef(found.ravel(), panel.ravel())[0, 1] for panel in (missing, skull)]
    assert likeness[0] > likeness[1]


def test_a_resumed_run_equals_an_uninterrupted_one(data: Path, tmp_path: Path) -> None:
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    train(TINY, data, whole)

    class KilledError(Exception):
        pass

    def kill_after_the_first_checkpoint(event: str, **values: object) -> None:
        if event == "checkpoint":
            raise KilledError

    doomed = RunFolder(broken.path)
    object.__setattr__(doomed, "log", kill_after_the_first_checkpoint)
    with pytest.raises(KilledError):
        train(TINY, data, doomed)
    train(TINY, data, broken, resume=True)
    for name, weight in averaged_weights(whole).items():
        torch.testing.assert_close(averaged_weights(broken)[name], weight, rtol=0, atol=0)


def test_a_fine_run_works_on_a_coarse_one_and_both_make_a_package(data: Path, tmp_path: Path) -> None:
    coarse, fine = RunFolder(tmp_path / "coarse"), RunFolder(tmp_path / "fine")
    train(TINY, data, coarse)
    train(replace(TINY, stage="fine", coarse_run=str(coarse.path)), data, fine)
    manifest = package_runs(
        tmp_path / "package",
        coarse,
        fine,
        name="tiny",
        version="1",
        description="for a test",
        data=[TrainingData("synthetic heads", "Apache-2.0", 4)],
        licence="Apache-2.0",
        command="pytest",
        post_processing={"level": 0.5},
        coverage=training_coverage(data, coarse),
    )
    package = load_package(tmp_path / "package")
    assert manifest.training.steps == 12
    assert package.manifest.networks["fine"].spacing_mm == 3.0
    assert package.manifest.networks["coarse"].window_voxels == (28, 36, 32)
    seen = torch.rand(1, 2, 28, 36, 32)
    with torch.inference_mode():
        expected = trained_network(coarse)(seen)
        torch.testing.assert_close(package.network("coarse")(seen), expected, atol=2e-2, rtol=2e-2)


def test_a_shell_run_makes_a_package_that_finds_its_hole(data: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "shell")
    arguments = {"spatial_dims": 2, "channels": [8, 16, 16], "strides": [2, 2], "num_res_units": 1}
    still = CaseMixture(paired=0.6, healthy=0.1, towards=0.0, spatial=None)
    settings = replace(TINY, stage="shell", arguments=arguments, steps=60, steps_an_epoch=30, batch=2, pool=3)
    train(replace(settings, mixture=still, warps=0), data, run)
    assert events(run, "validated")[-1]["validation_missing_dice"] > 0.6
    rows, columns = np.asarray(Image.open(run.previews / "step-000060.png")).shape
    assert (rows, columns) == (1 * 164, 4 * 164)
    package_runs(
        tmp_path / "package", run, None, name="tiny-shell", version="1", description="for a test", data=[],
        licence="Apache-2.0", command="pytest", post_processing={}, coverage={},
    )  # fmt: skip
    head = SyntheticHead(half_axes=(70.0, 88.0, 80.0), hole_direction=(-0.5, 0.4, 1.0))
    grid = head.grid((1.5, 1.5, 1.5))
    predictor = Predictor(load_package(tmp_path / "package"), torch.device("cpu"))
    found = predictor.reconstruct(head.skull(grid)).defect
    assert dice(found.voxels > 0, head.defect(grid).voxels > 0) > 0.7


def test_a_card_adds_to_what_the_training_skulls_tell(data: Path, tmp_path: Path) -> None:
    run, card = RunFolder(tmp_path / "run"), tmp_path / "card.json"
    train(TINY, data, run)
    content = {
        "name": "tiny", "version": "1", "description": "for a test", "licence": "Apache-2.0", "data": [],
        "command": "pytest", "post_processing": {}, "coverage": {"doubt": [0.0, 0.7]},
    }  # fmt: skip
    card.write_text(json.dumps(content))
    words = ["--first", str(run.path), "--data", str(data), "--card", str(card), "-o", str(tmp_path / "package")]
    assert main(["package-model", *words]) == 0
    coverage = load_package(tmp_path / "package").manifest.coverage
    assert coverage["doubt"] == (0.0, 0.7)
    assert set(coverage) == {"doubt", "likeness", "head_scale", "bone_ml", "defect_ml"}
    smallest, largest = coverage["defect_ml"]
    assert 0.0 < smallest < largest < 400.0


def test_runs_of_different_splits_are_not_packaged(data: Path, tmp_path: Path) -> None:
    coarse, fine = RunFolder(tmp_path / "coarse"), RunFolder(tmp_path / "fine")
    train(TINY, data, coarse)
    other = replace(TINY, stage="fine", coarse_run=str(coarse.path), split=SplitSettings(1, 1, 1))
    train(replace(other, split=replace(other.split, seed=3)), data, fine)
    if coarse.split.read_text() == fine.split.read_text():
        pytest.fail("the two seeds drew the same split; choose another")
    with pytest.raises(UserError, match="split differently"):
        package_runs(
            tmp_path / "package", coarse, fine, name="x", version="1", description="x", data=[], licence="x",
            command="x", post_processing={}, coverage={},
        )  # fmt: skip


def test_a_loss_that_is_no_number_stops_the_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder(tmp_path / "run")
    module = "CranialAugmentationTrainerLib.training.reconstruction_task.reconstruction_loss"
    monkeypatch.setattr(module, lambda logits, target: logits.sum() * float("nan"))
    with pytest.raises(UserError, match="loss is nan"):
        train(TINY, data, run)
    assert "nan" in events(run, "failed")[0]["cause"]


def test_a_run_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.create({}, data)
    with pytest.raises(UserError, match="--resume"):
        train(TINY, data, run)


def test_a_grid_that_the_network_cannot_halve_is_refused_before_the_data_are_read(data: Path, tmp_path: Path) -> None:
    deep = {"channels": [4, 8, 8, 8, 8], "strides": [2, 2, 2, 2], "num_res_units": 1}
    with pytest.raises(UserError, match=r"28 x 36 x 32 .* multiple of 16"):
        train(replace(TINY, arguments=deep), data, RunFolder(tmp_path / "run"), cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_data_that_cannot_be_used_leave_no_run(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(UserError, match="defective_skull"):
        train(TINY, tmp_path, run)
    assert not run.path.exists()


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), RuntimeError("out of memory")])
def test_whatever_ends_a_run_is_told(data: Path, tmp_path: Path, cause: BaseException) -> None:
    """Ctrl-C stays Ctrl-C, though Lightning exits by itself on it."""
    told: list[str] = []

    def stop_at_the_first_checkpoint(line: str) -> None:
        told.append(line)
        if line.startswith("checkpoint "):
            raise cause

    run = RunFolder(tmp_path / "run", stop_at_the_first_checkpoint)
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(type(cause)):
            train(TINY, data, run)
    finally:
        signal.signal(signal.SIGINT, before)
    assert events(run, "failed")[0]["cause"] == (str(cause) or "interrupted")
    assert not events(run, "done")
    assert [line.split()[0] for line in told] == [json.loads(line)["event"] for line in run.events.open()]


def test_settings_survive_the_run_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.create(TINY.as_json(), tmp_path)
    again = parse_settings(run.read_configuration(), "run.json")
    assert json.dumps(again.as_json()) == json.dumps(TINY.as_json())
    assert again.mixture == TINY.mixture


@pytest.mark.parametrize("name", ["vault-unet-coarse.toml", "vault-unet-fine.toml"])
def test_the_shipped_configurations_read(name: str) -> None:
    settings = read_settings(Path(__file__).parents[2] / "Resources" / "Training" / name)
    assert settings.stage in name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"stage": "medium"}, "stage"),
        ({"stage": "coarse", "speed": 3}, "speed"),
        ({"stage": "coarse", "steps": "many"}, "many"),
        ({"stage": "fine"}, "coarse_run"),
        ({"stage": "coarse", "steps": 10, "steps_an_epoch": 3}, "multiple"),
        ({"stage": "coarse", "mixture": {"masking": {"radios": 3}}}, "radios"),
        ({}, "no setting 'stage'"),
        ({"stage": "coarse", "batch": [4]}, "batch: .* not a number"),
        ({"stage": "coarse", "split": 3}, "split: 3 is not a table"),
        ({"stage": "coarse", "arguments": 3}, "arguments: 3 is not a table"),
        ({"stage": "coarse", "registration": {"levels": 2}}, "levels: 2 is not a list"),
    ],
)
def test_a_wrong_setting_is_named(content: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_settings(content, "a file")


def test_dice_by_hand() -> None:
    """p = (1/2, 1/2), t = (1, 0): 2 * 1/2 = 1 over 1/2 + 1, with 50 added to both."""
    logits, target = torch.zeros(1, 1, 1, 1, 2), torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 1, 2)
    assert float(soft_dice_loss(logits, target)) == pytest.approx(1 - (1 + 50) / (1.5 + 50), rel=1e-4)


def test_the_loss_is_smallest_at_the_share_of_bone() -> None:
    target = torch.full((1, 1, 8, 8, 8), 0.3)
    losses = [float(reconstruction_loss(torch.full_like(target, x), target)) for x in np.linspace(-4, 4, 81)]
    best = torch.sigmoid(torch.tensor(np.linspace(-4, 4, 81)[int(np.argmin(losses))]))
    assert float(best) == pytest.approx(0.3, abs=0.03)
