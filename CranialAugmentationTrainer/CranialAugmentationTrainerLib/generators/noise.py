"""The random numbers of one training step."""

from __future__ import annotations

import numpy as np
import torch


class Noise:
    """Numbers that follow from the seed, the step and the process alone, so that a run that goes on
    after a kill draws what it would have drawn. Made on the CPU: the same on every device."""

    def __init__(self, seed: int, step: int, process: int = 0, device: torch.device | str = "cpu") -> None:
        # The CPU's generator takes 32 bits of a seed.
        mixed = int(np.random.SeedSequence((seed, step, process)).generate_state(1)[0])
        self._generator = torch.Generator().manual_seed(mixed)
        self._device = device

    def normal(self, *shape: int) -> torch.Tensor:
        """From N(0, I)."""
        return torch.randn(*shape, generator=self._generator).to(self._device)

    def uniform(self, *shape: int) -> torch.Tensor:
        """From [0, 1)."""
        return torch.rand(*shape, generator=self._generator).to(self._device)

    def integers(self, below: int, *shape: int) -> torch.Tensor:
        """Whole numbers from 0 to ``below - 1``."""
        return torch.randint(below, shape, generator=self._generator).to(self._device)
