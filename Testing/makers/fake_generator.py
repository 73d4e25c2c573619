"""A generator that has learned nothing: a ball of skull with a lump of defect, moved by its latent; and runs
of real methods that have not learned either."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from CranialAugmentationTrainerLib.generators.registry import build
from CranialAugmentationTrainerLib.generators.settings import preset, settings_as_json

SIDE = 16


class FakeGenerator:
    """Decodes a latent (4,): the skull's radius, the direction of the defect, and whether there is any.

    A third latent above 1.2 leaves the defect away, so that quality has something to reject.
    """

    latent_shape = (4,)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        axis = torch.arange(SIDE, dtype=torch.float32) - (SIDE - 1) / 2
        places = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))
        cases = []
        for values in latent:
            outer = 5.6 + 0.8 * torch.tanh(values[0])
            radius = torch.linalg.vector_norm(places, dim=0)
            shell = torch.sigmoid(4.0 * (outer - radius)) * torch.sigmoid(4.0 * (radius - outer + 2.2))
            direction = torch.tensor([3.0, 1.0, 0.0]) + torch.stack((values[1] * 0, values[1], values[2]))
            centre = outer * direction / torch.linalg.vector_norm(direction)
            lump = torch.linalg.vector_norm(places - centre[:, None, None, None], dim=0)
            inside = torch.sigmoid(4.0 * (3.0 - lump)) * float(values[3] < 1.2)
            cases.append(torch.stack((shell * (1.0 - inside), shell * inside)))
        return torch.stack(cases)

    def encode(self, cases: torch.Tensor) -> torch.Tensor:
        """Bone of the two channels, and how high and how far to the front the defect lies."""
        sums = cases.sum((2, 3, 4))
        axis = torch.arange(SIDE, dtype=torch.float32)
        high = (cases[:, 1].sum((2, 3)) * axis).sum(1) / sums[:, 1].clamp_min(1e-6)
        front = (cases[:, 1].sum((1, 3)) * axis).sum(1) / sums[:, 1].clamp_min(1e-6)
        return torch.cat((sums / 500.0, torch.stack((high, front), dim=1) / SIDE), dim=1)


@dataclass(frozen=True)
class FakeSource:
    """Loads in any process; ``name`` tells two of them apart, ``slow`` seconds pass before each case."""

    name: str = "fake"
    slow: float = 0.0
    origin = ""

    def load(self) -> FakeGenerator:
        if not self.slow:
            return FakeGenerator()
        return SlowGenerator(self.slow)

    def recipe(self) -> dict[str, Any]:
        return {"fake": self.name}


class SlowGenerator(FakeGenerator):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        import time

        time.sleep(self._seconds)
        return super().decode(latent)


def untrained_run(folder: Path, method: str = "vae", seed: int = 0) -> Path:
    """The folder of a run of preset ``tiny`` at its first step."""
    torch.manual_seed(seed)
    settings = preset(method, "tiny")
    (folder / "checkpoints").mkdir(parents=True)
    configuration = {"method": method, "settings": settings_as_json(settings)}
    (folder / "run.json").write_text(json.dumps({"configuration": configuration}))
    torch.save({"state_dict": build(method, settings).state_dict()}, folder / "checkpoints" / "last.ckpt")
    return folder
