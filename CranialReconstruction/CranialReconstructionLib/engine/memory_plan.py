"""How much memory a reconstruction will need, before it is begun."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialReconstructionLib.reconstruction.predictor import Predictor

# Bytes of main memory beside the networks. Measured on full-resolution heads of 62 million voxels and on the
# same at half: 0.3 GB and 2 bytes a voxel with the network, 0.2 GB and 2 bytes with the mirror. A confidence
# that fills the volume takes 4 bytes a voxel more.
HEAD_BYTES = 300_000_000
VOXEL_BYTES = 8

ENOUGH = "The memory is enough."
LARGE_VOLUME = "Close other programs, or resample the volume to larger voxels."
BUSY_DEVICE = "Close other programs that use the graphics card, or choose the CPU."
BUSY_COMPUTER = "Close other programs, or use the mirror method, which needs less memory."
_TOO_LARGE = {"fits": False, "problem": "the main memory is too small for this volume", "advice": LARGE_VOLUME}


def main_memory_plan(shape: tuple[int, int, int]) -> dict[str, Any]:
    """Bytes of main memory that the volumes of a skull of ``shape`` (K, J, I) need, and that are free.

    Returns:
        ``main_needed``, ``main_free``, the ``device``, whether that ``fits``, the ``problem`` if not, and ``advice``.
    """
    from CranialReconstructionLib.reconstruction.main_memory import available_main_memory

    needed, free = HEAD_BYTES + VOXEL_BYTES * math.prod(shape), available_main_memory()
    plan: dict[str, Any] = {"device": "cpu", "main_needed": needed, "main_free": free}
    return plan | (_TOO_LARGE if needed > free else {"fits": True, "problem": "", "advice": ENOUGH})


def network_plan(predictor: Predictor, shape: tuple[int, int, int]) -> dict[str, Any]:
    """The same with what the passes need: ``device_needed``, ``device_free`` and the ``window`` of the fine pass."""
    from CranialReconstructionLib.reconstruction.devices import available_memory, estimate_memory, largest_window
    from CranialReconstructionLib.reconstruction.networks import minimum_multiple, probe_multiple
    from CranialReconstructionLib.reconstruction.predictor import MEMORY_SHARE

    device = predictor.device
    free = available_memory(device)
    budget = int(MEMORY_SHARE * free)
    plan = {**main_memory_plan(shape), "device": str(device), "device_free": free, "window": None}
    needed = 0
    for name, network in predictor.networks.items():
        entry = predictor.package.manifest.networks[name]
        channels = len(entry.input_channels)
        sides: tuple[int, ...] = entry.window_voxels
        if name == "shell":
            sides = (predictor.vault.size, predictor.vault.size)
        elif name == "fine":
            multiple = minimum_multiple(entry.architecture, entry.arguments)
            try:
                sides = largest_window(network, entry.window_voxels, multiple, budget, device, channels)
            except UserError as error:
                plan |= {"fits": False, "problem": error.problem, "advice": _busy(device.type)}
            plan["window"] = list(sides)
        probe = probe_multiple(entry.architecture, entry.arguments)
        needed = max(needed, estimate_memory(network, (1, channels, *sides), device, probe))
    plan["device_needed"] = needed
    if device.type == "cpu":
        plan["main_needed"] += needed
    if plan["main_needed"] > plan["main_free"]:
        plan |= _TOO_LARGE
    if needed > budget:
        problem = f"the network needs {needed / 1e9:.2f} GB of {free / 1e9:.2f} GB free"
        plan |= {"fits": False, "problem": problem, "advice": _busy(device.type)}
    return plan


def _busy(device: str) -> str:
    return BUSY_COMPUTER if device == "cpu" else BUSY_DEVICE
