"""A learned convolutional prior over the VQVAE's codes, and the way between codes and normal latents.

A PixelCNN (van den Oord et al. 2016) in three dimensions: each code's distribution follows from the
codes before it in raster order. MONAI has a transformer for this; the papers ask for convolutions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

KERNEL = 3
# Probabilities of normal latents stay where their inverse is a number.
SMALLEST = 1e-12


class MaskedConvolution(nn.Conv3d):
    """A convolution that sees only what comes before a voxel in raster order, and the voxel itself
    where ``own`` says so."""

    mask: torch.Tensor

    def __init__(self, channels: int, width: int, kernel: int, own: bool) -> None:
        super().__init__(channels, width, kernel, padding=kernel // 2)
        before = torch.arange(kernel**3) < kernel**3 // 2 + own
        self.register_buffer("mask", before.float().view(1, 1, kernel, kernel, kernel), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.conv3d(features, self.weight * self.mask, self.bias, padding=self.padding)


class CodePrior(nn.Module):
    """``p(code | codes before it)`` on a grid of codes.

    Where a code lies is told to the network as well, since a skull always lies at the same place.

    Args:
        codes: size of the codebook.
        shape: the grid (k, j, i).
        width, layers: channels and masked layers after the first.
    """

    def __init__(self, codes: int, shape: tuple[int, int, int], width: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, width)
        self.place = nn.Parameter(torch.zeros(1, width, *shape))
        self.first = MaskedConvolution(width, width, 2 * KERNEL - 1, own=False)
        self.layers = nn.ModuleList(MaskedConvolution(width, width, KERNEL, own=True) for _ in range(layers))
        self.last = nn.Sequential(nn.ReLU(), nn.Conv3d(width, width, 1), nn.ReLU(), nn.Conv3d(width, codes, 1))
        self.shape = shape
        self.reach = KERNEL - 1 + layers * (KERNEL // 2)

    def forward(self, indices: torch.Tensor, slices: slice = slice(None)) -> torch.Tensor:
        """Logits (B, codes, k, j, i) for indices (B, k, j, i), which are the grid's ``slices`` along k."""
        features = self.first(self.embedding(indices).movedim(-1, 1)) + self.place[:, :, slices]
        for layer in self.layers:
            features = features + layer(functional.relu(features))
        logits: torch.Tensor = self.last(features)
        return logits

    def loss(self, indices: torch.Tensor) -> torch.Tensor:
        """Cross entropy, nats a code."""
        return functional.cross_entropy(self(indices), indices)

    def draw(self, latent: torch.Tensor) -> torch.Tensor:
        """Codes (B, k, j, i) that standard normal latents (B, 1, k, j, i) stand for.

        A normal number's probability, uniform on [0, 1], picks a code from its distribution: for
        normal latents the codes are exact draws of the prior, and equal latents give equal codes.
        """
        picks = torch.special.ndtr(latent[:, 0].double())
        indices = torch.zeros(picks.shape, dtype=torch.int64, device=latent.device)
        for k in range(self.shape[0]):
            # What lies further back than the network reaches is not computed again.
            seen = slice(max(0, k - self.reach), k + 1)
            for j in range(self.shape[1]):
                for i in range(self.shape[2]):
                    logits = self(indices[:, seen], seen)[:, :, -1, j, i]
                    limits = _limits(logits)
                    code = (limits < picks[:, k, j, i, None]).sum(-1)
                    indices[:, k, j, i] = code.clamp_max(limits.shape[-1] - 1)
        return indices

    def latents(self, indices: torch.Tensor) -> torch.Tensor:
        """Normal latents (B, 1, k, j, i) that ``draw`` turns back into ``indices`` (B, k, j, i): the
        middles of the codes' shares of the probability."""
        limits = _limits(self(indices).movedim(1, -1))
        upper = limits.gather(-1, indices[..., None])
        lower = functional.pad(limits, (1, 0)).gather(-1, indices[..., None])
        middle = (0.5 * (lower + upper))[..., 0].clamp(SMALLEST, 1.0 - SMALLEST)
        return torch.special.ndtri(middle)[:, None].float()


def _limits(logits: torch.Tensor) -> torch.Tensor:
    """Upper ends of the codes' shares of [0, 1], for logits (..., codes)."""
    return logits.double().softmax(-1).cumsum(-1)
