"""Batches for reconstruction networks: cases drawn by number, so that any of them can be made again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.data import Dataset

from CranialAugmentationTrainerLib.training.cases import WarpTowards, draw_case
from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings
from CranialAugmentationTrainerLib.training.head_cache import CachedHead
from CranialReconstructionLib.imaging.head_grid import HEAD_BOXES
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame

Item = dict[str, torch.Tensor]


class ReconstructionCases(Dataset[Item]):
    """Cases ``first`` to ``first + count`` of the endless sequence that a seed stands for.

    A coarse item has ``skull`` and ``defect`` (1, K, J, I) on the coarse grid. A fine item has the
    coarse ``skull``, ``window_skull`` and ``window_defect`` (1, n, n, n) on the fine grid, and
    ``window_places`` (n, n, n, 3), normalised to [-1, 1] in the box.
    """

    def __init__(
        self,
        settings: ReconstructionSettings,
        heads: Sequence[CachedHead],
        warps: Sequence[WarpTowards],
        seed: int,
        first: int,
        count: int,
    ) -> None:
        self.settings = settings
        self.heads = heads
        self.warps = warps
        self.seed = seed
        self.first = first
        self.count = count
        self.frame = HeadFrame(HEAD_BOXES[settings.box])
        self.places = self.frame.places(settings.coarse_spacing)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Item:
        settings = self.settings
        seed = self.seed * 100_000_007 + self.first + index
        case = draw_case(settings.mixture, self.heads, self.warps, self.frame, self.places, seed)
        skull, defect = case.on(self.places, settings.coarse_spacing)
        if settings.stage == "coarse":
            return {"skull": skull[None], "defect": defect[None]}
        low = self._window_corner(skull if case.healthy else defect, seed)
        window = (settings.window,) * 3
        places = self.frame.places(settings.fine_spacing, low, window)
        window_skull, window_defect = case.on(places, settings.fine_spacing)
        size, corner = torch.tensor(self.frame.box.size), torch.tensor(self.frame.box.low)
        return {
            "skull": skull[None],
            "window_skull": window_skull[None],
            "window_defect": window_defect[None],
            "window_places": (places - corner) * (2.0 / size) - 1.0,
        }

    def _window_corner(self, wanted: torch.Tensor, seed: int) -> torch.Tensor:
        """Lower corner (3,), mm, of a window about a random voxel of ``wanted``, inside the box."""
        generator = torch.Generator().manual_seed(seed + 1)
        weights = (wanted.flatten() > 0.5).float()
        if not bool(weights.any()):
            weights = torch.ones_like(weights)
        voxel = int(torch.multinomial(weights, 1, generator=generator))
        edge = self.settings.window * self.settings.fine_spacing
        low = torch.tensor(self.frame.box.low)
        room = torch.tensor(self.frame.box.size) - edge
        corner = self.places.reshape(-1, 3)[voxel] - edge / 2.0
        # The prediction's windows lie on the fine grid, so these do too.
        steps = torch.round((corner - low).clamp_min(0.0).minimum(room) / self.settings.fine_spacing)
        return low + steps * self.settings.fine_spacing
