"""Networks by name, all of them MONAI's.

Each maps (batch, in_channels, K, J, I) to (batch, out_channels, K, J, I) and gives logits: no sigmoid
or softmax inside. Importing this module imports torch but not MONAI, which waits for the first
network that is built.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.manifest import ARCHITECTURES

# What MONAI's constructors raise for values that they cannot take.
_REFUSALS = (
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
)


TRANSPOSED = (torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)


@dataclass(frozen=True)
class _Recipe:
    """Where MONAI keeps a network, and the arguments that we start from."""

    module: str
    class_name: str
    defaults: Mapping[str, Any]


_CHANNELS = {"spatial_dims": 3, "in_channels": 1, "out_channels": 1}
_FIVE_LEVELS = {"channels": (16, 32, 64, 128, 256), "strides": (2, 2, 2, 2)}

# W24 and K23 give no widths: these are ours, each about as large as its paper's small variant.
# MONAI's V-Net has the depth of its paper; K23 used a slightly shallower one, which MONAI lacks.
_RECIPES: Mapping[str, _Recipe] = {
    "residual_unet": _Recipe("unet", "UNet", {**_CHANNELS, **_FIVE_LEVELS, "num_res_units": 2}),
    "attention_unet": _Recipe("attentionunet", "AttentionUnet", {**_CHANNELS, **_FIVE_LEVELS}),
    "segresnet": _Recipe(
        "segresnet",
        "SegResNet",
        {**_CHANNELS, "init_filters": 16, "blocks_down": (1, 2, 2, 4), "blocks_up": (1, 1, 1)},
    ),
    "unetr": _Recipe("unetr", "UNETR", {**_CHANNELS, "img_size": (96, 96, 96)}),
    "swin_unetr": _Recipe("swin_unetr", "SwinUNETR", {**_CHANNELS, "patch_size": 2, "feature_size": 24}),
    "vnet": _Recipe("vnet", "VNet", dict(_CHANNELS)),
}


def full_arguments(architecture: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """``arguments`` over this project's defaults for ``architecture``.

    This is what a manifest keeps, so that a package stays what it is when a default changes.

    Raises:
        UserError: the architecture is unknown, or the network has neither two nor three dimensions.
    """
    merged = {**_recipe(architecture).defaults, **{key: _frozen(value) for key, value in arguments.items()}}
    if merged["spatial_dims"] not in (2, 3):
        raise _refusal(architecture, f"spatial_dims is {merged['spatial_dims']!r} and must be 2 or 3")
    return merged


def build_network(architecture: str, arguments: Mapping[str, Any]) -> torch.nn.Module:
    """A network with fresh weights, in training mode, float32, on the CPU.

    Args:
        architecture: one of ``ARCHITECTURES``.
        arguments: of MONAI's constructor, over the defaults of ``full_arguments``; lists, as JSON
            has them, stand for tuples.

    Raises:
        UserError: the architecture is unknown, or its constructor refuses an argument.
    """
    complete = full_arguments(architecture, arguments)
    recipe = _recipe(architecture)
    module = importlib.import_module(f"monai.networks.nets.{recipe.module}")
    constructor = getattr(module, recipe.class_name)
    unknown = sorted(set(complete) - set(inspect.signature(constructor).parameters))
    if unknown:
        raise _refusal(architecture, f"{recipe.class_name} has no argument {unknown[0]!r}")
    try:
        network: torch.nn.Module = constructor(**complete)
    except _REFUSALS as error:
        # MONAI's messages run over several lines; ours is one.
        reason = " ".join(str(error).split())
        raise _refusal(architecture, f"{type(error).__name__}: {reason}") from error
    if architecture == "residual_unet":
        _keep_amount(network)
    return network


def _keep_amount(network: torch.nn.Module) -> None:
    """Take out the normalisation of the residual U-Net's last transposed convolution.

    MONAI puts one there, on as many channels as there are classes. Normalised alone, the one channel
    of the defect has the same spread whether much, little or nothing is missing, so that a healthy
    skull could not be told from a broken one.
    """
    transposed = [module for module in network.modules() if isinstance(module, TRANSPOSED)][-1]
    for module in network.modules():
        if getattr(module, "conv", None) is transposed and hasattr(module, "adn"):
            kept = [layer for name, layer in module.get_submodule("adn").named_children() if name != "N"]
            module.adn = torch.nn.Sequential(*kept)


def minimum_multiple(architecture: str, arguments: Mapping[str, Any]) -> int:
    """The number of voxels of which every side of the input must be a multiple.

    The smallest input that the normalising layers accept has two such multiples along a side, since
    the deepest level must hold more than one voxel. ``unetr`` takes one shape only: see
    ``fixed_input_shape``.
    """
    complete = full_arguments(architecture, arguments)
    if architecture in ("residual_unet", "attention_unet"):
        levels = len(complete["channels"]) - 1
        strides = [_three(stride) for stride in complete["strides"][:levels]]
        return math.lcm(*(math.prod(axis) for axis in zip(*strides, strict=True)))
    if architecture == "segresnet":
        return int(2 ** (len(complete["blocks_down"]) - 1))
    if architecture == "swin_unetr":
        return int(complete["patch_size"] ** 5)
    return 16


def fixed_input_shape(architecture: str, arguments: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """The one input shape (K, J, I) that the network takes, or None where it takes many."""
    if architecture != "unetr":
        return None
    return _three(full_arguments(architecture, arguments)["img_size"])


def probe_multiple(architecture: str, arguments: Mapping[str, Any]) -> int | None:
    """What ``estimate_memory`` is told of a network: ``minimum_multiple``, or None where it takes one shape only."""
    return None if fixed_input_shape(architecture, arguments) else minimum_multiple(architecture, arguments)


def _recipe(architecture: str) -> _Recipe:
    if architecture not in _RECIPES:
        raise UserError(
            f"the architecture {architecture!r} is unknown",
            where="network",
            remedy=f"Use one of {', '.join(ARCHITECTURES)}.",
        )
    return _RECIPES[architecture]


def _refusal(architecture: str, reason: str) -> UserError:
    return UserError(
        f"the network cannot be built ({reason})",
        where=f"arguments of {architecture}",
        remedy="Correct the arguments, or leave them out to have the defaults.",
    )


def _three(value: int | Sequence[int]) -> tuple[int, int, int]:
    if isinstance(value, int):
        return value, value, value
    first, second, third = value
    return first, second, third


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
