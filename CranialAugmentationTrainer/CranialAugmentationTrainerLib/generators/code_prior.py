"""A learned convolutional prior over the VQVAE's codes, and the way between codes and normal latents.

A PixelCNN (van den Oord et al. 2016) in three dimensions: each code's distribution follows from the
codes before it in raster order. MONAI has a transformer for this; the papers ask for convolutions.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

KERNEL = 3
# Probabilities of normal latents stay where their inverse is a number.
SMALLEST = 1e-12

Place = tuple[int, ...]


class MaskedConvolution(nn.Conv3d):
    """A convolution that sees only what comes before a voxel in raster order, and the voxel itself
    where ``own`` says so."""

    mask: torch.Tensor

    def __init__(self, channels: int, width: int, kernel: int, own: bool) -> None:
        super().__init__(channels, width, kernel, padding=kernel // 2)
        self.seen = kernel**3 // 2 + own
        before = torch.arange(kernel**3) < self.seen
        self.register_buffer("mask", before.float().view(1, 1, kernel, kernel, kernel), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.conv3d(features, self.weight * self.mask, self.bias, padding=self.padding)


class VoxelByVoxel:
    """A masked convolution whose input becomes known a voxel at a time: what a voxel's own output needs,
    and nothing else, is computed."""

    def __init__(self, convolution: MaskedConvolution, cases: int, shape: tuple[int, int, int]) -> None:
        self.reach = convolution.kernel_size[0] // 2
        self.seen = convolution.seen
        weight = convolution.weight
        self.weight = weight.flatten(2)[:, :, : self.seen].flatten(1)
        self.bias = convolution.bias
        self.known = weight.new_zeros(cases, weight.shape[1], *(edge + 2 * self.reach for edge in shape))

    def put(self, features: torch.Tensor, place: Place) -> None:
        """The input (B, C) at a voxel."""
        k, j, i = (edge + self.reach for edge in place)
        self.known[:, :, k, j, i] = features

    def at(self, place: Place) -> torch.Tensor:
        """The output (B, width) at a voxel."""
        k, j, i = (slice(edge, edge + 2 * self.reach + 1) for edge in place)
        window = self.known[:, :, k, j, i].flatten(2)[:, :, : self.seen].flatten(1)
        return functional.linear(window, self.weight, self.bias)


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

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        """Logits (B, codes, k, j, i) for indices (B, k, j, i)."""
        features = self.first(self.embedding(indices).movedim(-1, 1)) + self.place
        for layer in self.layers:
            features = features + layer(functional.relu(features))
        logits: torch.Tensor = self.last(features)
        return logits

    def loss(self, indices: torch.Tensor) -> torch.Tensor:
        """Cross entropy, nats a code."""
        return functional.cross_entropy(self(indices), indices)

    @torch.no_grad()
    def draw(self, latent: torch.Tensor) -> torch.Tensor:
        """Codes (B, k, j, i) that standard normal latents (B, 1, k, j, i) stand for.

        A normal number's probability, uniform on [0, 1], picks a code from its distribution: for
        normal latents the codes are exact draws of the prior, and equal latents give equal codes.
        """
        picks = torch.special.ndtr(latent[:, 0].cpu().double())
        indices = torch.zeros(picks.shape, dtype=torch.int64)
        first = VoxelByVoxel(self.first, len(latent), self.shape)
        layers = [VoxelByVoxel(cast(MaskedConvolution, layer), len(latent), self.shape) for layer in self.layers]
        for k, j, i in np.ndindex(self.shape):
            place = (k, j, i)
            features = first.at(place) + self.place[0, :, k, j, i]
            for layer in layers:
                layer.put(functional.relu(features), place)
                features = features + layer.at(place)
            limits = _limits(self.last(features[..., None, None, None]).flatten(1))
            code = (limits < picks[:, k, j, i, None]).sum(-1).clamp_max(limits.shape[-1] - 1)
            indices[:, k, j, i] = code
            first.put(self.embedding(code.to(latent.device)), place)
        return indices.to(latent.device)

    def latents(self, indices: torch.Tensor) -> torch.Tensor:
        """Normal latents (B, 1, k, j, i) that ``draw`` turns back into ``indices`` (B, k, j, i): the
        middles of the codes' shares of the probability."""
        limits = _limits(self(indices).movedim(1, -1))
        chosen = indices.cpu()[..., None]
        upper = limits.gather(-1, chosen)
        lower = functional.pad(limits, (1, 0)).gather(-1, chosen)
        middle = (0.5 * (lower + upper))[..., 0].clamp(SMALLEST, 1.0 - SMALLEST)
        return torch.special.ndtri(middle)[:, None].float().to(indices.device)


def _limits(logits: torch.Tensor) -> torch.Tensor:
    """Upper ends of the codes' shares of [0, 1], for logits (..., codes); on the CPU, since not every
    device knows double precision."""
    return logits.cpu().double().softmax(-1).cumsum(-1)
