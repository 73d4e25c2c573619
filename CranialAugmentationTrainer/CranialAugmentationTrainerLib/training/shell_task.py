"""The shell network as Lightning sees it."""

from __future__ import annotations

import torch
from torch.nn import functional

from CranialAugmentationTrainerLib.training.loss import soft_dice_loss
from CranialAugmentationTrainerLib.training.network_task import NetworkTask
from CranialAugmentationTrainerLib.training.reconstruction_data import Item
from CranialReconstructionLib.reconstruction.shell_pass import (
    SHELL_CHANNELS,
    SHELL_OUTPUTS,
    ShellAnswer,
    shell_answer,
    shell_input,
)

# Around a hole the tables are known; the network is still asked for them, so that the painted bone
# meets the old one, in a band of this many pixels.
BAND = 5
# Weight of that band beside the hole.
BAND_WEIGHT = 0.25


class ShellTask(NetworkTask):
    """Laplace likelihood of the tables where bone is missing; Dice and cross entropy of where that is."""

    input_channels = len(SHELL_CHANNELS)
    output_channels = SHELL_OUTPUTS

    def answer(self, network: torch.nn.Module, batch: Item) -> ShellAnswer:
        """What ``network`` says of a batch."""
        seen = shell_input(batch["outer"], batch["inner"], batch["present"])
        return shell_answer(seen, network(seen))

    def loss(self, network: torch.nn.Module, batch: Item) -> torch.Tensor:
        """Loss of a batch."""
        said, wanted = self.answer(network, batch), batch["missing"]
        tables = _table_loss(said, batch)
        where = functional.binary_cross_entropy_with_logits(said.missing, wanted)
        return tables + soft_dice_loss(said.missing[:, None], wanted[:, None]) + 5.0 * where

    def figures(self, network: torch.nn.Module, batch: Item) -> dict[str, torch.Tensor]:
        """Mean absolute errors of the tables in the hole, mm, and Dice of the hole."""
        said, wanted = self.answer(network, batch), batch["missing"]
        hole, found = wanted > 0.5, said.missing > 0
        figures = {"missing_dice": (2.0 * (hole & found).sum() + 1.0) / (hole.sum() + found.sum() + 1.0)}
        if bool(hole.any()):
            figures["outer_error"] = (said.outer - batch["whole_outer"])[hole].abs().mean()
            figures["inner_error"] = (said.inner - batch["whole_inner"])[hole].abs().mean()
        return figures


def _table_loss(said: ShellAnswer, batch: Item) -> torch.Tensor:
    hole = batch["missing"]
    around = functional.max_pool2d(hole[:, None], 2 * BAND + 1, 1, BAND)[:, 0] * batch["whole_present"]
    weight = hole + BAND_WEIGHT * (around - hole).clamp_min(0.0)
    losses = torch.zeros_like(hole)
    for table, scale, truth in (
        (said.outer, said.outer_scale, batch["whole_outer"]),
        (said.inner, said.inner_scale, batch["whole_inner"]),
    ):
        losses = losses + (table - truth).abs() / scale + scale.log()
    return (losses * weight).sum() / weight.sum().clamp_min(1.0)
