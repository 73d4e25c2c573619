"""Which processor to compute on, and whether a plan fits its memory."""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.main_memory import available_main_memory

DEVICES = ("auto", "cpu", "cuda", "mps")

# What allocators and convolution algorithms take beside the counted tensors: the resident memory of
# the six networks on a CPU grew by 0.6 to 1.15 times what is counted.
_SLACK = 1.2

_log = logging.getLogger(__name__)


def choose_device(name: str = "auto") -> torch.device:
    """The processor to compute on.

    Args:
        name: "cpu", "cuda", "mps", or "auto" for the first of CUDA, MPS and the CPU that works.
            A GPU counts as working once it has computed a small 3-D convolution, since drivers and
            PyTorch builds often list GPUs that they cannot use.

    Raises:
        UserError: the processor asked for is unknown, absent or does not work.
    """
    if name not in DEVICES:
        raise UserError(f"the device {name!r} is unknown", where="device", remedy=f"Use one of {', '.join(DEVICES)}.")
    if name == "auto":
        for candidate in ("cuda", "mps"):
            problem = _problem(candidate)
            if problem is None:
                return torch.device(candidate)
            _log.info("%s is not used: %s", candidate, problem)
        return torch.device("cpu")
    problem = _problem(name)
    if problem is not None:
        raise UserError(
            f"{name.upper()} was asked for and does not work here: {problem}",
            where="device",
            remedy='Choose the device "cpu", or "auto" for the best one that works; for a GPU, install the PyTorch '
            "build that fits it and its driver.",
        )
    return torch.device(name)


def _problem(name: str) -> str | None:
    """Why a processor cannot be used, or None."""
    if name == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda is not None or torch.version.hip is not None
        return "no usable GPU was found" if built else "this PyTorch was built without it"
    if name == "mps" and not torch.backends.mps.is_available():
        return "it needs an Apple GPU"
    if name == "cpu":
        return None
    try:
        ones = torch.ones(1, 1, 4, 4, 4, device=name)
        torch.nn.functional.conv_transpose3d(ones, torch.ones(1, 1, 2, 2, 2, device=name), stride=2).sum().item()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return None


def available_memory(device: torch.device) -> int:
    """Bytes that could be had on ``device`` now, beside what others use."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What PyTorch keeps in reserve for itself counts as used there and is free to us.
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return available_main_memory()


def autocast(device: torch.device, dtype: torch.dtype = torch.float16) -> AbstractContextManager[Any]:
    """Mixed precision on CUDA, full precision elsewhere.

    Args:
        device: where the network runs.
        dtype: float16 by default, whose finer steps serve inference; bfloat16 never overflows and
            serves training.
    """
    if device.type != "cuda":
        return nullcontext()
    return torch.autocast("cuda", dtype=dtype)


def estimate_memory(
    network: torch.nn.Module,
    input_shape: tuple[int, ...],
    device: torch.device,
    multiple: int | None = None,
) -> int:
    """Bytes that one forward pass without gradients needs at its peak, weights included.

    The network is run once on a small cube of zeros, where it is, and the tensors that live at the
    same time are counted; they grow with the number of voxels. (Running it on shapes alone, on
    PyTorch's meta device, imports PyTorch's compiler, which takes longer than the small pass.)
    Counted in float32, so for mixed precision it is an upper bound.

    Args:
        network: in any mode; left as it is.
        input_shape: (batch, channels, then a side for each axis) of the pass that is planned.
        device: where it is going to run; decides what convolutions need beside their results.
        multiple: of ``minimum_multiple``. Without it the network is run on ``input_shape`` itself,
            which costs a whole pass, and is the way for a network of fixed input shape.
    """
    probe = input_shape if multiple is None else (1, input_shape[1], *(2 * multiple for _ in input_shape[2:]))
    weights, per_element = _measured(network, probe, device)
    return weights + int(per_element * math.prod(input_shape))


def largest_window(
    network: torch.nn.Module,
    wanted_shape: tuple[int, int, int],
    multiple: int,
    budget_bytes: int,
    device: torch.device,
    channels: int = 1,
) -> tuple[int, int, int]:
    """The largest window, up to ``wanted_shape``, whose forward pass fits ``budget_bytes``.

    The longest side gives way first, by a quarter, rounded down to ``multiple``.

    Args:
        network: the network of the pass; not one of fixed input shape.
        wanted_shape: (K, J, I) in voxels; rounded up to ``multiple``.
        multiple: of ``minimum_multiple``; no side goes below two of them.
        budget_bytes: what may be used, as of ``available_memory``.
        device: where it is going to run.
        channels: input channels of the network.

    Raises:
        UserError: not even the smallest window fits.
    """
    smallest = 2 * multiple
    weights, per_element = _measured(network, (1, channels, smallest, smallest, smallest), device)
    sides = [max(smallest, -(-side // multiple) * multiple) for side in wanted_shape]
    while (needed := weights + per_element * channels * math.prod(sides)) > budget_bytes:
        longest = sides.index(max(sides))
        if sides[longest] == smallest:
            raise UserError(
                f"the smallest plan needs {needed / 1e9:.2f} GB and {max(budget_bytes, 0) / 1e9:.2f} GB are free",
                where=f"memory of device {device.type}",
                remedy="Close other programs, or choose another device.",
            )
        sides[longest] = max(smallest, int(sides[longest] * 0.75) // multiple * multiple)
    k, j, i = sides
    return k, j, i


def _measured(network: torch.nn.Module, probe: tuple[int, ...], device: torch.device) -> tuple[int, float]:
    """Bytes of the weights, and of everything else at its peak for each element of the input."""
    counted = _LiveTensors(network, padded=device.type == "cpu")
    training = network.training
    network.eval()
    with torch.no_grad(), counted:
        network(torch.zeros(probe, device=next(network.parameters()).device))
    network.train(training)
    return counted.held, _SLACK * counted.peak / math.prod(probe)


class _LiveTensors(TorchFunctionMode):
    """Counts the bytes of the tensors that live at the same time inside the block.

    Attributes:
        held: bytes of the weights, which live all the time.
        peak: the most bytes that lived beside them at once.
    """

    _CONVOLUTIONS = (
        torch.nn.functional.conv2d,
        torch.nn.functional.conv3d,
        torch.nn.functional.conv_transpose2d,
        torch.nn.functional.conv_transpose3d,
    )

    def __init__(self, network: torch.nn.Module, padded: bool) -> None:
        super().__init__()
        weights = [tensor.untyped_storage() for tensor in [*network.parameters(), *network.buffers()]]
        self.held = sum(storage.nbytes() for storage in weights)
        self.peak = 0
        self._padded = padded
        self._live = 0
        self._known = {storage.data_ptr() for storage in weights}

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        if function in self._CONVOLUTIONS and self._padded:
            self.peak = max(self.peak, self._live + _padded_bytes(args[0]) + _padded_bytes(result))
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        if place not in self._known:
            self._known.add(place)
            self._live += size
            self.peak = max(self.peak, self._live)
            weakref.finalize(storage, self._forget, place, size)

    def _forget(self, place: int, size: int) -> None:
        self._known.discard(place)
        self._live -= size


def _padded_bytes(tensor: torch.Tensor) -> int:
    """Bytes of a copy whose channels are padded to sixteens, as convolutions on a CPU work on."""
    channels = tensor.shape[1]
    return tensor.nbytes // channels * (-(-channels // 16) * 16)
