"""The volumetric networks, of the whole head and of windows about the defect, as Lightning sees them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch.nn import functional

from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings
from CranialAugmentationTrainerLib.training.loss import reconstruction_loss
from CranialAugmentationTrainerLib.training.network_task import NetworkPlan, NetworkTask
from CranialAugmentationTrainerLib.training.previews import slice_through
from CranialAugmentationTrainerLib.training.reconstruction_data import Item
from CranialReconstructionLib.imaging.head_grid import HEAD_BOXES
from CranialReconstructionLib.reconstruction.passes import (
    COARSE_CHANNELS,
    FINE_CHANNELS,
    coarse_input,
    fine_input,
)

# About one voxel in a hundred of a head box is missing bone.
RARE_LOGIT = -4.6


class VolumeTask(NetworkTask):
    """A network that gives the probability of missing bone in each voxel."""

    output_channels = 1

    def __init__(self, settings: NetworkPlan) -> None:
        super().__init__(settings)
        _start_empty(self.network)

    @property
    @abstractmethod
    def voxel_edge(self) -> float:
        """Of the grid that is seen, millimetres."""

    @abstractmethod
    def inputs(self, batch: Item) -> tuple[torch.Tensor, torch.Tensor]:
        """What the network sees, and what it should give back."""

    def loss(self, network: torch.nn.Module, batch: Item) -> torch.Tensor:
        """Loss of a batch."""
        seen, wanted = self.inputs(batch)
        return reconstruction_loss(network(seen), wanted)

    def figures(self, network: torch.nn.Module, batch: Item) -> dict[str, torch.Tensor]:
        """Dice of the missing bone on the network's grid."""
        seen, wanted = self.inputs(batch)
        found, there = network(seen) > 0, wanted > 0.5
        return {"dice": (2.0 * (found & there).sum() + 1.0) / (found.sum() + there.sum() + 1.0)}

    def missing_ml(self, batch: Item) -> torch.Tensor:
        """Bone missing from each case, or from the window that is seen of it (B,), millilitres."""
        wanted = batch["defect"] if "defect" in batch else batch["window_defect"]
        return wanted.sum((1, 2, 3, 4)) * self.voxel_edge**3 / 1000.0

    def panels(self, network: torch.nn.Module, batch: Item) -> list[torch.Tensor]:
        """A sagittal slice of what is there, of the missing bone, and of its probability."""
        seen, wanted = self.inputs(batch)
        return slice_through(wanted[0, 0], seen[0, 0], wanted[0, 0], torch.sigmoid(network(seen))[0, 0])


class HeadTask(VolumeTask):
    """The coarse network, which sees the whole head box."""

    input_channels = len(COARSE_CHANNELS)
    settings: ReconstructionSettings

    @property
    def voxel_edge(self) -> float:
        """Of the coarse grid."""
        return self.settings.coarse_spacing

    @property
    def sides(self) -> tuple[int, ...]:
        """Voxels of the head box (K, J, I)."""
        return tuple(round(edge / self.settings.coarse_spacing) for edge in HEAD_BOXES[self.settings.box].size[::-1])

    def inputs(self, batch: Item) -> tuple[torch.Tensor, torch.Tensor]:
        """What the network sees, and what it should give back."""
        return coarse_input(batch["skull"]), batch["defect"]


class WindowTask(VolumeTask):
    """The fine network, which works on what the pass before it found."""

    input_channels = len(FINE_CHANNELS)
    settings: ReconstructionSettings

    def __init__(self, settings: ReconstructionSettings, coarse: torch.nn.Module) -> None:
        super().__init__(settings)
        # Frozen, and no part of this network's own checkpoint.
        self._coarse = [coarse.eval().requires_grad_(False)]

    @property
    def voxel_edge(self) -> float:
        """Of the fine grid."""
        return self.settings.fine_spacing

    @property
    def sides(self) -> tuple[int, ...]:
        """Voxels of a window."""
        return (self.settings.window,) * 3

    def inputs(self, batch: Item) -> tuple[torch.Tensor, torch.Tensor]:
        """What the network sees, and what it should give back."""
        with torch.no_grad():
            coarse = self._coarse[0].to(self.device)
            probability = torch.sigmoid(coarse(coarse_input(batch["skull"])))
            there = functional.grid_sample(probability, batch["window_places"], align_corners=False)
        return fine_input(batch["window_skull"], there), batch["window_defect"]


def _start_empty(network: Any) -> None:
    """Let a fresh network expect next to no defect: Adam moves a bias by the learning rate a step, and
    would take thousands of them to learn that nearly all of a head is whole."""
    last = [module for module in network.modules() if isinstance(module, torch.nn.Conv3d)][-1]
    if last.bias is not None:
        torch.nn.init.constant_(last.bias, RARE_LOGIT)
