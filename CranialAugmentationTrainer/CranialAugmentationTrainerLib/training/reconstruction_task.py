"""The two networks of a reconstruction model as Lightning sees them."""

from __future__ import annotations

import math
from typing import Any

import lightning
import torch
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings
from CranialAugmentationTrainerLib.training.loss import reconstruction_loss
from CranialAugmentationTrainerLib.training.reconstruction_data import Item
from CranialReconstructionLib.reconstruction.networks import build_network
from CranialReconstructionLib.reconstruction.passes import (
    COARSE_CHANNELS,
    FINE_CHANNELS,
    coarse_input,
    fine_input,
)

# About one voxel in a hundred of a head box is missing bone.
RARE_LOGIT = -4.6


class ReconstructionTask(lightning.LightningModule):
    """Loss, optimiser and moving average of one network; ``average`` is the one that is kept."""

    def __init__(self, settings: ReconstructionSettings, coarse: torch.nn.Module | None = None) -> None:
        super().__init__()
        self.settings = settings
        channels = COARSE_CHANNELS if settings.stage == "coarse" else FINE_CHANNELS
        self.network_arguments = {**settings.arguments, "in_channels": len(channels), "out_channels": 1}
        self.network = build_network(settings.architecture, self.network_arguments)
        _start_empty(self.network)
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(settings.optimiser.average), use_buffers=True
        )
        # Frozen, and no part of this network's own checkpoint.
        self._coarse = [coarse.eval().requires_grad_(False)] if coarse is not None else []

    def inputs(self, batch: Item) -> tuple[torch.Tensor, torch.Tensor]:
        """What the network sees, and what it should give back."""
        if self.settings.stage == "coarse":
            return coarse_input(batch["skull"]), batch["defect"]
        with torch.no_grad():
            coarse = self._coarse[0].to(self.device)
            probability = torch.sigmoid(coarse(coarse_input(batch["skull"])))
            there = functional.grid_sample(probability, batch["window_places"], align_corners=False)
        return fine_input(batch["window_skull"], there), batch["window_defect"]

    def training_step(self, batch: Item, index: int) -> torch.Tensor:
        seen, wanted = self.inputs(batch)
        return reconstruction_loss(self.network(seen), wanted)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.average.update_parameters(self.network)

    def validation_step(self, batch: Item, index: int) -> None:
        seen, wanted = self.inputs(batch)
        logits = self.average(seen)
        found, there = logits > 0, wanted > 0.5
        dice = (2.0 * (found & there).sum() + 1.0) / (found.sum() + there.sum() + 1.0)
        self.log("validation_loss", reconstruction_loss(logits, wanted), batch_size=len(wanted))
        self.log("validation_dice", dice, batch_size=len(wanted))

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


def _start_empty(network: torch.nn.Module) -> None:
    """Let a fresh network expect next to no defect: Adam moves a bias by the learning rate a step, and
    would take thousands of them to learn that nearly all of a head is whole."""
    last = [module for module in network.modules() if isinstance(module, torch.nn.Conv3d)][-1]
    if last.bias is not None:
        torch.nn.init.constant_(last.bias, RARE_LOGIT)
