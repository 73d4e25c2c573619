"""Every skull of a data set on the canonical head grid, ready in memory.

Reading a full-resolution skull takes a second and training looks at each of them hundreds of
times, so each is resampled once, as shares of bone (0 to 255), and kept in one file per case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from CranialAugmentationTrainerLib.augmentation.canonical_head import canonical_shares
from CranialAugmentationTrainerLib.datasets.paired_skulls import PairedSkull
from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialAugmentationTrainerLib.training.kept_array import kept_array
from CranialReconstructionLib.imaging.head_grid import HeadBox


@dataclass(frozen=True)
class CachedHead:
    """One head on the canonical grid.

    Attributes:
        name: the case.
        complete: share of bone of the whole skull, uint8 0..255, (K, J, I) along (S, A, R).
        implant: the same of the missing bone alone.
    """

    name: str
    complete: torch.Tensor
    implant: torch.Tensor


def cache_heads(
    cases: Sequence[PairedSkull],
    folder: Path,
    box: HeadBox,
    spacing: float,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> list[CachedHead]:
    """Heads of ``cases`` in ``box`` at ``spacing`` millimetres, from ``folder`` where they lie already.

    The grid is placed from the defective skull, as it is when a patient comes.
    """
    heads = []
    for done, case in enumerate(cases):
        report(done, len(cases))
        files = SkullCase(case.name, case.skull, defective=case.defective, implant=case.implant)
        path = folder / f"{case.name.replace('/', '_')}-{spacing:g}mm.npy"
        stack = kept_array(path, partial(canonical_shares, files, box, spacing))
        heads.append(CachedHead(case.name, torch.from_numpy(stack[0]), torch.from_numpy(stack[1])))
    report(len(cases), len(cases))
    return heads
