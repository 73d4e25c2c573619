"""What is told and shown of the methods of ``cranial train`` while they learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from CranialAugmentationTrainerLib.generators.blocks import evaluating
from CranialAugmentationTrainerLib.generators.case_tensor import SKULL
from CranialAugmentationTrainerLib.generators.method import Generator
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.training.case_network import CaseTask
from CranialAugmentationTrainerLib.training.case_previews import write_previews
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training_settings import TrainingSettings
from CranialReconstructionLib.imaging.volume import Array

# A network whose defects are this small beside the true ones finds nothing.
NEXT_TO_NOTHING = 0.01


class GeneratorCompanion:
    """Cases that the same latents give, step by step, above real ones."""

    def __init__(
        self, task: Generator, run: RunFolder, settings: TrainingSettings, real: Dataset[torch.Tensor]
    ) -> None:
        self.task = task
        self.run = run
        self.settings = settings
        self.real = real

    def saw(self, batch: Any) -> None:
        """Nothing is noted."""

    def facts(self) -> dict[str, Any]:
        """None."""
        return {}

    def losses(self, outputs: Any) -> dict[str, torch.Tensor]:
        """All that the step told."""
        return self.task.losses

    def warnings(self) -> list[str]:
        """The method's own."""
        return self.task.warnings()

    def preview(self, step: int) -> dict[str, Any]:
        """Decode the latents, one at a time, so that memory stays what training took."""
        latents = Noise(self.settings.seed, 0, device=self.task.device).normal(
            self.settings.previews, *self.task.latent_shape
        )
        made = np.concatenate([_numbers(self.task.decode(latent[None])) for latent in latents])
        return write_previews(
            self.run.previews, step, (made, _first(self.real, self.settings.previews)), self.settings.kept_previews
        )


class CaseNetworkCompanion:
    """What the network finds in the first validation cases, above the truth."""

    def __init__(self, task: CaseTask, run: RunFolder, settings: TrainingSettings, real: Dataset[torch.Tensor]) -> None:
        self.task = task
        self.run = run
        self.settings = settings
        self.real = real

    def saw(self, batch: Any) -> None:
        """Nothing is noted."""

    def facts(self) -> dict[str, Any]:
        """None."""
        return {}

    def losses(self, outputs: Any) -> dict[str, torch.Tensor]:
        """The loss."""
        return {"loss": outputs["loss"]}

    def warnings(self) -> list[str]:
        """That nothing, or next to nothing, is found."""
        true = _first(self.real, self.settings.previews)
        found = (self._found(true) > 0.5).sum()
        wanted = (true[:, 1] > 0.5).sum()
        if wanted and found < NEXT_TO_NOTHING * wanted:
            return [f"the network finds next to no missing bone: {found} voxels of {wanted}"]
        return []

    def preview(self, step: int) -> dict[str, Any]:
        """Skulls with what was found, and with what is true."""
        true = _first(self.real, self.settings.previews)
        if not len(true):
            return {}
        made = np.stack((true[:, SKULL], self._found(true)), axis=1)
        return write_previews(self.run.previews, step, (made, true), self.settings.kept_previews)

    def _found(self, cases: Array) -> Array:
        skulls = torch.from_numpy(cases[:, SKULL : SKULL + 1]).to(self.task.device)
        with evaluating(self.task.average):
            found = [torch.sigmoid(self.task.average(skull[None])) for skull in skulls]
        return _numbers(torch.cat(found))[:, 0] if found else np.zeros((0, 1, 1, 1))


def _first(cases: Any, count: int) -> Array:
    """Up to ``count`` cases (N, 2, K, J, I) as shares of bone."""
    shown = [cases[index].numpy().astype(np.float32) / 255.0 for index in range(min(count, len(cases)))]
    return np.stack(shown) if shown else np.zeros((0, 2, 1, 1, 1), dtype=np.float32)


def _numbers(tensor: torch.Tensor) -> Array:
    numbers: Array = tensor.detach().float().cpu().numpy()
    return numbers
