"""A run's previews in 3D: its sampled skulls in a row, a frame for each step, so that a slider shows it learn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkCommonTransforms import vtkTransform
from vtkmodules.vtkFiltersCore import vtkAppendPolyData
from vtkmodules.vtkFiltersGeneral import vtkTransformPolyDataFilter

from CranialAugmentationTrainerLib.datasets.case_grid import read_labels
from CranialAugmentationTrainerLib.scene.label_surfaces import PARTS, Surfaces, surfaces_of_masks
from CranialAugmentationTrainerLib.scene.sequences import find_frames, frame_values, new_frames, put_frame, show_frame

# Between the middles of two skulls, as a share of the width of their volumes, which heads do not fill.
APART = 0.8


def show_previews(trainer: Any, run: str, name: str, step: int, volumes: Sequence[Path], note: str = "") -> Any:
    """Put the preview of a step into the scene; the newest one is shown where the newest was.

    Args:
        trainer: the parameter node.
        run: the run's folder, by which its row is known.
        name: of the run, for a person.
        step: that the preview is of.
        volumes: label volumes (1 skull, 2 missing bone), as the run wrote them.
        note: kept with the frame.

    Returns:
        The browser, whose slider goes through the steps.

    Raises:
        UserError: a volume cannot be read; nothing is changed then.
    """
    row = row_of(volumes)
    browser = find_frames(trainer, f"previews {run}")
    if browser is None:
        browser = new_frames(trainer, f"previews {run}", f"{name} previews", "step")
    former = frame_values(browser)
    follows = not former or browser.GetSelectedItemNumber() in (-1, len(former) - 1)
    put_frame(browser, step, row, note)
    if follows:
        show_frame(browser, len(frame_values(browser)) - 1)
    return browser


def previews_of(trainer: Any, run: str) -> Any:
    """The browser with the previews of a run; None if it has none in the scene."""
    return find_frames(trainer, f"previews {run}")


def row_of(volumes: Sequence[Path]) -> Surfaces:
    """The surfaces of several label volumes side by side, from the viewer's left, who looks from the front.

    Raises:
        UserError: as of ``read_labels``.
    """
    return joined([case_in_row(path, number, len(volumes)) for number, path in enumerate(volumes)])


def case_in_row(volume: Path, number: int, places: int) -> Surfaces:
    """The surfaces of one label volume in the place ``number`` (from 0) of a row of so many.

    Raises:
        UserError: as of ``read_labels``.
    """
    skull, defect = read_labels(volume)
    width = skull.spacing[0] * skull.grid.shape[2]
    # The first stands furthest to the right of the patients, which is the viewer's left.
    right = APART * width * ((places - 1) / 2.0 - number)
    return {part: _moved(surface, right) for part, surface in surfaces_of_masks(skull, defect).items()}


def joined(cases: Sequence[Surfaces]) -> Surfaces:
    """All surfaces of a part as one."""
    found = {}
    for part in PARTS:
        row = vtkAppendPolyData()
        for case in cases:
            row.AddInputData(case[part])
        if cases:
            row.Update()
        found[part] = row.GetOutput()
    return found


def _moved(surface: vtkPolyData, right: float) -> vtkPolyData:
    transform = vtkTransform()
    transform.Translate(right, 0.0, 0.0)
    move = vtkTransformPolyDataFilter()
    move.SetInputData(surface)
    move.SetTransform(transform)
    move.Update()
    return move.GetOutput()
