"""Cases on the papers' box, 16 voxels an edge: balls of bone with a lump that is missing, as a plain folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume

SIDE = 16


def ball_case(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks (16, 16, 16) of a skull and of its missing bone; each number another one."""
    places = np.stack(np.meshgrid(*3 * [np.arange(SIDE) - (SIDE - 1) / 2], indexing="ij"))
    radius = np.linalg.norm(places, axis=0)
    outer = 5.5 + 0.2 * (number % 5)
    bone = (radius < outer) & (radius > outer - 2.5)
    turn = 0.7 * number
    centre = outer * np.array([0.8, 0.6 * np.cos(turn), 0.6 * np.sin(turn)])
    missing = bone & (np.linalg.norm(places - centre[:, None, None, None], axis=0) < 3.5)
    return bone & ~missing, missing


def write_cases(folder: Path, count: int) -> Path:
    """Cases ``000`` to ``count`` in ``folder``, a folder each."""
    matrix = case_grid(SIDE).ijk_to_ras
    for number in range(count):
        for name, mask in zip(("skull", "defect"), ball_case(number), strict=True):
            volume = Volume(mask.astype(np.uint8), matrix, name)
            write_volume(volume, folder / f"{number:03d}" / f"{name}.nrrd")
    return folder
