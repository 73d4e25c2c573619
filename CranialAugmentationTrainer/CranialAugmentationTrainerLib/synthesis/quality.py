"""Which generated cases are no cases, and why. Rules and constants are ours; the constants can be changed.

Measured on 80 real skulls with their defects at 64 and 128 voxels an edge: see the constants.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialAugmentationTrainerLib.datasets.synthetic_set import DEFECT_LABEL, SKULL_LABEL
from CranialReconstructionLib.errors import UserError

Mask = npt.NDArray[np.bool_]

NO_SKULL = "no skull"
TOO_MUCH_BONE = "too much bone"
NO_DEFECT = "no defect"
SEVERAL_SKULLS = "several skulls"
OFF_THE_BONE = "defect off the bone"
REASONS = (NO_SKULL, TOO_MUCH_BONE, NO_DEFECT, SEVERAL_SKULLS, OFF_THE_BONE)

_EVERY_NEIGHBOUR = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class QualityLimits:
    """What a case must keep to.

    Attributes:
        least_skull, most_skull: share of the grid that is skull; real ones have 0.02 to 0.05 of the papers'
            box, and a generator that has learned nothing fills a half of it.
        main_skull: share of the skull in its largest piece, neighbours by a corner included.
        joined_defect: share of the defect in pieces that touch the skull, by a corner at least.
    """

    least_skull: float = 0.004
    most_skull: float = 0.2
    main_skull: float = 0.9
    joined_defect: float = 0.9

    def __post_init__(self) -> None:
        for name in ("least_skull", "most_skull", "main_skull", "joined_defect"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UserError(f"{name} is no share", where="quality limits", remedy="Give 0 to 1.")


def quality_limits(changes: Iterable[str]) -> QualityLimits:
    """The usual limits with some changed, each ``NAME=VALUE``: ``least_skull=0.01``.

    Raises:
        UserError: no such limit, or no share.
    """
    known, given = asdict(QualityLimits()), {}
    for words in changes:
        name, _, text = words.partition("=")
        if name not in known:
            raise UserError(f"{words!r} names no limit", where="quality limits", remedy=f"Known: {', '.join(known)}.")
        try:
            given[name] = float(text)
        except ValueError as error:
            raise UserError(
                f"{text!r} is no share", where="quality limits", remedy=f"Write it like {name}={known[name]:g}."
            ) from error
    return replace(QualityLimits(), **given)


def reason_to_reject(labels: npt.NDArray[np.uint8], limits: QualityLimits) -> str:
    """The first of ``REASONS`` that a case (K, J, I) gives; empty if it gives none."""
    skull, defect = labels == SKULL_LABEL, labels == DEFECT_LABEL
    share = np.count_nonzero(skull) / skull.size
    if share <= limits.least_skull:
        return NO_SKULL
    if share > limits.most_skull:
        return TOO_MUCH_BONE
    if not defect.any():
        return NO_DEFECT
    if main_share(skull) < limits.main_skull:
        return SEVERAL_SKULLS
    if joined_share(defect, skull) < limits.joined_defect:
        return OFF_THE_BONE
    return ""


def main_share(mask: Mask) -> float:
    """Share of a mask, not empty, in its largest 26-connected component."""
    components, _ = ndimage.label(mask, _EVERY_NEIGHBOUR)
    sizes = np.bincount(components.ravel())[1:]
    return float(sizes.max() / sizes.sum())


def joined_share(defect: Mask, skull: Mask) -> float:
    """Share of a defect, not empty, in 26-connected components that touch the skull."""
    components, _ = ndimage.label(defect, _EVERY_NEIGHBOUR)
    sizes = np.bincount(components.ravel())
    near_skull = ndimage.binary_dilation(skull, _EVERY_NEIGHBOUR)
    joined = np.unique(components[near_skull & defect])
    return float(sizes[joined].sum() / sizes[1:].sum())
