"""A head that is nobody's: the mean of several skulls, in their mean shape, then varied.

Bone is averaged as two closed surfaces, the outside of the head and the endocranial cavity, each by
its signed depth. Shares of bone averaged directly would blur a shell that is thinner than what is
left of the misalignment, and thin bone would vanish; the mean of two depths keeps the mean thickness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from skimage.segmentation import watershed
from torch.nn import functional

from CranialAugmentationTrainerLib.augmentation.registration import folding_fraction, register
from CranialAugmentationTrainerLib.augmentation.registration_schedule import RegistrationSchedule

Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# A share of bone above this is bone: below one half, since thin plates never fill a voxel.
BONE_SHARE = 0.4
# The middle of the brain is further than this from any bone, and the way out through the foramen
# magnum is not, millimetres.
CAVITY_CORE = 16.0
# Depths are kept this far from the surface, millimetres: beyond it they say nothing about the bone.
DEPTH_LIMIT = 16.0
# Registration runs on voxels this many times longer than the heads' own.
REGISTRATION_POOLING = 2
SCHEDULE = RegistrationSchedule(alpha=1500.0)


@dataclass(frozen=True)
class Shell:
    """Two closed surfaces as signed depths in millimetres, positive inside, on one grid (K, J, I).

    Attributes:
        outside: depth under the outer surface of the head, the cavity taken for solid.
        cavity: depth inside the endocranial cavity.
        spacing: voxel edge, millimetres.
    """

    outside: Field
    cavity: Field
    spacing: float


@dataclass(frozen=True)
class Variation:
    """How the mean head is changed; standard deviations of smooth Gaussian fields (ours).

    Attributes:
        stretch: of the magnification along each axis, as a share.
        bend: of the displacement, millimetres.
        bend_scale: distance over which the displacement changes, millimetres.
        thickness: of the thickness, as a share of it.
        thickness_scale: distance over which the thickness changes, millimetres.
    """

    stretch: float = 0.03
    bend: float = 2.0
    bend_scale: float = 30.0
    thickness: float = 0.12
    thickness_scale: float = 15.0


def shell_of(share: Field, spacing: float, centre_kji: tuple[int, int, int]) -> Shell:
    """The two surfaces of a skull.

    Args:
        share: share of bone, 0 to 1, (K, J, I).
        spacing: voxel edge, millimetres.
        centre_kji: a voxel in the middle of the cavity.
    """
    bone = share > BONE_SHARE
    cavity = endocranial_cavity(bone, spacing, centre_kji)
    return Shell(_depth(bone | cavity, spacing), _depth(cavity, spacing), spacing)


def endocranial_cavity(bone: Mask, spacing: float, centre_kji: tuple[int, int, int]) -> Mask:
    """The room of the brain, parted from the outside where each way out is narrowest (a watershed)."""
    room = ~bone
    distance = ndimage.distance_transform_edt(room, spacing)
    cores, _ = ndimage.label(distance > CAVITY_CORE)
    markers = np.zeros(bone.shape, dtype=np.int32)
    markers[-1], markers[:, [0, -1]], markers[:, :, [0, -1]] = 2, 2, 2
    markers[(cores == cores[centre_kji]) & (cores > 0)] = 1
    cavity: Mask = watershed(-distance, markers, mask=room) == 1
    return cavity


def mean_shell(shares: Sequence[Field], spacing: float, centre_kji: tuple[int, int, int]) -> Shell:
    """The mean of ``shares`` of bone (K, J, I) on one grid: mean surfaces in the mean shape.

    All are registered (affine and dense, W24) to the one that is most like the others. Where x is a
    place of that one and u its displacement into another, the mean place of x is x + mean(u); the
    mean of the depths is moved there.
    """
    pooled = [functional.avg_pool3d(torch.from_numpy(share)[None], REGISTRATION_POOLING)[0] for share in shares]
    target = min(pooled, key=lambda one: sum(float((one - other).square().mean()) for other in pooled))
    depths = np.zeros((2, *shares[0].shape), dtype=np.float32)
    covered = np.zeros((1, *shares[0].shape), dtype=np.float32)
    displacements = []
    for number, (share, moving) in enumerate(zip(shares, pooled, strict=True)):
        shell = shell_of(share, spacing, centre_kji)
        displacement = register(moving, target, SCHEDULE)
        print(f"  skull {number + 1} of {len(shares)}: folding {folding_fraction(displacement):.2%}")
        displacement = functional.interpolate(
            displacement[None], size=share.shape, mode="trilinear", align_corners=False
        )[0]
        displacements.append(_in_voxels(displacement.numpy()))
        share_known = _moved(np.ones((1, *share.shape), np.float32), displacements[-1], padding="zeros")
        depths += share_known * _moved(np.stack((shell.outside, shell.cavity)), displacements[-1])
        covered += share_known
    # Below the floor of its box a head says nothing, and where half of them do not there is no bone.
    known = covered > 0.5 * len(shares)
    depths = np.where(known, depths / np.maximum(covered, 1.0), np.float32(-DEPTH_LIMIT))
    outside, cavity = _moved(depths, _inverse(np.mean(displacements, axis=0)))
    return Shell(outside, cavity, spacing)


def varied(shell: Shell, variation: Variation, generator: np.random.Generator) -> Shell:
    """The shell in another shape and of another thickness, smooth everywhere."""
    shape = shell.outside.shape
    middle = (np.array(shape) - 1.0) / 2.0
    stretch = variation.stretch * generator.standard_normal(3)
    displacement = np.stack(
        [
            smooth_noise(shape, variation.bend_scale / shell.spacing, generator) * (variation.bend / shell.spacing)
            for _ in range(3)
        ]
    )
    for axis in range(3):
        places = np.arange(shape[axis], dtype=np.float32) - middle[axis]
        displacement[axis] += (stretch[axis] * places).reshape([-1 if a == axis else 1 for a in range(3)])
    outside, cavity = _moved(np.stack((shell.outside, shell.cavity)), displacement)
    share = variation.thickness * smooth_noise(shape, variation.thickness_scale / shell.spacing, generator)
    # Where both surfaces meet, at the foramina, there is no thickness to scale, and they stay open.
    return Shell(outside, outside - (outside - cavity) * (1.0 + share), shell.spacing)


def smooth_noise(shape: tuple[int, ...], sigma: float, generator: np.random.Generator) -> Field:
    """Gaussian noise of unit standard deviation, smoothed over ``sigma`` voxels."""
    step = max(1, int(sigma / 3.0))
    coarse = [-(-n // step) + 1 for n in shape]
    noise = ndimage.gaussian_filter(generator.standard_normal(coarse).astype(np.float32), sigma / step)
    smooth = torch.from_numpy(noise / noise.std())[None, None]
    size = [step * (n - 1) + 1 for n in coarse]
    smooth = functional.interpolate(smooth, size=size, mode="trilinear", align_corners=True)
    result: Field = smooth[0, 0].numpy()[tuple(slice(n) for n in shape)].copy()
    return result


def _depth(mask: Mask, spacing: float) -> Field:
    inside = ndimage.distance_transform_edt(mask, spacing)
    inside -= ndimage.distance_transform_edt(~mask, spacing)
    # The surface runs between the last voxel inside and the first outside.
    inside -= np.sign(inside) * spacing / 2.0
    depth: Field = np.clip(inside, -DEPTH_LIMIT, DEPTH_LIMIT).astype(np.float32)
    smooth: Field = ndimage.gaussian_filter(depth, 0.5)
    return smooth


def _in_voxels(displacement: Field) -> Field:
    """From [-1, 1] units along (I, J, K) to voxels along (K, J, I)."""
    half = np.array(displacement.shape[1:], dtype=np.float32) / 2.0
    return np.ascontiguousarray(displacement[::-1]) * half[:, None, None, None]


def _moved(fields: Field, displacement: Field, padding: str = "border") -> Field:
    """``fields`` (C, K, J, I) at every place plus ``displacement`` (3, K, J, I) voxels."""
    size = torch.tensor(fields.shape[1:], dtype=torch.float32)
    axes = [torch.arange(n, dtype=torch.float32) for n in fields.shape[1:]]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij")) + torch.from_numpy(displacement)
    normalised = (2.0 * places + 1.0) / size[:, None, None, None] - 1.0
    sampled = functional.grid_sample(
        torch.from_numpy(fields)[None],
        normalised.flip(0).movedim(0, -1)[None].float(),
        mode="bilinear",
        padding_mode=padding,
        align_corners=False,
    )
    result: Field = sampled[0].numpy()
    return result


def _inverse(displacement: Field, iterations: int = 12) -> Field:
    """The displacement that undoes another, both (3, K, J, I) in voxels, by fixed-point iteration."""
    back = -displacement
    for _ in range(iterations):
        back = -_moved(displacement, back)
    return back
