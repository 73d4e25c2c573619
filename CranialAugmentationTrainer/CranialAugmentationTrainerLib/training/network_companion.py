"""What is told and shown of a reconstruction network while it trains."""

from __future__ import annotations

from typing import Any

import torch

from CranialAugmentationTrainerLib.training.network_task import NetworkTask
from CranialAugmentationTrainerLib.training.previews import write_preview
from CranialAugmentationTrainerLib.training.run_folder import RunFolder


class NetworkCompanion:
    """How much bone was missing from the cases, and panels of the last validation."""

    def __init__(self, task: NetworkTask, run: RunFolder) -> None:
        self.task = task
        self.run = run
        self.missing_ml: list[float] = []

    def saw(self, batch: Any) -> None:
        """Note how much bone is missing from each case."""
        self.missing_ml += [volume for volume in self.task.missing_ml(batch).tolist() if volume > 0.0]

    def facts(self) -> dict[str, Any]:
        """The smallest and the largest defect of the run so far, millilitres."""
        if not self.missing_ml:
            return {}
        self.missing_ml = [min(self.missing_ml), max(self.missing_ml)]
        return {"defect_ml": [round(volume, 2) for volume in self.missing_ml]}

    def losses(self, outputs: Any) -> dict[str, torch.Tensor]:
        """The loss."""
        return {"loss": outputs["loss"]}

    def warnings(self) -> list[str]:
        """None: its loss tells."""
        return []

    def preview(self, step: int) -> dict[str, Any]:
        """One picture."""
        if not self.task.shown:
            return {}
        path = self.run.previews / f"step-{step:06d}.png"
        write_preview(self.task.shown, path)
        return {"path": str(path)}
