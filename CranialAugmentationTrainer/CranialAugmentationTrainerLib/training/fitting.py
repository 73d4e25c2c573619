"""The loop that trains every network, by Lightning: events, checkpoints, previews, resume and stop.

What Lightning calls an epoch lasts from one halt of a ``Pace`` to the next, and nothing is drawn but by
the number of the step: a run that was killed goes on from its last checkpoint, and ends with the
weights that it would have had.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch.utils.data import DataLoader, Dataset

from CranialAugmentationTrainerLib.training.pace import Pace, StepNumbers
from CranialAugmentationTrainerLib.training.recorder import Companion, Recorder
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.stop_request import StopRequest

Ending = Literal["done", "stopped"]


@dataclass(frozen=True)
class Machine:
    """Where it is computed, in Lightning's words.

    Attributes:
        workers: processes that make batches.
        clip: largest norm of the gradient, where Lightning steps the optimiser; None: any.
    """

    accelerator: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    workers: int = 0
    clip: float | None = None


@dataclass(frozen=True)
class Batches:
    """What a run learns from and is looked at with.

    Attributes:
        training: cases by their number in the run.
        batch: cases a step and process.
        validation: fixed cases; it may be empty.
        validation_batch: of those, at a time.
    """

    training: Dataset[Any]
    batch: int
    validation: Dataset[Any]
    validation_batch: int = 1


def fit(
    task: lightning.LightningModule,
    batches: Batches,
    run: RunFolder,
    pace: Pace,
    machine: Machine,
    companion: Companion,
    collapse_stop: int = 0,
    early: EarlyStopping | None = None,
) -> Ending:
    """Train ``task`` from its run's last checkpoint, or from the start, until its last step.

    Args:
        collapse_stop, early: as the ``Recorder`` takes them.

    Returns:
        "stopped" where somebody asked for it: there is a checkpoint of that step.

    Raises:
        UserError: the run diverged; the last good checkpoint stays.
        KeyboardInterrupt: a second Ctrl-C.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    request = StopRequest(run)
    recorder = Recorder(run, pace, companion, request, collapse_stop, early)
    with warnings.catch_warnings(), request.listening():
        warnings.filterwarnings("ignore", module="lightning")
        trainer = lightning.Trainer(
            max_epochs=-1,
            accelerator=machine.accelerator,
            devices=machine.devices,
            strategy=machine.strategy,
            precision=machine.precision,
            gradient_clip_val=machine.clip,
            callbacks=[recorder, *([early] if early else [])],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            default_root_dir=run.path,
        )
        try:
            trainer.fit(
                task,
                datamodule=_Loaders(batches, pace, machine.workers, lambda: recorder.step_of(trainer)),
                ckpt_path=run.checkpoint if run.checkpoint.exists() else None,
                weights_only=True,
            )
        except SystemExit as ended:
            # Lightning answers Ctrl-C by an exit of its own.
            raise KeyboardInterrupt("interrupted") from ended
    step = recorder.step_of(trainer)
    if recorder.stopped:
        recorder.run.log("stopped", step=step, cause=request.cause)
        return "stopped"
    recorder.run.log("done", steps=step)
    return "done"


class _Loaders(lightning.LightningDataModule):
    def __init__(self, batches: Batches, pace: Pace, workers: int, step: Callable[[], int]) -> None:
        super().__init__()
        self.batches = batches
        self.pace = pace
        self.workers = workers
        self.step = step

    def train_dataloader(self) -> DataLoader[Any]:
        numbers = StepNumbers(self.pace, self.step, self.batches.batch, self._place)
        return DataLoader(
            self.batches.training,
            batch_sampler=numbers,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.batches.validation, self.batches.validation_batch)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        # Stored cases travel as bytes, a quarter of the floats that networks see.
        if isinstance(batch, torch.Tensor) and batch.dtype == torch.uint8:
            return batch.float() / 255.0
        return batch

    def _place(self) -> tuple[int, int]:
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size
