"""The shell network as Lightning sees it."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch.nn import functional

from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings
from CranialAugmentationTrainerLib.training.loss import soft_dice_loss
from CranialAugmentationTrainerLib.training.network_task import NetworkTask
from CranialAugmentationTrainerLib.training.reconstruction_data import Item
from CranialReconstructionLib.reconstruction.continuation import ContinuedTables
from CranialReconstructionLib.reconstruction.shell_pass import (
    SHELL_CHANNELS,
    SHELL_OUTPUTS,
    ShellAnswer,
    shell_answer,
    shell_input,
)
from CranialReconstructionLib.reconstruction.vault_map import VaultMap

# Around a hole the tables are known; the network is still asked for them, so that the painted bone
# meets the old one, in a band of this many pixels.
BAND = 5
# Weight of that band beside the hole.
BAND_WEIGHT = 0.25


class ShellTask(NetworkTask):
    """Laplace likelihood of the tables where bone is missing; Dice and cross entropy of where that is."""

    input_channels = len(SHELL_CHANNELS)
    output_channels = SHELL_OUTPUTS

    def __init__(self, settings: ReconstructionSettings) -> None:
        super().__init__(settings)
        self.solid_angles = VaultMap().solid_angles()

    @property
    def sides(self) -> tuple[int, ...]:
        """Pixels of the map."""
        return (VaultMap().size,) * 2

    def answer(self, network: torch.nn.Module, batch: Item) -> ShellAnswer:
        """What ``network`` says of a batch."""
        seen = shell_input(ContinuedTables(*(batch[entry.name] for entry in fields(ContinuedTables))))
        return shell_answer(seen, network(seen))

    def loss(self, network: torch.nn.Module, batch: Item) -> torch.Tensor:
        """Loss of a batch."""
        said, wanted = self.answer(network, batch), batch["missing"]
        tables = _table_loss(said, batch)
        where = functional.binary_cross_entropy_with_logits(said.missing, wanted)
        return tables + soft_dice_loss(said.missing[:, None], wanted[:, None]) + 5.0 * where

    def figures(self, network: torch.nn.Module, batch: Item) -> dict[str, torch.Tensor]:
        """Median absolute errors of the tables in the hole, mm, and Dice of the hole.

        The median, since the lowest rays of a hole can meet a cheek bone on one head and none on the next.
        """
        said, wanted = self.answer(network, batch), batch["missing"]
        hole, found = wanted > 0.5, said.missing > 0
        figures = {"missing_dice": (2.0 * (hole & found).sum() + 1.0) / (hole.sum() + found.sum() + 1.0)}
        if bool(hole.any()):
            figures["outer_error"] = (said.outer - batch["whole_outer"])[hole].abs().median()
            figures["inner_error"] = (said.inner - batch["whole_inner"])[hole].abs().median()
        return figures

    def missing_ml(self, batch: Item) -> torch.Tensor:
        """Bone missing from each case of a batch (B,), millilitres."""
        cone = (batch["whole_outer"] ** 3 - batch["whole_inner"] ** 3) / 3.0
        return (batch["missing"] * cone * self.solid_angles.to(cone.device)).sum((1, 2)) / 1000.0

    def panels(self, network: torch.nn.Module, batch: Item) -> list[torch.Tensor]:
        """Thickness of what is there, the hole, where bone is said to be missing, and how wrong its outer
        table is there, 2 mm outwards white and inwards black."""
        said, hole = self.answer(network, batch), batch["missing"]
        thickness = (batch["outer"] - batch["inner"]) * batch["present"]
        wrong = (said.outer - batch["whole_outer"]) * hole
        panels = (thickness / 12.0, hole, torch.sigmoid(said.missing), 0.5 + wrong / 4.0)
        return [panel[0] for panel in panels]


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
