"""One thing at a time in the 3D view: skulls all lie in the same place."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from CranialReconstructionLib.scene.case import case_nodes
from CranialReconstructionLib.scene.surfaces import set_visible


def show_alone(trainer: Any, models: Collection[Any]) -> None:
    """Show these of the trainer's models and hide all others, whatever they are of."""
    for node in case_nodes(trainer):
        if node.IsA("vtkMRMLModelNode"):
            set_visible(node, any(node is model for model in models))


def hide(models: Iterable[Any]) -> None:
    """Take models out of the views; they stay in the scene."""
    for model in models:
        set_visible(model, False)
