"""The network that ``cranial train reconstruction`` trains: a defective skull in, the missing bone out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from CranialAugmentationTrainerLib.generators.case_tensor import DEFECT, SKULL
from CranialAugmentationTrainerLib.training.case_network_settings import CaseNetworkSettings
from CranialAugmentationTrainerLib.training.optimiser_settings import OptimiserSettings
from CranialAugmentationTrainerLib.training.reconstruction_data import Item
from CranialAugmentationTrainerLib.training.reconstruction_task import VolumeTask
from CranialReconstructionLib.imaging.head_grid import PAPER_BOX


@dataclass(frozen=True)
class CasePlan:
    """What ``NetworkTask`` is told of a run."""

    network: CaseNetworkSettings
    steps: int

    @property
    def architecture(self) -> str:
        """Name of the network."""
        return self.network.architecture

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Of the network."""
        return self.network.arguments

    @property
    def optimiser(self) -> OptimiserSettings:
        """AdamW, its schedule and the average."""
        return self.network.optimiser


class CaseTask(VolumeTask):
    """Learns from cases (B, 2, K, J, I), as generators do: their skull is seen, their defect is wanted."""

    input_channels = 1

    def __init__(self, plan: CasePlan) -> None:
        self.side = plan.network.side
        super().__init__(plan)

    @property
    def sides(self) -> tuple[int, ...]:
        """The cube's."""
        return (self.side,) * 3

    @property
    def voxel_edge(self) -> float:
        """Millimetres."""
        return PAPER_BOX.size[0] / self.side

    def inputs(self, batch: Item) -> tuple[torch.Tensor, torch.Tensor]:
        """Skull and defect (B, 1, K, J, I)."""
        return batch["skull"], batch["defect"]

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        return super().training_step(as_item(batch), index)

    def validation_step(self, batch: Any, index: int) -> None:
        super().validation_step(as_item(batch), index)

    def found(self, skull: torch.Tensor) -> torch.Tensor:
        """Probability of missing bone (B, 1, K, J, I) by the averaged network, for skulls (B, 1, K, J, I)."""
        mode = self.average.training
        self.average.eval()
        with torch.no_grad():
            probability = torch.sigmoid(self.average(skull))
        self.average.train(mode)
        return probability


def as_item(cases: torch.Tensor) -> Item:
    """Cases (B, 2, K, J, I) by the names of their channels."""
    return {"skull": cases[:, SKULL : SKULL + 1], "defect": cases[:, DEFECT : DEFECT + 1]}
