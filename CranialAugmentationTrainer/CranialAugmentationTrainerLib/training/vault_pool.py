"""Many unrolled vaults from few heads: each moved, bent and warped towards another, then unrolled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from CranialAugmentationTrainerLib.augmentation.spatial import draw_spatial, rotation_about
from CranialAugmentationTrainerLib.training.cases import CaseMixture, WarpTowards
from CranialAugmentationTrainerLib.training.head_cache import CachedHead
from CranialAugmentationTrainerLib.training.kept_array import kept_array
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame
from CranialReconstructionLib.reconstruction.head_pose import POSE_MAP, HeadPose, fit_pose, mean_outer_table
from CranialReconstructionLib.reconstruction.vault_map import Tables, VaultMap, tables_on_rays, unroll

# A ray that lost this much bone, in millimetres, has bone missing.
LEAST_MISSING = 0.6
# Standard deviations, degrees and millimetres, of the pose that a hole in the vault gives (measured on
# validation skulls: with and without their defects it differs by 1.2 degrees and 1.1 mm).
POSE_ERROR = 1.0, 1.0
ALIGNMENTS = 3


@dataclass(frozen=True)
class UnrolledHead:
    """One vault, whole and with its data set's own defect.

    Attributes:
        complete: tables of the whole skull.
        defective: tables of what the defect leaves.
        missing: (V, U), 1 where the defect took bone from the ray.
    """

    complete: Tables
    defective: Tables
    missing: torch.Tensor


def unroll_head(
    mixture: CaseMixture,
    heads: Sequence[CachedHead],
    warps: Sequence[WarpTowards],
    frame: HeadFrame,
    vault: VaultMap,
    reference: torch.Tensor,
    seed: int,
) -> UnrolledHead:
    """A head drawn, moved as ``mixture`` says, turned onto ``reference``, and unrolled.

    The same seed gives the same one. Where heads are moved, the pose is as far off as a hole makes it.
    """
    generator = torch.Generator().manual_seed(seed)
    head, displacement = int(torch.randint(len(heads), (1,), generator=generator)), None
    if warps and float(torch.rand(1, generator=generator)) < mixture.towards:
        warp = warps[int(torch.randint(len(warps), (1,), generator=generator))]
        head, displacement = warp.moving, float(torch.rand(1, generator=generator)) * warp.displacement
    transform = mixture.spatial and draw_spatial(mixture.spatial, frame, generator, displacement)

    def source(places: torch.Tensor) -> torch.Tensor:
        return transform.source(places) if transform else places

    shares = torch.stack((heads[head].complete, heads[head].implant)).to(torch.float32) / 255.0
    upright = tables_on_rays(frame.sample(shares[:1], source(POSE_MAP.rays()))[0], POSE_MAP)
    pose = fit_pose(upright, reference, POSE_MAP)
    if transform:
        pose = _jittered(pose, generator)
    complete, implant = frame.sample(shares, source(pose.to_box(vault.rays())))
    missing = (implant.sum(0) * vault.step > LEAST_MISSING).to(torch.float32)
    left = (complete - implant).clamp_min(0.0)
    return UnrolledHead(tables_on_rays(complete, vault), tables_on_rays(left, vault), missing)


def align_heads(
    heads: Sequence[CachedHead], frame: HeadFrame, report: Callable[[int, int], None] = lambda done, of: None
) -> torch.Tensor:
    """The reference (V, U) onto which heads are turned: their mean, turned onto the last one, and again."""
    tables = [unroll(_complete(head), frame, POSE_MAP) for head in heads]
    for round_ in range(ALIGNMENTS):
        reference = mean_outer_table(tables)
        poses = [fit_pose(unroll(_complete(head), frame, POSE_MAP), reference, POSE_MAP) for head in heads]
        tables = [
            unroll(_complete(head), frame, POSE_MAP, pose.to_box(POSE_MAP.rays()))
            for head, pose in zip(heads, poses, strict=True)
        ]
        report(round_ + 1, ALIGNMENTS)
    return mean_outer_table(tables)


def _complete(head: CachedHead) -> torch.Tensor:
    return head.complete.to(torch.float32) / 255.0


def _jittered(pose: HeadPose, generator: torch.Generator) -> HeadPose:
    angles = POSE_ERROR[0] * torch.randn(3, generator=generator)
    turn = torch.eye(3)
    for axis, angle in enumerate(angles):
        turn = turn @ rotation_about(axis, math.radians(float(angle)))
    return HeadPose(pose.rotation @ turn, pose.shift + POSE_ERROR[1] * torch.randn(3, generator=generator))


def vault_pool(
    count: int,
    draw: Callable[[int], UnrolledHead],
    folder: Path,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> list[UnrolledHead]:
    """Heads number 0 to ``count`` of ``draw``, kept as half-precision files in ``folder``."""
    pool = []
    for number in range(count):
        pool.append(_unpacked(kept_array(folder / f"{number:06d}.npy", partial(_drawn, draw, number))))
        report(number + 1, count)
    return pool


def _drawn(draw: Callable[[int], UnrolledHead], number: int) -> np.ndarray:
    return _packed(draw(number))


def _packed(head: UnrolledHead) -> np.ndarray:
    tables = (head.complete, head.defective)
    images = [image for each in tables for image in (each.outer, each.inner, each.present)]
    return torch.stack((*images, head.missing)).to(torch.float16).numpy()


def _unpacked(stack: np.ndarray) -> UnrolledHead:
    images = torch.from_numpy(stack)
    return UnrolledHead(Tables(*images[0:3]), Tables(*images[3:6]), images[6])
