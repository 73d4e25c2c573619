"""Skull and missing bone that change: frames in sequence nodes, one of them shown by a pair of models.

Slicer's sequence browser moves through the frames, plays and records them, and saves them with the scene. Models are
replaced in place, so that their display and the camera stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer
from vtkmodules.vtkCommonCore import vtkCollection
from vtkmodules.vtkCommonDataModel import vtkPolyData

from CranialAugmentationTrainerLib.scene.label_surfaces import DEFECT, PARTS, SKULL, Surfaces
from CranialAugmentationTrainerLib.scene.plot_nodes import attribute_name, new_node, owned
from CranialReconstructionLib.scene import results
from CranialReconstructionLib.scene.case import remove_nodes, unique_name
from CranialReconstructionLib.scene.colours import Colour

# As of the first module's results.
COLOUR_OF: Mapping[str, Colour] = {SKULL: results.BONE, DEFECT: results.DEFECT}
# Skulls let a defect at the back be seen from the front.
OPACITY: Mapping[str, float] = {SKULL: 0.55, DEFECT: 1.0}
FRAMES_A_SECOND = 10.0
TOLERANCE = 1e-7

_ROW, _PART, _NOTES = attribute_name("Frames"), attribute_name("Part"), attribute_name("Note")
_BROWSER, _SEQUENCE, _MODEL = "vtkMRMLSequenceBrowserNode", "vtkMRMLSequenceNode", "vtkMRMLModelNode"


def new_frames(trainer: Any, key: str, name: str, index: str) -> Any:
    """A sequence browser without frames, and the models that will show them.

    Args:
        trainer: the parameter node.
        key: that the browser is found by again.
        name: for a person.
        index: what the frames are counted by; their values are numbers.
    """
    scene = trainer.GetScene()
    name = unique_name(scene, name)
    browser = new_node(trainer, _BROWSER, name, Frames=key)
    browser.SetPlaybackRateFps(FRAMES_A_SECOND)
    for part in PARTS:
        sequence = new_node(trainer, _SEQUENCE, f"{name} {part}s", Part=part)
        sequence.SetIndexName(index)
        sequence.SetIndexType(slicer.vtkMRMLSequenceNode.NumericIndex)
        sequence.SetNumericIndexValueTolerance(TOLERANCE)
        model = new_model(trainer, part, f"{name} {part}")
        browser.AddSynchronizedSequenceNode(sequence.GetID())
        browser.AddProxyNode(model, sequence, False)
        browser.SetOverwriteProxyName(sequence, False)
    return browser


def new_model(trainer: Any, part: str, name: str) -> Any:
    """A model without a surface, in the colour of its part."""
    model = new_node(trainer, _MODEL, name, Part=part)
    model.SetAndObserveMesh(vtkPolyData())
    model.CreateDefaultDisplayNodes()
    model.GetDisplayNode().SetColor(COLOUR_OF[part])
    model.GetDisplayNode().SetOpacity(OPACITY[part])
    return model


def find_frames(trainer: Any, key: str) -> Any:
    """The browser of that key; None if there is none."""
    return next((node for node in owned(trainer, _BROWSER, _ROW) if node.GetAttribute(_ROW) == key), None)


def put_frame(browser: Any, value: float, surfaces: Surfaces, note: str = "") -> None:
    """Add a frame, or replace that of the same value; what is shown stays what it is.

    Args:
        value: of the index, to six places; frames are in its order.
        surfaces: by part; one that is not named is empty.
        note: kept with the frame.
    """
    shown = _shown_value(browser)
    for part, sequence in _sequences(browser).items():
        frame = slicer.vtkMRMLModelNode()
        frame.SetName(part)
        frame.SetAndObserveMesh(surfaces.get(part, vtkPolyData()))
        frame.SetAttribute(_NOTES, note)
        sequence.SetDataNodeAtValue(frame, _text(value))
    if shown is not None and _shown_value(browser) != shown:
        browser.SetSelectedItemNumber(frame_values(browser).index(shown))


def frame_values(browser: Any) -> list[float]:
    """Values of the index, rising."""
    sequence = browser.GetMasterSequenceNode()
    return [float(sequence.GetNthIndexValue(number)) for number in range(sequence.GetNumberOfDataNodes())]


def frame_note(browser: Any, number: int) -> str:
    """What was noted with a frame."""
    return str(browser.GetMasterSequenceNode().GetNthDataNode(number).GetAttribute(_NOTES) or "")


def frame_surfaces(browser: Any, number: int) -> Surfaces:
    """The surfaces of a frame; not to be changed."""
    # An empty one comes back from a saved scene as none at all.
    return {
        part: sequence.GetNthDataNode(number).GetMesh() or vtkPolyData()
        for part, sequence in _sequences(browser).items()
    }


def show_frame(browser: Any, number: int) -> None:
    """Show a frame by its number, from 0."""
    browser.SetSelectedItemNumber(number)
    models = models_of(browser)
    for part, sequence in _sequences(browser).items():
        frame = sequence.GetNthDataNode(number).GetMesh()
        # The application's sequence logic has done it, unless something else was shown meanwhile.
        if not _alike(models[part].GetMesh(), frame):
            models[part].SetAndObserveMesh(_copy(frame))


def show_surfaces(browser: Any, surfaces: Surfaces) -> None:
    """Show surfaces that are no frame, as they come from a generator while a slider moves."""
    for part, model in models_of(browser).items():
        model.SetAndObserveMesh(_copy(surfaces.get(part)))


def models_of(browser: Any) -> dict[str, Any]:
    """The models that show the frames, by part."""
    return {part: browser.GetProxyNode(sequence) for part, sequence in _sequences(browser).items()}


def remove_frames(trainer: Any, browser: Any) -> None:
    """Take a browser, its frames and its models out of the scene."""
    nodes = [browser, *models_of(browser).values(), *_sequences(browser).values()]
    remove_nodes(trainer, [node for node in nodes if node is not None])


def _sequences(browser: Any) -> dict[str, Any]:
    found: Any = vtkCollection()
    browser.GetSynchronizedSequenceNodes(found, True)
    nodes = (found.GetItemAsObject(number) for number in range(found.GetNumberOfItems()))
    return {node.GetAttribute(_PART): node for node in nodes}


def _alike(surface: vtkPolyData | None, other: vtkPolyData | None) -> bool:
    # An empty surface comes back from a saved scene as none at all.
    if surface is None or other is None:
        return surface is other
    same = surface.GetNumberOfPoints() == other.GetNumberOfPoints()
    return bool(same and surface.GetBounds() == other.GetBounds())


def _copy(surface: vtkPolyData | None) -> vtkPolyData:
    """The same points and triangles in an object of its own, as the sequence logic writes into a model's."""
    copied = vtkPolyData()
    if surface is not None:
        copied.ShallowCopy(surface)
    return copied


def _shown_value(browser: Any) -> float | None:
    number = browser.GetSelectedItemNumber()
    values = frame_values(browser)
    return values[number] if 0 <= number < len(values) else None


def _text(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
