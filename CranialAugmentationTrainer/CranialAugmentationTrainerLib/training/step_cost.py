"""What a step of a run costs on this computer: some steps are done, as training does them, and measured."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from CranialAugmentationTrainerLib.generators.latent_diffusion import LatentDiffusion
from CranialAugmentationTrainerLib.generators.method import Generator
from CranialAugmentationTrainerLib.generators.parameters import DiffusionSettings
from CranialAugmentationTrainerLib.generators.registry import build
from CranialAugmentationTrainerLib.training.case_network import CasePlan, CaseTask
from CranialAugmentationTrainerLib.training.case_network_settings import CaseNetworkSettings
from CranialAugmentationTrainerLib.training.peak_memory import peak_main_memory
from CranialAugmentationTrainerLib.training.run_stages import StepKind
from CranialAugmentationTrainerLib.training.training_settings import TrainingSettings

# Bytes that a number which is learned takes: itself, its gradient, and Adam's two averages.
LEARNED_BYTES, KEPT_BYTES = 16, 4


@dataclass(frozen=True)
class StepCost:
    """What was measured.

    Attributes:
        side, batch: of the cases that it was measured with.
        seconds: of a step of each kind.
        memory: bytes of the device at the peak; on a CPU those of the whole process.
        main_memory: of the process, bytes at the peak.
    """

    side: int
    batch: int
    seconds: tuple[float, ...]
    memory: int
    main_memory: int

    @property
    def voxels(self) -> int:
        """That a step works on."""
        return self.side**3 * self.batch


def with_size(settings: TrainingSettings, side: int, batch: int) -> TrainingSettings:
    """The same run on a grid of another size.

    Raises:
        UserError: its network does not fit a grid of that size.
    """
    network = settings.settings
    if isinstance(network, CaseNetworkSettings):
        network = replace(network, side=side)
    elif isinstance(network, DiffusionSettings):
        # Each of the diffusion models has its autoencoder's.
        below = network.autoencoder  # type: ignore[attr-defined]
        sized = replace(below, network=replace(below.network, side=side))
        network = replace(network, autoencoder=sized)  # type: ignore[call-arg]
    else:
        network = replace(network, network=replace(network.network, side=side))
    return replace(settings, settings=network, batch=batch)


def task_of(settings: TrainingSettings) -> Generator | CaseTask:
    """The network of a run with fresh weights; a diffusion model takes its autoencoder for trained."""
    if isinstance(settings.settings, CaseNetworkSettings):
        return CaseTask(CasePlan(settings.settings, settings.steps))
    task = build(settings.method, settings.settings)
    if isinstance(task, LatentDiffusion):
        task.trained.fill_(True)
    return task


def network_size(settings: TrainingSettings) -> tuple[int, int]:
    """Numbers that the run learns, and bytes of its weights with all that goes with them; nothing is computed."""
    with torch.device("meta"):
        task = task_of(settings)
    learned = sum(entry.numel() for entry in task.parameters() if entry.requires_grad)
    kept = sum(entry.numel() for entry in (*task.parameters(), *task.buffers())) - learned
    return learned, LEARNED_BYTES * learned + KEPT_BYTES * kept


def hollow_balls(side: int, batch: int) -> torch.Tensor:
    """Cases (B, 2, K, J, I) that stand for heads: shells of bone, a part of each missing."""
    places = np.stack(np.meshgrid(*3 * [np.linspace(-1.0, 1.0, side)], indexing="ij"))
    distance = np.linalg.norm(places, axis=0)
    bone = (distance < 0.65) & (distance > 0.65 - max(0.06, 3.0 / side))
    missing = bone & (places[0] > 0.3) & (places[1] > 0.0)
    case = torch.from_numpy(np.stack((bone & ~missing, missing)).astype(np.float32))
    return case[None].repeat(batch, 1, 1, 1, 1)


def measure_steps(settings: TrainingSettings, kinds: Sequence[StepKind], patience: float) -> StepCost:
    """Do each kind of step, and once more where the first took less than ``patience`` seconds: it warms up."""
    clock = _Clock(kinds, patience)
    cases = hollow_balls(settings.side, settings.batch)
    trainer = quiet_trainer(settings, clock)
    device = trainer.strategy.root_device
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        trainer.fit(task_of(settings), DataLoader(_Repeated(cases, 2 * len(kinds)), batch_size=None))
    main = peak_main_memory()
    return StepCost(settings.side, settings.batch, tuple(clock.seconds), _peak(device, main), main)


def quiet_trainer(settings: TrainingSettings, *callbacks: lightning.Callback) -> lightning.Trainer:
    """A trainer on one of the run's devices that writes nothing."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    generator = not isinstance(settings.settings, CaseNetworkSettings)
    return lightning.Trainer(
        max_epochs=1,
        accelerator=settings.accelerator,
        devices=1,
        precision=settings.precision,
        gradient_clip_val=None if generator else settings.settings.optimiser.clip,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


class _Clock(lightning.Callback):
    """Puts the method before one kind of step after the other, and takes the time."""

    def __init__(self, kinds: Sequence[StepKind], patience: float) -> None:
        self.kinds = kinds
        self.patience = patience
        self.seconds: list[float] = []
        self._begun = 0.0
        self._again = False

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        if isinstance(module, Generator):
            place = len(self.seconds) - self._again
            module.batches.fill_(self.kinds[place].batch)
        _wait(trainer.strategy.root_device)
        self._begun = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        _wait(trainer.strategy.root_device)
        took = time.perf_counter() - self._begun
        if self._again:
            self.seconds[-1] = took
        else:
            self.seconds.append(took)
        self._again = not self._again and took < self.patience
        if not self._again and len(self.seconds) == len(self.kinds):
            trainer.should_stop = True


class _Repeated(Dataset[torch.Tensor]):
    def __init__(self, cases: torch.Tensor, times: int) -> None:
        self.cases = cases
        self.times = times

    def __len__(self) -> int:
        return self.times

    def __getitem__(self, number: int) -> torch.Tensor:
        return self.cases


def _wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _peak(device: torch.device, main: int) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    return int(torch.mps.driver_allocated_memory()) if device.type == "mps" else main
