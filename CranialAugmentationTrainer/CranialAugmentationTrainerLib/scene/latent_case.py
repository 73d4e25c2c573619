"""The case that a point of a latent space stands for, as a pair of models."""

from __future__ import annotations

from typing import Any

from vtkmodules.vtkCommonDataModel import vtkPolyData

from CranialAugmentationTrainerLib.scene.label_surfaces import PARTS, Surfaces
from CranialAugmentationTrainerLib.scene.plot_nodes import attribute_name, owned
from CranialAugmentationTrainerLib.scene.sequences import new_model
from CranialAugmentationTrainerLib.scene.shown_alone import show_alone

_CASE = attribute_name("LatentCase")


def show_case(trainer: Any, surfaces: Surfaces, name: str) -> dict[str, Any]:
    """Show a case in place of the one before, and nothing else of the trainer's.

    Args:
        trainer: the parameter node.
        surfaces: by part; one that is not named is empty.
        name: of the case.

    Returns:
        The models by part.
    """
    models = case_models(trainer)
    for part in PARTS:
        if part not in models:
            models[part] = new_model(trainer, part, part)
            models[part].SetAttribute(_CASE, part)
        shown = vtkPolyData()
        shown.ShallowCopy(surfaces.get(part, vtkPolyData()))
        models[part].SetAndObserveMesh(shown)
        models[part].SetName(f"{name} {part}")
    show_alone(trainer, models.values())
    return models


def case_models(trainer: Any) -> dict[str, Any]:
    """The models of the case by part; empty before one was shown."""
    return {node.GetAttribute(_CASE): node for node in owned(trainer, "vtkMRMLModelNode", _CASE)}
