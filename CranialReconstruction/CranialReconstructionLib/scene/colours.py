"""Colour tables and legends of maps, the same in a reopened scene."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import slicer

Kind = Literal["even", "about_zero", "confidence"]
Colour = tuple[float, float, float]

TABLE = "CranialReconstruction.Colours"
STEPS = 256
# Where a map has no value.
UNKNOWN: Colour = (0.69, 0.70, 0.72)

# Anchors of viridis (S. van der Walt and N. Smith, CC0), dark to light.
_VIRIDIS = "440154 482475 414487 355f8d 2a788e 21918c 22a884 44bf70 7ad151 bddf26 fde725"
# Blue below, orange above, alike in lightness on both sides.
_ABOUT_ZERO = "173f7a 3f76b5 93b7d8 e9e9e6 efb27a cf7327 85420a"
# Doubtful in red, sure in green, through a light yellow: told apart by lightness too.
_CONFIDENCE = "6b0d1f b3322c e08214 fee08b a6d96a 4daf62 0b7a4b"
_ANCHORS = {"even": _VIRIDIS, "about_zero": _ABOUT_ZERO, "confidence": _CONFIDENCE}
_NAMES = {"even": "Cranial thickness", "about_zero": "Cranial fit", "confidence": "Cranial confidence"}


def colour_table(scene: Any, kind: Kind) -> Any:
    """The colour node of that kind; it is made when it is first asked for, and saved with the scene."""
    node = next((node for node in _tables(scene) if node.GetAttribute(TABLE) == kind), None)
    if node is None:
        node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", _NAMES[kind])
        node.SetAttribute(TABLE, kind)
        node.SetTypeToUser()
        node.SetNumberOfColors(STEPS)
        for number, colour in enumerate(_between(_ANCHORS[kind])):
            node.SetColor(number, f"{number / (STEPS - 1):.3f}", *colour, 1.0)
        node.SetDescription("From low to high")
        node.SetHideFromEditors(False)
        _set_unknown(node)
    return node


def restore_colours(scene: Any) -> None:
    """Set again what a file of colours does not hold; to be called when a scene has been loaded."""
    for node in _tables(scene):
        _set_unknown(node)


def show_legend(displayable: Any, title: str, shown: bool = True) -> None:
    """A bar with the colours and values of a node's scalars in its views, or none."""
    logic = slicer.vtkSlicerColorLogic
    legend = logic.GetColorLegendDisplayNode(displayable)
    if legend is None:
        if not shown:
            return
        legend = logic.AddDefaultColorLegendDisplayNode(displayable)
    legend.SetTitleText(title)
    legend.SetLabelFormat("%.1f")
    legend.SetNumberOfLabels(5)
    legend.SetVisibility(shown)


def _tables(scene: Any) -> list[Any]:
    nodes = scene.GetNodesByClass("vtkMRMLColorTableNode")
    every = (nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems()))
    return [node for node in every if node.GetAttribute(TABLE) is not None]


def _set_unknown(node: Any) -> None:
    node.GetLookupTable().SetNanColor(*UNKNOWN, 1.0)


def _between(anchors: str) -> np.ndarray:
    """Colours (STEPS, 3), 0 to 1, evenly between the anchors."""
    table = np.array([[int(anchor[start : start + 2], 16) for start in (0, 2, 4)] for anchor in anchors.split()])
    places = np.linspace(0.0, len(table) - 1.0, STEPS)
    return np.stack([np.interp(places, np.arange(len(table)), channel) for channel in table.T], axis=1) / 255.0
