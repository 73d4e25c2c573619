"""Devices that work or do not, and plans that fit the memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction import devices, main_memory
from CranialReconstructionLib.reconstruction.devices import (
    available_memory,
    choose_device,
    estimate_memory,
    largest_window,
)
from CranialReconstructionLib.reconstruction.networks import build_network

CPU = torch.device("cpu")
# Only its name is used: how convolutions work on it is not like on a CPU.
CUDA = torch.device("cuda")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def broken_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that PyTorch lists and cannot compute on, as a card newer than the build is."""

    def refuse(*shape: int, device: str) -> torch.Tensor:
        raise RuntimeError("CUDA error: no kernel image is available\nCompile with TORCH_USE_CUDA_DSA")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch, "ones", refuse)


def chain(length: int) -> torch.nn.Module:
    return torch.nn.Sequential(*(torch.nn.Conv3d(16, 16, 3, padding=1, bias=False) for _ in range(length)))


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_is_the_cpu_and_asking_for_one_is_refused() -> None:
    assert choose_device("auto") == choose_device("cpu") == CPU
    for name in ("cuda", "mps"):
        with pytest.raises(UserError, match='device "cpu"'):
            choose_device(name)


@pytest.mark.usefixtures("broken_gpu")
def test_a_gpu_that_cannot_compute_is_passed_over_and_refused_with_its_own_reason() -> None:
    assert choose_device("auto") == CPU
    with pytest.raises(UserError) as caught:
        choose_device("cuda")
    assert "no kernel image is available" in caught.value.problem
    assert "\n" not in str(caught.value)


def test_an_unknown_device_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="auto, cpu, cuda, mps"):
        choose_device("gpu")


def test_full_precision_on_the_cpu() -> None:
    with devices.autocast(CPU):
        assert torch.nn.functional.linear(torch.ones(1, 2), torch.ones(1, 2)).dtype == torch.float32


def test_free_memory_lies_between_nothing_and_all_there_is() -> None:
    free = available_memory(CPU)
    assert free > 0
    if sys.platform == "linux":
        assert free <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_free_memory_by_the_reports_of_linux_and_macos() -> None:
    linux = "MemTotal:       16000000 kB\nMemFree:          200000 kB\nMemAvailable:    9000000 kB\n"
    assert main_memory.free_by_meminfo(linux) == 9_000_000 * 1024
    macos = (
        "Mach Virtual Memory Statistics: (page size of 16384 bytes)\n"
        "Pages free:                               5000.\n"
        "Pages active:                           400000.\n"
        "Pages inactive:                          70000.\n"
    )
    assert main_memory.free_by_vm_stat(macos) == 75_000 * 16384


def test_a_container_has_its_own_share(tmp_path: Path) -> None:
    assert main_memory.free_in_control_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    assert main_memory.free_in_control_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("4000\n")
    (tmp_path / "memory.current").write_text("3000\n")
    (tmp_path / "memory.stat").write_text("anon 900\ninactive_file 500\nactive_file 7\n")
    assert main_memory.free_in_control_group(tmp_path) == 1500


def test_a_convolutions_memory_is_its_weights_its_input_and_its_output() -> None:
    maps, weights = 2 * 16 * 8**3 * 4, 16 * 16 * 27 * 4
    assert estimate_memory(chain(1), (1, 16, 8, 8, 8), CUDA) == weights + int(1.2 * maps)


def test_what_is_no_longer_needed_is_not_counted() -> None:
    one_weight = 16 * 16 * 27 * 4
    of_four = estimate_memory(chain(4), (1, 16, 8, 8, 8), CUDA) - 4 * one_weight
    of_nine = estimate_memory(chain(9), (1, 16, 8, 8, 8), CUDA) - 9 * one_weight
    assert of_four == of_nine


def test_a_small_probe_foretells_a_large_pass_and_leaves_the_network_as_it_was() -> None:
    network = build_network("residual_unet", {"channels": (8, 16), "strides": (2,)})
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    foretold = estimate_memory(network, (1, 1, 32, 40, 48), CPU, multiple=2)
    measured = estimate_memory(network, (1, 1, 32, 40, 48), CPU)
    assert foretold == pytest.approx(measured, rel=0.05)
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_window_that_fits_is_kept_and_rounded_up_to_the_multiple() -> None:
    network = build_network("residual_unet", {"channels": (4, 8), "strides": (2,)})
    assert largest_window(network, (30, 21, 1), 2, 10**9, CPU) == (30, 22, 4)


def test_a_window_that_does_not_fit_shrinks_until_it_does() -> None:
    network = build_network("residual_unet", {"channels": (4, 8, 16), "strides": (2, 2), "in_channels": 2})
    wanted = (64, 96, 32)
    budget = estimate_memory(network, (1, 2, *wanted), CPU, multiple=4) // 3
    window = largest_window(network, wanted, 4, budget, CPU, channels=2)
    needed = estimate_memory(network, (1, 2, *window), CPU, multiple=4)
    assert all(side % 4 == 0 and 8 <= side <= most for side, most in zip(window, wanted, strict=True))
    assert 0.4 * budget < needed <= budget


def test_no_window_fits_no_memory() -> None:
    network = build_network("residual_unet", {"channels": (4, 8), "strides": (2,)})
    with pytest.raises(UserError, match="the smallest plan needs"):
        largest_window(network, (64, 64, 64), 2, 1000, CPU)
