"""What every network's training shares: optimiser, schedule, and the moving average that is kept."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import lightning
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from CranialAugmentationTrainerLib.training.optimiser_settings import OptimiserSettings
from CranialAugmentationTrainerLib.training.previews import SHOWN
from CranialAugmentationTrainerLib.training.reconstruction_data import Item
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.networks import build_network, minimum_multiple


class NetworkPlan(Protocol):
    """What every network's training is told."""

    @property
    def architecture(self) -> str:
        """As ``build_network`` takes it."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """As ``build_network`` takes them."""

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""

    @property
    def optimiser(self) -> OptimiserSettings:
        """AdamW, its schedule and the average."""


class NetworkTask(lightning.LightningModule):
    """One network; ``average`` is the one that is kept.

    Subclasses say what its channels are, what its loss is, which figures are logged and what is shown.
    ``shown`` holds the panels of the last validation's first cases.
    """

    input_channels: int
    output_channels: int

    def __init__(self, settings: NetworkPlan) -> None:
        super().__init__()
        self.settings: NetworkPlan = settings
        self.shown: list[list[torch.Tensor]] = []
        self._check_sides()
        self.network = build_network(settings.architecture, self.network_arguments(settings))
        moving = get_ema_multi_avg_fn(settings.optimiser.average)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=moving, use_buffers=True)

    @classmethod
    def network_arguments(cls, settings: NetworkPlan) -> dict[str, Any]:
        """What the network is built with."""
        channels = {"in_channels": cls.input_channels, "out_channels": cls.output_channels}
        return {**settings.arguments, **channels}

    @property
    @abstractmethod
    def sides(self) -> tuple[int, ...]:
        """Voxels, or pixels, along each side of what the network sees."""

    @abstractmethod
    def loss(self, network: torch.nn.Module, batch: Item) -> torch.Tensor:
        """Loss of a batch."""

    @abstractmethod
    def figures(self, network: torch.nn.Module, batch: Item) -> dict[str, torch.Tensor]:
        """Figures of a validation batch beside its loss."""

    @abstractmethod
    def missing_ml(self, batch: Item) -> torch.Tensor:
        """Bone missing from each case of a batch (B,), millilitres."""

    @abstractmethod
    def panels(self, network: torch.nn.Module, batch: Item) -> list[torch.Tensor]:
        """Panels (V, U), 0 to 1, of a validation case: what is there, what is missing, what was found."""

    def training_step(self, batch: Item, index: int) -> torch.Tensor:
        return self.loss(self.network, batch)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.average.update_parameters(self.network)

    def validation_step(self, batch: Item, index: int) -> None:
        self.log("validation_loss", self.loss(self.average, batch), batch_size=1)
        for name, value in self.figures(self.average, batch).items():
            self.log(f"validation_{name}", value, batch_size=1)
        if index < SHOWN:
            self.shown.append(self.panels(self.average, batch))

    def on_validation_epoch_start(self) -> None:
        self.shown = []

    def _check_sides(self) -> None:
        multiple = minimum_multiple(self.settings.architecture, self.network_arguments(self.settings))
        if any(side % multiple for side in self.sides):
            raise UserError(
                f"this network halves its grid of {' x '.join(map(str, self.sides))} until every side must be a "
                f"multiple of {multiple}",
                where="training configuration",
                remedy="Give it fewer strides, or choose another fine_spacing, box or window.",
            )

    def configure_optimizers(self) -> Any:
        chosen = self.settings.optimiser
        optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=chosen.learning_rate, weight_decay=chosen.weight_decay
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self._rate_at)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate_at(self, step: int) -> float:
        warmup = self.settings.optimiser.warmup
        if step < warmup:
            return (step + 1) / warmup
        done = min(1.0, (step - warmup) / max(1, self.settings.steps - warmup))
        return 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done))
