"""Many unrolled vaults from few heads: each moved, bent and warped towards another, then unrolled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from CranialAugmentationTrainerLib.augmentation.spatial import draw_spatial
from CranialAugmentationTrainerLib.training.cases import CaseMixture, WarpTowards
from CranialAugmentationTrainerLib.training.head_cache import CachedHead
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame
from CranialReconstructionLib.reconstruction.vault_map import Tables, VaultMap, tables_on_rays

# A ray that lost this much bone, in millimetres, has bone missing.
LEAST_MISSING = 0.6


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
    seed: int,
) -> UnrolledHead:
    """A head drawn, moved as ``mixture`` says, and unrolled; the same seed gives the same one."""
    generator = torch.Generator().manual_seed(seed)
    head, displacement = int(torch.randint(len(heads), (1,), generator=generator)), None
    if warps and float(torch.rand(1, generator=generator)) < mixture.towards:
        warp = warps[int(torch.randint(len(warps), (1,), generator=generator))]
        head, displacement = warp.moving, float(torch.rand(1, generator=generator)) * warp.displacement
    places = vault.rays()
    if mixture.spatial is not None:
        places = draw_spatial(mixture.spatial, frame, generator, displacement).source(places)
    shares = torch.stack((heads[head].complete, heads[head].implant)).to(torch.float32) / 255.0
    complete, implant = frame.sample(shares, places)
    missing = (implant.sum(0) * vault.step > LEAST_MISSING).to(torch.float32)
    left = (complete - implant).clamp_min(0.0)
    return UnrolledHead(tables_on_rays(complete, vault), tables_on_rays(left, vault), missing)


def vault_pool(
    count: int,
    draw: Callable[[int], UnrolledHead],
    folder: Path,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> list[UnrolledHead]:
    """Heads number 0 to ``count`` of ``draw``, kept as half-precision files in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = []
    for number in range(count):
        path = folder / f"{number:06d}.npy"
        if not path.is_file():
            beside = path.with_suffix(".part")
            with beside.open("wb") as file:
                np.save(file, _packed(draw(number)))
            beside.replace(path)
        pool.append(_unpacked(np.load(path)))
        report(number + 1, count)
    return pool


def _packed(head: UnrolledHead) -> np.ndarray:
    tables = (head.complete, head.defective)
    images = [image for each in tables for image in (each.outer, each.inner, each.present)]
    return torch.stack((*images, head.missing)).to(torch.float16).numpy()


def _unpacked(stack: np.ndarray) -> UnrolledHead:
    images = torch.from_numpy(stack)
    return UnrolledHead(Tables(*images[0:3]), Tables(*images[3:6]), images[6])
