"""The first cases of a set in 3D, side by side in rows, as they come: a frame of a sequence for each row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.scene.plot_nodes import attribute_name, owned
from CranialAugmentationTrainerLib.scene.preview_surfaces import case_in_row, joined
from CranialAugmentationTrainerLib.scene.sequences import (
    find_frames,
    frame_note,
    frame_surfaces,
    frame_values,
    models_of,
    new_frames,
    put_frame,
    remove_frames,
    show_frame,
)

IN_A_ROW = 5
ROWS = 4
FIRST = IN_A_ROW * ROWS

_KEY = "cases "
_FRAMES = attribute_name("Frames")


def show_case(trainer: Any, folder: Path, name: str, number: int, volume: Path, state: str = "") -> Any:
    """Put one more case beside those that are shown; the newest row is shown where the newest was.

    Args:
        trainer: the parameter node.
        folder: of the set, by which its rows are known.
        name: of the set, for a person.
        number: of the case in its set; not one that is shown.
        volume: its label volume (1 skull, 2 missing bone).
        state: kept with the case: another word for another file of this number.

    Returns:
        The browser, whose slider goes through the rows.

    Raises:
        UserError: the volume cannot be read; nothing is changed then.
    """
    place = len(shown_cases(trainer, folder))
    surfaces = case_in_row(volume, place % IN_A_ROW, IN_A_ROW)
    browser = rows_of(trainer, folder)
    if browser is None:
        browser = new_frames(trainer, _KEY + str(folder), f"{name} cases", "row")
    former = frame_values(browser)
    follows = not former or browser.GetSelectedItemNumber() in (-1, len(former) - 1)
    row, shown = place // IN_A_ROW, {}
    if row < len(former):
        shown = json.loads(frame_note(browser, row))
        surfaces = joined([frame_surfaces(browser, row), surfaces])
    put_frame(browser, row + 1, surfaces, json.dumps({**shown, str(number): state}))
    if follows:
        show_frame(browser, len(frame_values(browser)) - 1)
    return browser


def shown_cases(trainer: Any, folder: Path) -> Mapping[int, str]:
    """Number and state of the cases of a set that are in the scene, in their order."""
    browser = rows_of(trainer, folder)
    found: dict[int, str] = {}
    for row in range(0 if browser is None else len(frame_values(browser))):
        found |= {int(number): state for number, state in json.loads(frame_note(browser, row)).items()}
    return found


def rows_of(trainer: Any, folder: Path) -> Any:
    """The browser with the rows of a set; None if it has none in the scene."""
    return find_frames(trainer, _KEY + str(folder))


def forget_cases(trainer: Any, folder: Path) -> None:
    """Take the rows of a set out of the scene."""
    browser = rows_of(trainer, folder)
    if browser is not None:
        remove_frames(trainer, browser)


def row_models(trainer: Any) -> list[Any]:
    """The models of the rows of all sets."""
    browsers = owned(trainer, "vtkMRMLSequenceBrowserNode", _FRAMES)
    rows = [browser for browser in browsers if browser.GetAttribute(_FRAMES).startswith(_KEY)]
    return [model for browser in rows for model in models_of(browser).values()]
