"""What a run will take: its stages, what is measured of each, and what is told of runs that are too large for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict

import pytest
import torch

from CranialAugmentationTrainerLib.cli.train import METHODS, PRESETS
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.vqvae import VqVae
from CranialAugmentationTrainerLib.training import run_estimate
from CranialAugmentationTrainerLib.training.peak_memory import peak_main_memory
from CranialAugmentationTrainerLib.training.run_estimate import estimate_run, grown_seconds
from CranialAugmentationTrainerLib.training.run_stages import stages_of
from CranialAugmentationTrainerLib.training.step_cost import (
    StepCost,
    hollow_balls,
    measure_steps,
    network_size,
    task_of,
    with_size,
)
from CranialAugmentationTrainerLib.training.training_settings import training_settings
from CranialReconstructionLib.errors import UserError

HERE = ["accelerator=cpu", "steps=8"]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("method", METHODS)
def test_the_stages_of_a_run_are_all_of_its_steps(method: str, preset: str) -> None:
    settings = training_settings(method, preset)
    stages = stages_of(settings)
    assert sum(stage.steps for stage in stages) == settings.steps
    for stage in stages:
        assert sum(kind.share for kind in stage.kinds) == pytest.approx(1.0)


def test_the_generator_learns_in_one_of_the_critics_steps() -> None:
    (stage,) = stages_of(training_settings("wgan-gp", "k23"))
    alone, both = stage.kinds
    assert ((both.batch + 1) % 5, both.share) == (0, 0.2)
    assert (alone.batch + 1) % 5 != 0
    first, bridge, last = stages_of(training_settings("vae-wgan-gp", "small"))
    assert (first.steps, bridge.steps, last.steps, len(first.kinds)) == (400, 400, 2200, 1)
    assert all(400 <= kind.batch < 800 for kind in bridge.kinds)
    assert all(800 <= kind.batch < 3000 for kind in last.kinds)
    short = stages_of(training_settings("vae-wgan-gp", "small", ["steps=300"]))
    assert [(stage.name, stage.steps) for stage in short] == [("VAE", 300)]


@pytest.mark.parametrize("method", METHODS)
def test_a_network_is_counted_without_being_made(method: str) -> None:
    settings = training_settings(method, "tiny")
    task = task_of(settings)
    learned, size = network_size(settings)
    assert learned == sum(entry.numel() for entry in task.parameters() if entry.requires_grad)
    assert size >= 16 * learned
    smaller = with_size(settings, 8, 1)
    assert (smaller.side, smaller.batch, smaller.method) == (8, 1, method)


def test_each_kind_of_step_is_done_as_training_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    learn = VqVae.learn

    def watched(self: VqVae, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        seen.append((self.stage, cases.shape))
        return learn(self, cases, noise)

    monkeypatch.setattr(VqVae, "learn", watched)
    settings = training_settings("vqvae", "tiny", HERE)
    kinds = [kind for stage in stages_of(settings) for kind in stage.kinds]
    cost = measure_steps(settings, kinds, patience=60.0)
    shape = (2, 2, 16, 16, 16)
    # Twice each: the first warms up.
    assert seen == [("autoencoder", shape)] * 2 + [("prior", shape)] * 2
    assert len(cost.seconds) == 2
    assert min(cost.seconds) > 0.0
    seen.clear()
    measure_steps(settings, kinds, patience=0.0)
    assert [stage for stage, _ in seen] == ["autoencoder", "prior"]


def test_a_run_that_fits_is_measured_as_it_is() -> None:
    found = estimate_run(training_settings("ldm-vae", "tiny", [*HERE, "settings.autoencoder_steps=0"]), cases=10)
    assert [stage.name for stage in found.stages] == ["measuring", "diffusion"]
    assert (found.measured_side, found.measured_batch) == (found.side, found.batch) == (16, 2)
    assert found.seconds == pytest.approx(sum(stage.steps * stage.seconds_a_step for stage in found.stages))
    assert found.fits
    assert found.main_memory == found.memory >= peak_main_memory() // 2
    assert asdict(found)["device"] == "the processor"


def test_augmentation_counts() -> None:
    words = [*HERE, "augmentation.names=basic+masking+registration", "augmentation.registration.iterations=2"]
    found = estimate_run(training_settings("reconstruction", "tiny", words), cases=10)
    assert found.preparation > 0.0
    plain = estimate_run(training_settings("reconstruction", "tiny", HERE), cases=10)
    assert plain.preparation == 0.0
    assert found.stages[0].seconds_a_step > plain.stages[0].seconds_a_step


def test_a_run_that_is_too_large_is_extrapolated(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = training_settings("vae", "tiny", [*HERE, "network.side=64", "batch=4"])
    told: list[str] = []
    found = estimate_run(settings, limit=0.0, tell=told.append)
    assert (found.side, found.batch, found.measured_side, found.measured_batch) == (64, 4, 16, 1)
    assert told == ["steps at 16^3, batches of 1", "augmentation"]
    assert found.memory > peak_main_memory() / 2
    assert found.fits
    monkeypatch.setattr(run_estimate, "available_memory", lambda device: 0)
    monkeypatch.setattr(run_estimate, "peak_main_memory", lambda: 10**6)
    small = estimate_run(settings, limit=60.0)
    # There is time for more, and no memory.
    assert (small.measured_side, small.fits) == (16, False)


def test_time_grows_along_the_line_of_two_measurements() -> None:
    first, second = StepCost(16, 1, (1.0, 3.0), 0, 0), StepCost(32, 1, (8.0, 2.0), 0, 0)
    grown = 64**3
    assert grown_seconds([first], grown) == [64.0, 192.0]
    # 7 s for 7 times 16^3 voxels more, that is 56 s for the next 56; what gets shorter by chance stays.
    assert grown_seconds([first, second], grown) == [64.0, 2.0]
    assert grown_seconds([first, second], 32**3) == [8.0, 2.0]


def test_what_stands_for_heads_has_bone_and_a_defect() -> None:
    balls = hollow_balls(16, 3)
    assert balls.shape == (3, 2, 16, 16, 16)
    skull, missing = balls[0]
    assert float(skull.mean()) > float(missing.mean()) > 0.005
    assert not bool((skull * missing).any())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_device_that_is_not_there_is_told() -> None:
    with pytest.raises(UserError, match="cuda"):
        estimate_run(training_settings("vae", "tiny", ["accelerator=cuda"]))


def test_the_peak_of_memory_is_not_forgotten() -> None:
    # In a process of its own, as that of all tests may have held more before.
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from CranialAugmentationTrainerLib.training.peak_memory import peak_main_memory\n"
        "before = peak_main_memory()\n"
        "block = bytearray(b'x') * 100_000_000\n"
        "held = peak_main_memory()\n"
        "del block\n"
        "print(held - before, peak_main_memory() - held)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown, after = map(int, done.stdout.split())
    assert grown > 80_000_000
    # Linux counts in batches.
    assert after > -1_000_000
