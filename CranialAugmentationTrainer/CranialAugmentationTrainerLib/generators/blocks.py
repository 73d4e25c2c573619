"""The blocks that all the methods' networks are made of: MONAI's, with the norms and kernels of K23."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from monai.networks.blocks import Convolution
from monai.networks.nets.autoencoderkl import AEKLResBlock
from torch import nn
from torch.nn import functional

Norm = tuple[str, dict[str, Any]]

BATCH_NORM: Norm = ("batch", {})
# Over all channels and voxels of a case, which is a layer norm whose gain is one number a channel.
LAYER_NORM: Norm = ("group", {"num_groups": 1})
LEAKY: Norm = ("leakyrelu", {"negative_slope": 0.2})
RELU: Norm = ("relu", {})


def group_norm(groups: int) -> Norm:
    """MONAI's words for a group norm."""
    return "group", {"num_groups": groups}


def halving(channels: int, width: int, norm: Norm) -> nn.Module:
    """K23's convolution (kernel 4, stride 2), norm and leaky ReLU: half the voxels along each edge."""
    return Convolution(3, channels, width, strides=2, kernel_size=4, padding=1, norm=norm, act=LEAKY, adn_ordering="NA")


def doubling(channels: int, width: int, norm: Norm) -> nn.Module:
    """The mirror of ``halving``: transposed convolution, norm and ReLU."""
    return Convolution(
        3,
        channels,
        width,
        strides=2,
        kernel_size=4,
        padding=1,
        output_padding=0,
        is_transposed=True,
        norm=norm,
        act=RELU,
        adn_ordering="NA",
    )


def residual_units(width: int, count: int, groups: int) -> list[nn.Module]:
    """The residual blocks of MONAI's autoencoder."""
    return [AEKLResBlock(3, width, groups, 1e-6, width) for _ in range(count)]


class EvenLinear(nn.Module):
    """A dense layer over very many numbers, with weights of unit size and its input over the square root
    of their count (Karras et al. 2018, equalised learning rate).

    Adam moves every weight by the learning rate at once: over the 262,144 numbers of K23's encoder that
    moves a plain layer's output by about a hundred, and the KL by millions.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = inputs**-0.5

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.linear(self.scale * features, self.weight, self.bias)


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """What is computed inside gives no gradient to the parameters of ``modules``; it still passes
    gradients through them."""
    parameters = [entry for module in modules for entry in module.parameters() if entry.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """In evaluation mode and without gradients inside; every part's own mode afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode
