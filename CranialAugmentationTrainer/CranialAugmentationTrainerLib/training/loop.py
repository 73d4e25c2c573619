"""One run from its configuration to its last checkpoint, by Lightning.

An epoch is ``steps_an_epoch`` steps on cases numbered on from the last epoch's, and a checkpoint ends
it; a run that was killed goes on from there and ends with the weights that it would have had.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader

from CranialAugmentationTrainerLib.datasets.paired_skulls import find_paired_skulls
from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings, parse_settings
from CranialAugmentationTrainerLib.training.material import Material, gather_material
from CranialAugmentationTrainerLib.training.network_task import NetworkTask
from CranialAugmentationTrainerLib.training.previews import write_preview
from CranialAugmentationTrainerLib.training.reconstruction_data import Item
from CranialAugmentationTrainerLib.training.reconstruction_task import VolumeTask, WindowTask
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.shell_task import ShellTask
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.reconstruction.networks import build_network

TASKS: dict[str, type[NetworkTask]] = {"shell": ShellTask, "coarse": VolumeTask, "fine": WindowTask}


def train(
    settings: ReconstructionSettings, data: Path, run: RunFolder, resume: bool = False, cache: Path | None = None
) -> None:
    """Train one network until its last step.

    Args:
        data: folder in SkullFix's or SkullBreak's layout.
        run: where everything that the run leaves goes.
        resume: go on with the run that is in the folder; its own configuration counts.
        cache: where skulls resampled to the head grid are kept; the run's own folder without it.

    Raises:
        UserError: the data, the configuration or the run folder is not what it should be; the loss is
            no longer a number (the last good checkpoint stays).
    """
    if resume:
        settings = parse_settings(run.read_configuration(), str(run.path / "run.json"))
    else:
        # Data that cannot be used must not leave a run that only --resume gets past.
        find_paired_skulls(data)
        run.create(settings.as_json(), data)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    lightning.seed_everything(settings.seed, verbose=False)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    try:
        _fit(settings, data, run, cache or run.path / "cache")
    finally:
        # However a run ends, those who watch it must see that it did.
        cause = sys.exception()
        if cause is None:
            run.log("done", steps=settings.steps)
        else:
            run.log("failed", cause=str(cause) or type(cause).__name__)


def averaged_weights(run: RunFolder) -> dict[str, torch.Tensor]:
    """The averaged weights of a run's last checkpoint, named as the network names them."""
    if not run.checkpoint.is_file():
        raise UserError(
            "the run has no checkpoint yet", where=str(run.path), remedy="Let it train for an epoch first."
        )
    state = torch.load(run.checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "average.module."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def trained_network(run: RunFolder) -> torch.nn.Module:
    """The averaged network of a run's last checkpoint, in evaluation mode."""
    settings = parse_settings(run.read_configuration(), str(run.path / "run.json"))
    network = build_network(settings.architecture, TASKS[settings.stage].network_arguments(settings))
    network.load_state_dict(averaged_weights(run))
    return network.eval()


def _fit(settings: ReconstructionSettings, data: Path, run: RunFolder, cache: Path) -> None:
    # The network first: what it refuses is known before the minutes that the data take.
    task = _task(settings)
    material = gather_material(settings, data, run, cache)
    if settings.start_from and not run.checkpoint.exists():
        weights = averaged_weights(RunFolder(Path(settings.start_from)))
        task.network.load_state_dict(weights)
        task.average.module.load_state_dict(weights)
    trainer = lightning.Trainer(
        max_epochs=settings.steps // settings.steps_an_epoch,
        accelerator=settings.accelerator,
        devices=settings.devices,
        precision=settings.precision,
        gradient_clip_val=settings.optimiser.clip,
        reload_dataloaders_every_n_epochs=1,
        callbacks=[_Recorder(run, settings)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=run.path,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        try:
            trainer.fit(
                task,
                datamodule=_Cases(settings, material),
                ckpt_path=run.checkpoint if run.checkpoint.exists() else None,
                weights_only=True,
            )
        except SystemExit as ended:
            # Lightning answers Ctrl-C by an exit of its own.
            raise KeyboardInterrupt("interrupted") from ended


def _task(settings: ReconstructionSettings) -> NetworkTask:
    if settings.stage == "fine":
        return WindowTask(settings, trained_network(RunFolder(Path(settings.coarse_run))))
    return TASKS[settings.stage](settings)


class _Cases(lightning.LightningDataModule):
    def __init__(self, settings: ReconstructionSettings, material: Material) -> None:
        super().__init__()
        self.settings = settings
        self.material = material

    def train_dataloader(self) -> DataLoader[Item]:
        settings = self.settings
        count = settings.steps_an_epoch * settings.batch * settings.devices
        first = (self.trainer.current_epoch if self.trainer else 0) * count
        return DataLoader(self.material.training(first, count), settings.batch, num_workers=settings.workers)

    def val_dataloader(self) -> DataLoader[Item]:
        return DataLoader(self.material.validation, 1)


class _Recorder(Callback):
    """Writes the run folder: losses as events, an atomic checkpoint after each epoch."""

    def __init__(self, run: RunFolder, settings: ReconstructionSettings) -> None:
        self.run = run
        self.settings = settings
        self.losses: list[float] = []
        self.missing_ml: list[float] = []
        self.started = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        self.run.log("started", step=trainer.global_step, steps=self.settings.steps)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        loss = float(outputs["loss"])
        if not np.isfinite(loss):
            raise UserError(
                f"the loss is {loss} at step {trainer.global_step}",
                where=str(self.run.path),
                remedy="Lower the learning rate; the last good checkpoint is kept.",
            )
        self.losses.append(loss)
        if isinstance(task, NetworkTask):
            self.missing_ml += [volume for volume in task.missing_ml(batch).tolist() if volume > 0.0]
        if trainer.global_step % 50 == 0:
            seconds = time.monotonic() - self.started
            self.run.log(
                "step",
                step=trainer.global_step,
                loss=round(float(np.mean(self.losses)), 5),
                seconds_a_step=round(seconds / len(self.losses), 4),
            )
            self.losses.clear()
            self.started = time.monotonic()

    def on_validation_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        figures = {name: round(float(value), 5) for name, value in trainer.callback_metrics.items()}
        self.run.log("validated", step=trainer.global_step, **figures)
        if isinstance(task, NetworkTask) and task.shown:
            path = self.run.previews / f"step-{trainer.global_step:06d}.png"
            write_preview(task.shown, path)
            self.run.log("preview", step=trainer.global_step, path=str(path))

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        with whole_file(self.run.checkpoint) as part:
            trainer.save_checkpoint(part)
        seen = {"defect_ml": [round(end(self.missing_ml), 2) for end in (min, max)]} if self.missing_ml else {}
        self.run.log("checkpoint", step=trainer.global_step, path=str(self.run.checkpoint), **seen)
        self.started = time.monotonic()
