"""An animated picture of cases, one after another and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter
from scipy import ndimage

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialReconstructionLib.imaging.picture import (
    ANTERIOR,
    BONE,
    MISSING,
    PANEL_BOTTOM,
    PANEL_TOP,
    RIGHT,
    SUPERIOR,
    facing_camera,
    shaded,
)
from CranialReconstructionLib.imaging.raycast import BoneScene
from CranialReconstructionLib.imaging.resampling import resample
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.imaging.whole_file import whole_file

Shares = npt.NDArray[np.float32]

# Voxel edge of the scenes, mm: rays miss larger ones.
SPACING = 1.25
# Steps are smoothed by so much of the case's own voxels, and at least by one of the scene's.
SMOOTHING = 0.5
# What is shown across a panel, mm, and the middle of it: a skull reaches lower than its vault.
EXTENT = 235.0
TARGET = np.array([0.0, 5.0, -12.0])
FRAME, HOLD = 90, 700  # milliseconds
# From the front and above, and from behind and above; defects of either end are seen in one of them.
SIDES = (RIGHT + 1.2 * ANTERIOR + 0.9 * SUPERIOR, -RIGHT - 1.2 * ANTERIOR + 0.9 * SUPERIOR)


def frame_of(shares: Shares, pixels: int = 320) -> Image.Image:
    """Two views side by side of a case (2, K, J, I): skull in the colour of bone, missing bone in blue."""
    grid = case_grid(shares.shape[-1])
    fine = _scene_grid(shares, grid)
    whole, missing = (
        resample(Volume(np.ascontiguousarray(part), grid.ijk_to_ras), fine).voxels
        for part in (np.clip(shares.sum(axis=0), 0.0, 1.0), shares[1])
    )
    scene = BoneScene(Volume(whole, fine.ijk_to_ras), max(SMOOTHING * grid.spacing[0], fine.spacing[0]))
    views = []
    for side in SIDES:
        camera = facing_camera(TARGET, side / np.linalg.norm(side))
        sight = scene.look(camera, pixels, EXTENT)
        # Just below the surface, where the shares of the two are their own.
        places = fine.ijk_of(sight.places - sight.normals).T[::-1]
        share, bone = (ndimage.map_coordinates(field, places, order=1) for field in (missing, whole))
        tint = np.clip(2.0 * share / np.maximum(bone, 0.1) - 0.5, 0.0, 1.0)[:, None]
        views.append(shaded(sight, camera, BONE + tint * (MISSING - BONE), (PANEL_TOP, PANEL_BOTTOM)))
    # Single rays slip past bone.
    return Image.fromarray(np.concatenate(views, axis=1)).filter(ImageFilter.MedianFilter(3))


def _scene_grid(shares: Shares, grid: Grid) -> Grid:
    """Fine voxels round all bone; round everything where there is none."""
    bone = np.argwhere(shares.max(axis=0) > 0.0)
    first, last = (bone.min(axis=0), bone.max(axis=0)) if len(bone) else (np.zeros(3), np.array(grid.shape) - 1)
    low, high = grid.ras_of(np.stack([first, last])[:, ::-1])
    matrix = np.diag([SPACING, SPACING, SPACING, 1.0])
    matrix[:3, 3] = low - grid.spacing[0]
    i, j, k = np.ceil((high - low + 2.0 * grid.spacing[0]) / SPACING).astype(int) + 1
    return Grid((k, j, i), matrix)


def write_animation(frames: Sequence[Image.Image], path: Path) -> None:
    """Write a GIF that goes through the frames and back, for ever, and rests at both ends."""
    there_and_back = [*frames, *frames[-2:0:-1]]
    durations = [HOLD if frame in (frames[0], frames[-1]) else FRAME for frame in there_and_back]
    # One palette for all, so that colours do not flicker.
    palette = _side_by_side(frames).quantize(128)
    pictures = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in there_and_back]
    with whole_file(path) as part:
        pictures[0].save(
            part, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=False
        )


def _side_by_side(frames: Sequence[Image.Image]) -> Image.Image:
    """All colours of the frames in one small picture."""
    size = (max(1, frames[0].width // 4), max(1, frames[0].height // 4))
    strip = Image.new("RGB", (size[0] * len(frames), size[1]))
    for number, frame in enumerate(frames):
        strip.paste(frame.resize(size, Image.Resampling.NEAREST), (number * size[0], 0))
    return strip
