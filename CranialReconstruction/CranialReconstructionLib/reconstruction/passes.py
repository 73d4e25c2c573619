"""What the networks over volumes see: shared by training and prediction, so that neither can drift.

Tensors are (batch, channels, K, J, I) on a canonical head grid, whose axes are (S, A, R). Skulls and
defects are shares of bone, 0 to 1, so surfaces are known far below the size of a voxel.
"""

from __future__ import annotations

import torch
from torch.nn import functional

HEAD_CHANNELS = ("skull",)
COARSE_CHANNELS = ("skull", "skull mirrored about the grid's middle")
FINE_CHANNELS = ("skull", "coarse defect probability")

# The coarse grid is the fine grid's voxels, averaged in cubes of this many a side.
COARSENING = 2


def coarsened(skull: torch.Tensor) -> torch.Tensor:
    """The coarse grid's shares of bone, from the fine grid's."""
    return functional.avg_pool3d(skull, COARSENING)


def coarse_input(skull: torch.Tensor) -> torch.Tensor:
    """The coarse network's input from the whole head (B, 1, K, J, I).

    The mirrored skull puts the other side's shape where it is needed; what the tilt of the head and
    the bone's own asymmetry leave to do, the network learns.
    """
    return torch.cat((skull, skull.flip(-1)), dim=1)


def fine_input(skull: torch.Tensor, coarse_probability: torch.Tensor) -> torch.Tensor:
    """The fine network's input from a window of the head and the coarse result in it (B, 1, K, J, I)."""
    return torch.cat((skull, coarse_probability), dim=1)
