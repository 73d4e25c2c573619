"""Previews of cases: one picture, and label volumes that Slicer can show while the run goes on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.nn import functional

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.synthesis.post_processing import PostProcessing, post_process
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Array, Volume
from CranialReconstructionLib.imaging.whole_file import whole_file

BONE = np.array([236.0, 224.0, 200.0])
MISSING = np.array([24.0, 146.0, 196.0])
BACKGROUND = 24
# Edge of a view, pixels; the gaps between views, and between what is made and what is real.
VIEW = 160
# Coarse cases are interpolated to about so many voxels an edge, for smooth surfaces, and so much at most.
SURFACE = 128
LARGEST_SCALE = 3
# Share of bone at which a surface is drawn: thin bone fills less than half of a coarse voxel.
LEVEL = 0.35
GAP = 4
WIDE_GAP = 14
# Towards the light: rows run down, columns to the right, depth towards the viewer.
LIGHT = np.array([-0.45, -0.35, 0.82])

Picture = npt.NDArray[np.uint8]


def write_previews(folder: Path, step: int, rows: Sequence[Array], kept: int) -> dict[str, object]:
    """Write ``step-NNNNNN.png`` and ``step-NNNNNN/000.nrrd`` ..., and thin out what older steps left.

    Args:
        rows: cases (N, 2, K, J, I) each, shares of bone, one row of the picture a block; the label
            volumes are those of the first, with K23's post-processing.
        kept: steps that stay.

    Returns:
        What the preview's event tells.
    """
    path = folder / f"step-{step:06d}.png"
    bands = [picture_of(cases) for cases in rows if len(cases)]
    width = max(band.shape[1] for band in bands)
    shown: list[Picture] = []
    for band in bands:
        padding = ((0, WIDE_GAP), (0, width - band.shape[1]), (0, 0))
        shown.append(np.pad(band, padding, constant_values=BACKGROUND))
    with whole_file(path) as part:
        Image.fromarray(np.concatenate(shown)[:-WIDE_GAP]).save(part, format="PNG")
    volumes = []
    for number, case in enumerate(rows[0]):
        labels = post_process(case, PostProcessing.for_side(case.shape[-1]))
        volume = folder / path.stem / f"{number:03d}.nrrd"
        write_volume(Volume(labels, case_grid(case.shape[-1]).ijk_to_ras, volume.stem), volume)
        volumes.append(str(volume))
    thin_out(folder, kept)
    return {"path": str(path), "volumes": volumes}


def thin_out(folder: Path, kept: int) -> None:
    """Leave previews of ``kept`` steps: the first, the last, and others spread evenly between them."""
    steps = sorted(int(path.stem.removeprefix("step-")) for path in folder.glob("step-*.png") if _named(path))
    while len(steps) > kept:
        gaps = [later - earlier for earlier, later in zip(steps[:-2], steps[2:], strict=True)]
        gone = steps.pop(1 + int(np.argmin(gaps)))
        (folder / f"step-{gone:06d}.png").unlink(missing_ok=True)
        shutil.rmtree(folder / f"step-{gone:06d}", ignore_errors=True)


def picture_of(cases: Array) -> Picture:
    """Cases (N, 2, K, J, I) side by side: each from its right side, from above, and cut in the middle."""
    columns = [np.concatenate([_framed(view) for view in _views(case)]) for case in cases]
    return np.concatenate(columns, axis=1)


def _views(case: Array) -> list[Picture]:
    """The three views of a case (2, K, J, I), whose axes run along (S, A, R)."""
    scale = min(LARGEST_SCALE, max(1, SURFACE // case.shape[-1]))
    shares = torch.from_numpy(np.ascontiguousarray(case, dtype=np.float32))[None]
    finer = functional.interpolate(shares, scale_factor=scale, mode="trilinear")
    smooth = functional.avg_pool3d(finer, 3, 1, 1)[0].numpy()
    # Viewers stand at the high end of the last axis; rows run from superior, or anterior, down.
    lateral = _relief(smooth[:, ::-1])
    above = _relief(np.moveaxis(smooth, 1, -1)[:, ::-1])
    middle = finer[0, :, :, :, finer.shape[-1] // 2].numpy()[:, ::-1]
    return [_sized(view) for view in (lateral, above, _coloured(middle[0], middle[1]))]


def _relief(shares: Array) -> Picture:
    """Skull and missing bone (2, rows, columns, depth) seen along the last axis, from its high end, lit
    from the upper left."""
    whole = shares.sum(0)
    bone = whole[..., ::-1] > LEVEL
    met = bone.any(-1)
    depth = whole.shape[-1] - 1 - bone.argmax(-1)
    here = (*np.indices(met.shape), depth)
    slopes = np.stack([_slope(whole, here, axis) for axis in range(3)], axis=-1)
    normals = -slopes / np.maximum(np.linalg.norm(slopes, axis=-1, keepdims=True), 1e-6)
    light = (0.25 + 0.75 * np.clip(normals @ LIGHT, 0.0, 1.0)) * (0.5 + 0.5 * depth / whole.shape[-1])
    missing = (shares[1][here] > shares[0][here]).astype(np.float64)
    return _coloured(met * light * (1.0 - missing), met * light * missing)


def _slope(whole: Array, here: tuple[Array, ...], axis: int) -> Array:
    """How fast the bone rises along an axis at some of its voxels."""
    ends = []
    for step in (1, -1):
        place = list(here)
        place[axis] = np.clip(place[axis] + step, 0, whole.shape[axis] - 1)
        ends.append(whole[tuple(place)])
    slope: Array = ends[0] - ends[1]
    return slope


def _coloured(skull: Array, missing: Array) -> Picture:
    """Shades (rows, columns), 0 to 1, in the two colours."""
    mixed = BACKGROUND + skull[..., None] * (BONE - BACKGROUND) + missing[..., None] * (MISSING - BACKGROUND)
    return np.asarray(mixed.clip(0, 255).astype(np.uint8))


def _sized(view: Picture) -> Picture:
    return np.asarray(Image.fromarray(view).resize((VIEW, VIEW), Image.Resampling.BICUBIC))


def _framed(view: Picture) -> Picture:
    return np.pad(view, ((0, GAP), (0, GAP), (0, 0)), constant_values=BACKGROUND)


def _named(path: Path) -> bool:
    return re.fullmatch(r"step-\d+", path.stem) is not None
