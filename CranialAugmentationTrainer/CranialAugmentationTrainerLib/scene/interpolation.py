"""A way through a latent space, from one case to another, as ``cranial interpolate`` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.scene.label_surfaces import surfaces_from_file
from CranialAugmentationTrainerLib.scene.plot_nodes import attribute_name, owned
from CranialAugmentationTrainerLib.scene.sequences import find_frames, frame_values, new_frames, put_frame, show_frame
from CranialReconstructionLib.errors import UserError

# On the browsers of ways, and no others: the folder.
WAY = attribute_name("Way")


def show_interpolation(trainer: Any, folder: Path, name: str) -> Any:
    """Put all steps of a way into the scene, or renew those that are there, and show the first.

    Each frame has the concern of its step as its note: why a synthetic set would not take the case.

    Args:
        trainer: the parameter node.
        folder: that ``cranial interpolate`` wrote; the way is known by it.
        name: for a person.

    Returns:
        The browser, whose slider goes from 0 to 1.

    Raises:
        UserError: it is no such folder, or a volume cannot be read.
    """
    steps = _steps(folder)
    frames = [(share, surfaces_from_file(folder / volume), concern) for share, volume, concern in steps]
    browser = find_frames(trainer, f"way {folder}")
    if browser is None:
        browser = new_frames(trainer, f"way {folder}", name, "share of the way")
        browser.SetAttribute(WAY, str(folder))
    for share, surfaces, concern in frames:
        put_frame(browser, share, surfaces, concern)
    show_frame(browser, 0)
    return browser


def ways(trainer: Any) -> list[Any]:
    """The browsers of all ways, in the order in which they came."""
    return list(owned(trainer, "vtkMRMLSequenceBrowserNode", WAY))


def folder_of(browser: Any) -> Path:
    """The folder that a way was read from; another computer may not have it."""
    return Path(browser.GetAttribute(WAY))


def nearest_frame(browser: Any, share: float) -> int:
    """The number of the frame nearest to a value of the index; for a slider."""
    values = frame_values(browser)
    return min(range(len(values)), key=lambda number: abs(values[number] - share))


def _steps(folder: Path) -> list[tuple[float, str, str]]:
    """Share of the way, label volume and concern of each step."""
    path = folder / "interpolation.json"
    try:
        steps = json.loads(path.read_text())["steps"]
        found = [(float(step["share"]), str(step["volume"]), str(step["concern"])) for step in steps]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            "no way through a latent space is there: no readable interpolation.json",
            where=str(folder),
            remedy="Choose a folder that `cranial interpolate` wrote.",
        ) from error
    if not found:
        raise UserError("the way has no steps", where=str(path), remedy="Interpolate again.")
    return found
