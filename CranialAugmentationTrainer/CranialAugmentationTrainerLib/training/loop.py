"""One run from its configuration to its last checkpoint, by Lightning.

An epoch is ``steps_an_epoch`` steps on cases numbered on from the last epoch's, and a checkpoint ends
it; a run that was killed goes on from there and ends with the weights that it would have had.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader

from CranialAugmentationTrainerLib.augmentation.registration import register
from CranialAugmentationTrainerLib.datasets.paired_skulls import find_paired_skulls
from CranialAugmentationTrainerLib.datasets.split import Split, split_by_skull
from CranialAugmentationTrainerLib.training.cases import WarpTowards
from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings, parse_settings
from CranialAugmentationTrainerLib.training.head_cache import CachedHead, cache_heads
from CranialAugmentationTrainerLib.training.reconstruction_data import Item, ReconstructionCases
from CranialAugmentationTrainerLib.training.reconstruction_task import ReconstructionTask
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import HEAD_BOXES
from CranialReconstructionLib.reconstruction.networks import build_network

VALIDATION_SEED = 1_000_003


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
        run.create(settings.as_json(), data)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    lightning.seed_everything(settings.seed, verbose=False)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    try:
        _fit(settings, data, run, cache or run.path / "cache")
    except (UserError, KeyboardInterrupt) as cause:
        run.log("failed", cause=str(cause) or "interrupted")
        raise
    run.log("done", steps=settings.steps)


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
    network = build_network(settings.architecture, ReconstructionTask(settings).network_arguments)
    network.load_state_dict(averaged_weights(run))
    return network.eval()


def _fit(settings: ReconstructionSettings, data: Path, run: RunFolder, cache: Path) -> None:
    cases = find_paired_skulls(data)
    if not run.split.exists():
        drawn = settings.split
        split_by_skull(
            (case.skull for case in cases), drawn.seed, drawn.validation, drawn.test, drawn.same_person
        ).write(run.split)
    split = Split.read(run.split)

    def heads_of(skulls: Sequence[str]) -> list[CachedHead]:
        chosen = [case for case in cases if case.skull in skulls]
        run.log("reading", cases=len(chosen))
        return cache_heads(chosen, cache, HEAD_BOXES[settings.box], settings.fine_spacing)

    train_heads, validation_heads = heads_of(split.train), heads_of(split.validation)
    warps = _warps(settings, train_heads, cache, run)
    coarse = trained_network(RunFolder(Path(settings.coarse_run))) if settings.stage == "fine" else None
    task = ReconstructionTask(settings, coarse)
    if settings.start_from and not run.checkpoint.exists():
        weights = averaged_weights(RunFolder(Path(settings.start_from)))
        task.network.load_state_dict(weights)
        task.average.module.load_state_dict(weights)
    # Validation is about the network, so its heads are as they are: upright and their own size.
    still = replace(settings, mixture=replace(settings.mixture, spatial=None, towards=0.0))
    validation = ReconstructionCases(
        still, validation_heads, [], VALIDATION_SEED, 0, settings.validation_cases
    )
    trainer = lightning.Trainer(
        max_epochs=settings.steps // settings.steps_an_epoch,
        accelerator=settings.accelerator,
        devices=settings.devices,
        precision=settings.precision,  # type: ignore[arg-type]
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
        trainer.fit(
            task,
            datamodule=_Cases(settings, train_heads, warps, validation),
            ckpt_path=run.checkpoint if run.checkpoint.exists() else None,
            weights_only=True,
        )


class _Cases(lightning.LightningDataModule):
    def __init__(
        self,
        settings: ReconstructionSettings,
        heads: Sequence[CachedHead],
        warps: Sequence[WarpTowards],
        validation: ReconstructionCases,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.heads = heads
        self.warps = warps
        self.validation = validation

    def train_dataloader(self) -> DataLoader[Item]:
        settings = self.settings
        count = settings.steps_an_epoch * settings.batch * settings.devices
        first = (self.trainer.current_epoch if self.trainer else 0) * count
        cases = ReconstructionCases(settings, self.heads, self.warps, settings.seed, first, count)
        return DataLoader(cases, settings.batch, num_workers=settings.workers)

    def val_dataloader(self) -> DataLoader[Item]:
        return DataLoader(self.validation, 1)


class _Recorder(Callback):
    """Writes the run folder: losses as events, an atomic checkpoint after each epoch."""

    def __init__(self, run: RunFolder, settings: ReconstructionSettings) -> None:
        self.run = run
        self.settings = settings
        self.losses: list[float] = []
        self.started = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        self.run.log("started", step=trainer.global_step, steps=self.settings.steps)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, outputs: Any, *_: Any
    ) -> None:
        loss = float(outputs["loss"])
        if not np.isfinite(loss):
            raise UserError(
                f"the loss is {loss} at step {trainer.global_step}",
                where=str(self.run.path),
                remedy="Lower the learning rate; the last good checkpoint is kept.",
            )
        self.losses.append(loss)
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

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        beside = self.run.checkpoint.with_suffix(".part")
        trainer.save_checkpoint(beside)
        beside.replace(self.run.checkpoint)
        self.run.log("checkpoint", step=trainer.global_step, path=str(self.run.checkpoint))
        self.started = time.monotonic()


def _warps(
    settings: ReconstructionSettings, heads: Sequence[CachedHead], cache: Path, run: RunFolder
) -> list[WarpTowards]:
    """Registered pairs of training heads, drawn without repeats; kept in ``cache``."""
    size = torch.tensor(HEAD_BOXES[settings.box].size)[:, None, None, None]
    pairs = [(a, b) for a in range(len(heads)) for b in range(len(heads)) if a != b]
    order = np.random.default_rng(settings.seed).permutation(len(pairs))[: settings.warps]
    warps = []
    for done, index in enumerate(order):
        moving, fixed = pairs[index]
        path = cache / f"towards-{heads[moving].name}-{heads[fixed].name}-{settings.fine_spacing:g}mm.npy".replace(
            "/", "_"
        )
        if not path.is_file():
            images = [_small(heads[which].complete) for which in (moving, fixed)]
            displacement = register(images[0], images[1], settings.registration) * (size / 2.0)
            beside = path.with_suffix(".part")
            with beside.open("wb") as file:
                np.save(file, displacement.numpy().astype(np.float16))
            beside.replace(path)
        displacement = torch.from_numpy(np.load(path).astype(np.float32))
        warps.append(WarpTowards(moving, displacement))
        if done % 50 == 49:
            run.log("registered", pairs=done + 1, of=len(order))
    return warps


def _small(complete: torch.Tensor) -> torch.Tensor:
    """A head at four times its voxel edge, which is enough for a smooth warp."""
    shares = complete.to(torch.float32)[None, None] / 255.0
    return torch.nn.functional.avg_pool3d(shares, 4)[0, 0]
