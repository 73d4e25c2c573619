"""Writes a run's folder while it trains, and ends a run that diverges or is asked to stop."""

from __future__ import annotations

import math
import shutil
import time
from collections import defaultdict
from dataclasses import replace
from typing import Any, Protocol

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping

from CranialAugmentationTrainerLib.training.pace import Pace
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.stop_request import StopRequest
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.whole_file import whole_file

VALIDATION = "validation_"


class Companion(Protocol):
    """What the recorder asks about the network that is trained."""

    def saw(self, batch: Any) -> None:
        """Look at a training batch."""

    def facts(self) -> dict[str, Any]:
        """What a checkpoint's event tells besides, of the batches since the last one."""

    def losses(self, outputs: Any) -> dict[str, torch.Tensor]:
        """Losses of a step by name, ``loss`` among them, from what the step gave."""

    def warnings(self) -> list[str]:
        """What has gone wrong, a sentence each."""

    def preview(self, step: int) -> dict[str, Any]:
        """Write previews; what their event tells, empty if there are none."""


class Recorder(Callback):
    """Losses, validations, previews and checkpoints as events.

    Args:
        request: looked at after each step.
        collapse_stop: validations in a row with a warning after which the run ends; 0: never.
        early: stops the run where a figure no longer gets better; the best checkpoint is kept then.
    """

    def __init__(
        self,
        run: RunFolder,
        pace: Pace,
        companion: Companion,
        request: StopRequest,
        collapse_stop: int = 0,
        early: EarlyStopping | None = None,
    ) -> None:
        self.run = run
        self.pace = pace
        self.companion = companion
        self.request = request
        self.collapse_stop = collapse_stop
        self.early = early
        self.stopped = False
        self._step: int | None = None
        self._warned = 0
        self._losses: dict[str, list[float]] = defaultdict(list)
        self._clock = 0.0

    def step_of(self, trainer: lightning.Trainer) -> int:
        """Steps done; a checkpoint that does not tell is of a network whose optimiser steps once a batch."""
        if self._step is None:
            self._step = int(trainer.global_step)
        return self._step

    def state_dict(self) -> dict[str, Any]:
        return {"step": self._step, "warned": self._warned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._step, self._warned = int(state_dict["step"]), int(state_dict["warned"])

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        self.request.listen()
        if not trainer.is_global_zero:
            self.run = replace(self.run, silent=True)
        step = self.step_of(trainer)
        self.run.log("started", step=step, steps=self.pace.steps)
        trainer.should_stop = step >= self.pace.steps
        self._start_clock()

    def on_train_epoch_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        halt = self.pace.halt(self.step_of(trainer))
        # Lightning validates at the end of each of its epochs; one here ends wherever anything is due.
        trainer.limit_val_batches = 1.0 if self.pace.due(self.pace.validate, halt) else 0.0

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        self._step = step = self.step_of(trainer) + 1
        losses = self.companion.losses(outputs)
        values = torch.stack([loss.detach().float() for loss in losses.values()]).tolist()
        for name, value in zip(losses, values, strict=True):
            if not math.isfinite(value):
                what = "the loss" if name == "loss" else f"the loss {name!r}"
                raise self._diverged(f"{what} is {value} at step {step}")
            self._losses[name].append(value)
        self.companion.saw(batch)
        if step % self.pace.report == 0:
            self._report(step)
        if trainer.strategy.reduce_boolean_decision(self.request.asked(), all=False) and step < self.pace.steps:
            self.stopped = trainer.should_stop = True
            trainer.limit_val_batches = 0.0

    def on_validation_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        step = self.step_of(trainer)
        metrics = trainer.callback_metrics.items()
        figures = {name: round(float(value), 5) for name, value in metrics if name.startswith(VALIDATION)}
        self.run.log("validated", step=step, **figures)
        if self.early and self.early.monitor not in figures:
            raise UserError(
                f"there is no figure {self.early.monitor.removeprefix(VALIDATION)!r} to watch",
                where=str(self.run.path),
                remedy=f"Watch one of {', '.join(name.removeprefix(VALIDATION) for name in figures)}."
                if figures
                else "Train without early_stop: nothing is measured on validation cases here.",
            )
        found = trainer.strategy.broadcast(self.companion.warnings())
        for sentence in found:
            self.run.log("warning", step=step, problem=sentence)
        self._warned = self._warned + 1 if found else 0
        if self.collapse_stop and self._warned >= self.collapse_stop:
            self._go_back(trainer)
            raise self._diverged(f"{found[0]}, at {self._warned} validations in a row, the last at step {step}")

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        step, pace = self.step_of(trainer), self.pace
        early = bool(trainer.should_stop) and not self.stopped and step < pace.steps
        if pace.due(pace.preview, step) and not self.stopped and trainer.is_global_zero:
            shown = self.companion.preview(step)
            if shown:
                self.run.log("preview", step=step, **shown)
        improved = self.early is not None and pace.due(pace.validate, step) and self.early.wait_count == 0
        if self.stopped or early or improved or pace.due(pace.checkpoint, step):
            self._save(trainer, task, step, improved)
        if early and self.early is not None:
            self.run.log("early_stop", step=step, figure=self.early.monitor, best=float(self.early.best_score))
        if step >= pace.steps:
            trainer.should_stop = True
        self._start_clock()

    def _report(self, step: int) -> None:
        # A loss of some steps only, as a generator's beside its critic's, is the mean of those.
        means = {name: round(sum(values) / len(values), 5) for name, values in self._losses.items()}
        seconds = (time.monotonic() - self._clock) / len(self._losses["loss"])
        left = round(seconds * (self.pace.steps - step), 1)
        self.run.log("step", step=step, **means, seconds_a_step=round(seconds, 4), seconds_left=left)
        self._start_clock()

    def _start_clock(self) -> None:
        """Begin a report anew: what happens between steps is not counted as theirs."""
        self._losses.clear()
        self._clock = time.monotonic()

    def _save(self, trainer: lightning.Trainer, task: lightning.LightningModule, step: int, best: bool) -> None:
        """An atomic checkpoint of a run that is well."""
        # Weights only: a buffer may say by NaN that something has not been measured yet.
        for name, value in task.named_parameters():
            if not bool(torch.isfinite(value).all()):
                raise self._diverged(f"the weights {name} hold numbers that are none, at step {step}")
        run = self.run
        if not trainer.is_global_zero:
            trainer.save_checkpoint(run.checkpoint)
            return
        if self._warned == 1 and run.checkpoint.exists():
            shutil.copy2(run.checkpoint, run.sound_checkpoint)
        elif self._warned == 0:
            run.sound_checkpoint.unlink(missing_ok=True)
        with whole_file(run.checkpoint) as part:
            trainer.save_checkpoint(part)
        if best:
            with whole_file(run.best_checkpoint) as part:
                shutil.copy2(run.checkpoint, part)
        told = {"best": True} if best else {}
        run.log("checkpoint", step=step, path=str(run.checkpoint), **told, **self.companion.facts())

    def _go_back(self, trainer: lightning.Trainer) -> None:
        """The last checkpoint is that from before the trouble, if there was one."""
        if trainer.is_global_zero and self.run.sound_checkpoint.exists():
            self.run.sound_checkpoint.replace(self.run.checkpoint)

    def _diverged(self, problem: str) -> UserError:
        return UserError(
            problem,
            where=str(self.run.path),
            remedy="Lower the learning rate; the last good checkpoint is kept.",
        )
