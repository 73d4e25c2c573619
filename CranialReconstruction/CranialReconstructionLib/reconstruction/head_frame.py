"""Between millimetres from the vault's centre and the voxels of a head grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from CranialReconstructionLib.imaging.head_grid import HeadBox


@dataclass(frozen=True)
class HeadFrame:
    """The box of a canonical head grid, as tensors see it."""

    box: HeadBox

    def places(
        self,
        spacing: float,
        low: torch.Tensor | None = None,
        shape: tuple[int, int, int] | None = None,
    ) -> torch.Tensor:
        """Centres of the voxels (K, J, I, 3), millimetres (R, A, S).

        Args:
            spacing: voxel edge in millimetres.
            low: lower corner (3,) of a window; the box's own without it.
            shape: voxels (K, J, I) of that window; those that fill the box without it.
        """
        corner = torch.tensor(self.box.low) if low is None else low
        i, j, k = (round(edge / spacing) for edge in self.box.size)
        kji = (k, j, i) if shape is None else shape
        s, a, r = (
            corner[axis] + (torch.arange(n, dtype=torch.float32) + 0.5) * spacing
            for axis, n in zip((2, 1, 0), kji, strict=True)
        )
        grid = torch.meshgrid(s, a, r, indexing="ij")
        return torch.stack((grid[2], grid[1], grid[0]), dim=-1)

    def sample(self, image: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """``image`` (C, K, J, I), which fills the box, at ``places`` (k, j, i, 3): (C, k, j, i).

        Linear interpolation; zero outside of the box.
        """
        low = torch.tensor(self.box.low, device=places.device)
        size = torch.tensor(self.box.size, device=places.device)
        normalised = (places - low) * (2.0 / size) - 1.0
        sampled: torch.Tensor = functional.grid_sample(image[None], normalised[None], align_corners=False)
        return sampled[0]
