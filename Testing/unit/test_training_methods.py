"""``cranial train``: every method by one loop; runs go on after a kill, stop when asked, end when they diverge."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_cases import write_cases

from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.generators.vae import Vae
from CranialAugmentationTrainerLib.synthesis.source import load_generator
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.run_state import ask_to_stop, find_runs, read_run
from CranialAugmentationTrainerLib.training.training import resume_method, train_method, trained_case_network
from CranialAugmentationTrainerLib.training.training_settings import METHODS, TrainingSettings, training_settings
from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume

# A step between halts, so that a kill falls between two checkpoints.
WORDS = ("steps=7", "report=1", "validate=3", "checkpoint=3", "preview=100", "previews=1", "accelerator=cpu")


class KilledError(Exception):
    """Stands for a kill."""


def tiny(method: str = "vae", *words: str) -> TrainingSettings:
    return training_settings(method, "tiny", (*WORDS, *words))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("cases"), 6)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def handlers_come_back() -> Any:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    yield
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def events(run: RunFolder, kind: str) -> list[dict[str, Any]]:
    return [event for event in run.read_events() if event["event"] == kind]


def checkpoint(run: RunFolder) -> dict[str, Any]:
    return dict(torch.load(run.checkpoint, weights_only=True))


def assert_same_run(one: RunFolder, other: RunFolder) -> None:
    """Weights, and what the optimisers remember."""
    for part in ("state_dict", "optimizer_states", "lr_schedulers"):
        ours, theirs = (checkpoint(run).get(part) for run in (one, other))
        flat, shape = torch.utils._pytree.tree_flatten(ours)
        other_flat, other_shape = torch.utils._pytree.tree_flatten(theirs)
        assert shape == other_shape
        for left, right in zip(flat, other_flat, strict=True):
            if isinstance(left, torch.Tensor):
                torch.testing.assert_close(left, right, rtol=0, atol=0)
            else:
                assert left == right


def doing(at: int, what: Callable[[], None]) -> Callable[[str], None]:
    """What is told each event, and does ``what`` when step ``at`` is reported."""

    def tell(line: str) -> None:
        if line.startswith(f"step step={at} "):
            what()

    return tell


def kill() -> None:
    raise KilledError


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_and_leaves_what_the_next_step_needs(
    method: str, data: Path, cache: Path, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    words = ("steps=4", "validate=4", "checkpoint=4", "preview=4")
    assert train_method(tiny(method, *words), [data], run, cache=cache) == "done"
    assert [event["step"] for event in events(run, "step")] == [1, 2, 3, 4]
    assert all(np.isfinite(event["loss"]) for event in events(run, "step"))
    assert read_run(run.path).state == "done"
    (shown,) = events(run, "preview")
    assert np.asarray(Image.open(shown["path"])).std() > 5.0
    labels = read_volume(Path(shown["volumes"][0]))
    assert labels.voxels.shape == (16, 16, 16)
    assert set(np.unique(labels.voxels)) <= {0, 1, 2}
    if method == "reconstruction":
        assert trained_case_network(run).found(torch.rand(1, 1, 16, 16, 16)).shape == (1, 1, 16, 16, 16)
        return
    generator = load_generator(run.path)
    cases = generator.decode(torch.zeros(1, *generator.latent_shape))
    assert cases.shape == (1, 2, 16, 16, 16)
    assert 0.0 <= float(cases.min()) <= float(cases.max()) <= 1.0


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("vae-wgan-gp", ("vae_steps=2", "bridge_steps=3")),
        ("ldm-vqvae", ("autoencoder_steps=2", "measured_batches=2")),
        ("reconstruction", ("augmentation.names=registration+masking+heavy", "augmentation.warps=1", "workers=1")),
    ],
)
def test_a_run_that_was_killed_ends_as_it_would_have(
    method: str, words: tuple[str, ...], data: Path, cache: Path, tmp_path: Path
) -> None:
    """The kill falls on step 5, in the middle between the checkpoints of steps 3 and 6."""
    settings = tiny(method, *words)
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    train_method(settings, [data], whole, cache=cache)
    with pytest.raises(KilledError):
        train_method(settings, [data], replace(broken, tell=doing(5, kill)), cache=cache)
    assert resume_method(broken, cache=cache) == "done"
    assert [event["step"] for event in events(broken, "started")] == [0, 3]
    assert_same_run(whole, broken)


def test_a_run_that_is_asked_to_stop_leaves_a_checkpoint_of_that_step(data: Path, cache: Path, tmp_path: Path) -> None:
    settings = tiny("wgan-gp")
    whole, asked = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "asked")
    train_method(settings, [data], whole, cache=cache)
    listening = replace(asked, tell=doing(4, lambda: ask_to_stop(asked.path)))
    assert train_method(settings, [data], listening, cache=cache) == "stopped"
    assert (read_run(asked.path).state, read_run(asked.path).step) == ("stopped", 4)
    assert int(checkpoint(asked)["state_dict"]["batches"]) == 4
    # Nor is it stopped again by the request of before.
    assert resume_method(asked, cache=cache) == "done"
    assert_same_run(whole, asked)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_request_of_the_system_stop_with_a_checkpoint(
    number: signal.Signals, data: Path, cache: Path, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path, doing(2, lambda: os.kill(os.getpid(), number)))
    assert train_method(tiny(), [data], run, cache=cache) == "stopped"
    (stopped,) = events(run, "stopped")
    assert stopped["step"] == 2
    assert int(checkpoint(run)["state_dict"]["batches"]) == 2


def test_a_second_ctrl_c_interrupts(data: Path, cache: Path, tmp_path: Path) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    run = RunFolder(tmp_path, doing(2, twice))
    with pytest.raises(KeyboardInterrupt):
        train_method(tiny(), [data], run, cache=cache)
    assert read_run(tmp_path).cause == "interrupted"


def test_a_process_that_is_gone_is_seen_and_its_run_goes_on(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "run")
    words = [word for setting in (*WORDS, "steps=100000") for word in ("--set", setting)]
    command = ["train", "vae", "--preset", "tiny", "--data", str(data), "--run", str(run.path), "--cache", str(cache)]
    code = "import sys; from CranialReconstructionLib.cli.main import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen([sys.executable, "-c", code, *command, *words], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300.0
        while len(events(run, "checkpoint")) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        seen = read_run(run.path)
        assert (seen.state, seen.pid) == ("running", process.pid)
        assert seen.seconds_left is not None
        monkeypatch.setattr("CranialAugmentationTrainerLib.training.run_folder.PATIENCE", 0.0)
        with pytest.raises(UserError, match="another process"):
            resume_method(run, cache=cache)
        monkeypatch.undo()
    finally:
        process.kill()
        process.wait()
    assert read_run(run.path).state == "killed"
    reached = int(checkpoint(run)["state_dict"]["batches"])
    assert reached % 3 == 0
    stopping = replace(run, tell=lambda line: ask_to_stop(run.path) if line.startswith("started") else None)
    assert resume_method(stopping, cache=cache) == "stopped"
    assert int(checkpoint(run)["state_dict"]["batches"]) == reached + 1


def test_the_second_half_of_a_torn_line_is_left_out(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.log("started", step=0)
    with run.events.open("a") as file:
        file.write('{"time": 1.0, "event": "st')
    run.log("step", step=1, loss=float("nan"))
    assert [event["event"] for event in run.read_events()] == ["started", "step"]
    assert json.loads(run.events.read_bytes().splitlines()[-1])["loss"] == "nan"


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_its_checkpoint(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Vae.learn

    def learn_badly(self: Vae, cases: torch.Tensor, noise: Any) -> dict[str, torch.Tensor]:
        found = learn(self, cases, noise)
        return {**found, "kl": found["kl"] * float("inf")} if int(self.batches) == 4 else found

    monkeypatch.setattr(Vae, "learn", learn_badly)
    run = RunFolder(tmp_path)
    with pytest.raises(UserError, match="'kl' is inf at step 5"):
        train_method(tiny(), [data], run, cache=cache)
    assert read_run(tmp_path).state == "failed"
    assert "inf at step 5" in read_run(tmp_path).cause
    assert int(checkpoint(run)["state_dict"]["batches"]) == 3


def test_weights_that_are_no_numbers_are_never_kept(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Vae.learn

    def spoil(self: Vae, cases: torch.Tensor, noise: Any) -> dict[str, torch.Tensor]:
        found = learn(self, cases, noise)
        if int(self.batches) == 5:
            with torch.no_grad():
                next(self.parameters()).view(-1)[0] = float("nan")
        return found

    monkeypatch.setattr(Vae, "learn", spoil)
    monkeypatch.setattr(Vae, "warnings", lambda self: [])
    run = RunFolder(tmp_path)
    with pytest.raises(UserError, match=r"weights network\..* step 6"):
        train_method(tiny(), [data], run, cache=cache)
    assert int(checkpoint(run)["state_dict"]["batches"]) == 3


def test_a_collapse_that_lasts_ends_the_run_with_the_checkpoint_from_before(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Vae, "warnings", lambda self: ["all alike"] if int(self.batches) > 3 else [])
    run = RunFolder(tmp_path / "run")
    with pytest.raises(UserError, match="all alike, at 3 validations in a row"):
        train_method(tiny("vae", "steps=100", "collapse_stop=3"), [data], run, cache=cache)
    assert [event["step"] for event in events(run, "warning")] == [6, 9, 12]
    assert [event["step"] for event in events(run, "checkpoint")] == [3, 6, 9]
    assert int(checkpoint(run)["state_dict"]["batches"]) == 3
    assert read_run(run.path).warnings == ("all alike",)


def test_a_collapse_that_passes_does_not(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Vae, "warnings", lambda self: ["all alike"] if int(self.batches) % 6 == 0 else [])
    run = RunFolder(tmp_path)
    assert train_method(tiny("vae", "steps=18", "collapse_stop=2"), [data], run, cache=cache) == "done"
    assert not run.sound_checkpoint.exists() or int(checkpoint(run)["state_dict"]["batches"]) == 18


def test_training_stops_when_the_watched_figure_no_longer_gets_better(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best_at_two = {3: 0.1, 6: 0.5, 9: 0.4, 12: 0.3, 15: 0.2}
    monkeypatch.setattr(
        Vae, "figures", lambda self, cases: {"skull_dice": torch.tensor(best_at_two[int(self.batches)])}
    )
    run = RunFolder(tmp_path / "run")
    settings = tiny("vae", "steps=100", "early_stop=2", "watched=skull_dice")
    assert train_method(settings, [data], run, cache=cache) == "done"
    assert events(run, "early_stop")[0]["step"] == 12
    best = torch.load(run.best_checkpoint, weights_only=True)["state_dict"]
    assert int(best["batches"]) == 6
    settings, other = tiny("vae", "early_stop=2", "watched=beauty"), RunFolder(tmp_path / "other")
    with pytest.raises(UserError, match="no figure 'beauty' to watch"):
        train_method(settings, [data], other, cache=cache)


def test_a_diffusion_model_takes_the_autoencoder_of_another_run(data: Path, cache: Path, tmp_path: Path) -> None:
    below, run = RunFolder(tmp_path / "vae"), RunFolder(tmp_path / "ldm")
    volumetric = ("network.latent_size=0", "network.latent_channels=3", "steps=2")
    train_method(tiny("vae", *volumetric), [data], below, cache=cache)
    settings = tiny("ldm-vae", "steps=3", f"autoencoder={below.path}")
    train_method(settings, [data], run, cache=cache)
    own, theirs = (checkpoint(folder)["state_dict"] for folder in (run, below))
    frozen = [name for name in theirs if name.startswith("network.")]
    assert frozen
    assert all(torch.equal(own[name], theirs[name]) for name in frozen)
    assert load_generator(run.path).latent_shape == (3, 4, 4, 4)
    with pytest.raises(UserError, match="works on a vqvae"):
        train_method(tiny("ldm-vqvae", f"autoencoder={below.path}"), [data], RunFolder(tmp_path / "no"), cache=cache)


@pytest.mark.parametrize("method", ["vae", "wgan-gp"])
def test_a_generator_trained_on_ends_as_if_it_had_been_so_long_from_the_start(
    method: str, data: Path, cache: Path, tmp_path: Path
) -> None:
    short, whole = RunFolder(tmp_path / "short"), RunFolder(tmp_path / "whole")
    assert train_method(tiny(method), [data], whole, cache=cache) == "done"
    assert train_method(tiny(method, "steps=3"), [data], short, cache=cache) == "done"
    assert main(["runs", "resume", str(short.path), "--cache", str(cache), "--steps", "7"]) == 0
    assert_same_run(short, whole)
    assert short.read_configuration() == whole.read_configuration()
    assert (read_run(short.path).step, read_run(short.path).steps) == (7, 7)


def test_what_cannot_be_trained_on_says_so_and_stays(
    data: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generator, network = RunFolder(tmp_path / "generator"), RunFolder(tmp_path / "network")
    train_method(tiny("vae", "steps=3"), [data], generator, cache=cache)
    train_method(tiny("reconstruction", "steps=3"), [data], network, cache=cache)
    for run, steps, words in ((generator, 3, "done 3 steps already"), (network, 9, "learning rate")):
        assert main(["runs", "resume", str(run.path), "--steps", str(steps)]) == 2
        assert words in capsys.readouterr().err
        assert (read_run(run.path).state, read_run(run.path).steps) == ("done", 3)
    with generator.held(), pytest.raises(UserError, match="another process"):
        generator.lengthen(9)
    assert generator.read_configuration()["steps"] == 3


def test_the_command_line_trains_lists_shows_and_resumes(
    data: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = tmp_path / "given.json"
    Split(("000", "001"), ("002",), ("003", "004", "005")).write(split)
    folder = tmp_path / "runs" / "first"
    words = [word for setting in WORDS for word in ("--set", setting)]
    common = ["--data", str(data), "--cache", str(cache)]
    given = ["--preset", "tiny", "--augment", "basic", "--split", str(split), *words]
    assert main(["train", "vae", "--run", str(folder), *common, *given]) == 0
    assert main(["train", "vae", "--run", str(folder), *common, *given]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(["train", "vae", "--run", str(folder), "--resume", *given]) == 2
    assert "--set, --augment, --split cannot be changed" in capsys.readouterr().err
    assert main(["train", "wgan-gp", "--run", str(folder), "--resume"]) == 2
    # What is done is done: nothing is learned any more.
    before = checkpoint(RunFolder(folder))["state_dict"]
    assert main(["runs", "resume", str(folder), *common]) == 0
    capsys.readouterr()
    assert all(torch.equal(value, before[name]) for name, value in checkpoint(RunFolder(folder))["state_dict"].items())

    assert main(["runs", "list", str(tmp_path / "runs"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["method"], row["state"], row["step"], row["steps"]) == ("vae", "done", 7, 7)
    assert main(["runs", "list", str(tmp_path / "runs")]) == 0
    assert "7 of 7" in capsys.readouterr().out
    assert main(["runs", "show", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "losses     kl" in shown
    assert '"names": "basic"' in shown
    assert main(["runs", "show", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["configuration"]["settings"]["network"]["side"] == 16
    assert main(["runs", "stop", str(folder)]) == 2
    assert "is done" in capsys.readouterr().err
    assert len(find_runs(tmp_path)) == 1
