"""The skull taken away from its reflection, round one hole, at the scan's own resolution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from CranialReconstructionLib.imaging.distance import distance_to
from CranialReconstructionLib.imaging.symmetry import Reflection
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.reconstruction.shell import Points

Mask = npt.NDArray[np.bool_]
Window = tuple[slice, slice, slice]

# What is looked at about a hole's outer surface, mm: the bone's thickness, and the growth below.
MARGIN = 16.0
# Reflected bone this far from the skull's own is more than the two sides' unlikeness, mm.
CLEAR = 3.0
# From there, what lies between it and the rim is taken along, mm.
GROWTH = 4.5
# Sheets thinner than twice this are shavings along bone that is there, mm.
SHAVING = 0.8
JOINED = 2.0  # mm from the skull, or the next voxel to it
SMALLEST = 1000.0  # mm3
# Half a millimetre of doubt remains in the best registration.
LEAST_DOUBT = 0.5

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def subtract(
    skull: Volume, reflection: Reflection, hole: Points, centre: Points
) -> tuple[Window, npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """The reflected bone that fills a hole.

    Args:
        skull: the whole mask (K, J, I).
        reflection: takes the skull onto its other side.
        hole: places on the reflected outer surface over the hole (N, 3), RAS mm.
        centre: the middle of the vault, RAS mm.

    Returns:
        The window (k, j, i) of the skull's voxels looked at, and there the missing bone (0 or 1) and
        the chance of missing bone (0 to 1).
    """
    window = _window(skull.grid, hole, MARGIN)
    box = _part(skull, window)
    bone: Mask = box.voxels > 0
    share = reflected(skull, box.grid, reflection)
    missing: Mask = (share > 0.5) & ~bone
    spacing = box.spacing[::-1]
    from_bone = distance_to(bone, spacing)
    inward = centre - hole
    within = hole + 2.0 * inward / np.linalg.norm(inward, axis=1, keepdims=True)
    core = _holding(missing & (from_bone > CLEAR), box.grid.ijk_of(within))
    if not core.any():
        return window, core.astype(np.uint8), core.astype(np.float32)
    defect = _opened(missing & (distance_to(core, spacing) <= GROWTH), box)
    defect = _joined(defect, from_bone < max(JOINED, 1.01 * max(spacing)), box.grid.voxel_volume)
    if not defect.any():
        return window, defect.astype(np.uint8), defect.astype(np.float32)
    doubt = max(reflection.residual, LEAST_DOUBT)
    # A mask smoothed by the error's own Gaussian is the chance that the displaced mask covers a voxel.
    chance = ndimage.gaussian_filter(share, doubt / np.array(spacing), truncate=3.0)
    chance[bone | (distance_to(defect, spacing) > 2.0 * doubt)] = 0.0
    return window, defect.astype(np.uint8), np.clip(chance, 0.0, 1.0)


def reflected(skull: Volume, grid: Grid, reflection: Reflection) -> npt.NDArray[np.float32]:
    """Share of bone, 0 to 1, of the reflected skull at the voxels of ``grid``."""
    k, j, i = grid.shape
    corners = np.array(np.meshgrid((0, i - 1), (0, j - 1), (0, k - 1))).reshape(3, -1).T
    source = _part(skull, _window(skull.grid, reflection.origin(grid.ras_of(corners)), margin=2.0))
    back = _LPS_FROM_RAS @ np.linalg.inv(reflection.matrix) @ _LPS_FROM_RAS
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(back[:3, :3].ravel().tolist())
    transform.SetTranslation(back[:3, 3].tolist())
    image = Volume((source.voxels > 0).astype(np.float32), source.ijk_to_ras).to_itk()
    frame = Volume(np.empty(grid.shape, dtype=np.uint8), grid.ijk_to_ras).to_itk()
    return np.asarray(sitk.GetArrayFromImage(sitk.Resample(image, frame, transform, sitk.sitkLinear, 0.0)))


def _opened(mask: Mask, like: Volume) -> Mask:
    image = like.with_voxels(mask.astype(np.uint8)).to_itk()
    # Where voxels are longer than a shaving is thick, a sheet of one voxel may be all of the bone.
    radius = [round(SHAVING / spacing) for spacing in like.spacing]
    opened = sitk.GetArrayFromImage(sitk.BinaryMorphologicalOpening(image, radius, sitk.sitkBall, 0, 1))
    return np.asarray(opened > 0)


def _holding(mask: Mask, ijk: Points) -> Mask:
    """The components of ``mask`` that hold one of the voxels nearest to ``ijk`` (N, 3)."""
    labels, count = ndimage.label(mask)
    places = np.rint(ijk[:, ::-1]).astype(int)
    places = places[((places >= 0) & (places < mask.shape)).all(axis=1)]
    kept = np.zeros(count + 1, dtype=np.bool_)
    kept[labels[tuple(places.T)]] = True
    kept[0] = False
    return np.asarray(kept[labels])


def _joined(mask: Mask, beside_bone: Mask, voxel_volume: float) -> Mask:
    """The components of ``mask`` that are large enough and touch the rim."""
    labels, count = ndimage.label(mask)
    kept = np.bincount(labels.ravel(), minlength=count + 1) * voxel_volume >= SMALLEST
    touching = np.zeros(count + 1, dtype=np.bool_)
    touching[labels[mask & beside_bone]] = True
    kept &= touching
    kept[0] = False
    return np.asarray(kept[labels])


def _window(grid: Grid, places: Points, margin: float) -> Window:
    """The voxels (k, j, i) of ``grid`` round RAS ``places`` (N, 3), with ``margin`` mm; never empty."""
    ijk = grid.ijk_of(places)
    reach = margin / np.array(grid.spacing)
    size = np.array(grid.shape[::-1])
    start = np.clip(np.floor(ijk.min(0) - reach), 0, size - 1).astype(int)
    stop = np.clip(np.ceil(ijk.max(0) + reach) + 1, start + 1, size).astype(int)
    i, j, k = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return k, j, i


def _part(volume: Volume, window: Window) -> Volume:
    k, j, i = window
    return volume.cropped((k.start, j.start, i.start), (k.stop, j.stop, i.stop))
