"""What a skull and a defect must have in common before an implant is made of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.mask import looks_like_ct
from CranialReconstructionLib.imaging.pooling import bone_box
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.solid import SMALLEST_PART

Mask = npt.NDArray[np.bool_]

# Share of the defect that may be bone already: a mask painted a voxel too wide, and not the whole skull.
MOST_OVERLAP = 0.1
# Millimetres within which some bone must lie of every part of the defect, and between the places looked at.
REACH, LATTICE = 3.0, 1.0


def check_input(skull: Volume, defect: Volume, confidence: Volume | None = None) -> tuple[str, ...]:
    """Whether the masks belong together.

    Args:
        skull: mask of the bone that is there.
        defect: mask of the bone that is missing.
        confidence: 0 to 1.

    Returns:
        Warnings.

    Raises:
        UserError: different grids, grey values, an empty defect, one that is bone already or lies apart from bone, a
            confidence that is none.
    """
    for volume, what in ((defect, "defect"), (confidence, "confidence")):
        if volume is not None and not volume.grid.same_as(skull.grid):
            raise UserError(
                f"the {what} and the skull ({skull.name}) lie on different grids",
                where=volume.name,
                remedy="Give both on the grid of the same scan.",
            )
    if looks_like_ct(defect):
        raise UserError(
            "it has grey values where a mask of the missing bone was expected",
            where=defect.name,
            remedy="Give the defect as a mask of 0 and 1 (defect.nrrd, not confidence.nrrd).",
        )
    if confidence is not None and (confidence.voxels.min() < 0.0 or confidence.voxels.max() > 1.0):
        raise UserError(
            "it holds values outside 0 to 1, so it is no confidence",
            where=confidence.name,
            remedy="Give the confidence that the reconstruction wrote (confidence.nrrd).",
        )
    box = bone_box(defect)
    if box is None:
        raise UserError("the defect is empty", where=defect.name, remedy="Check that the mask marks the missing bone.")
    window = tuple(slice(first, end) for first, end in zip(*box, strict=True))
    missing = defect.voxels[window] > 0
    return (*_overlap(missing, skull.voxels[window] > 0, defect.name), *_apart(skull, defect, window))


def _overlap(missing: Mask, bone: Mask, name: str) -> tuple[str, ...]:
    share = np.count_nonzero(missing & bone) / np.count_nonzero(missing)
    if share > MOST_OVERLAP:
        raise UserError(
            f"{share:.0%} of the defect is bone in the skull already",
            where=name,
            remedy="Give the skull with its defect open, and the missing bone alone.",
        )
    return (f"{share:.1%} of the defect is bone in the skull already; there the bone stays",) if share else ()


def _apart(skull: Volume, defect: Volume, box: tuple[slice, ...]) -> tuple[str, ...]:
    """A warning of parts that get no implant; refuses parts that lie apart from bone."""
    steps = [max(1, round(LATTICE / length)) for length in skull.spacing[::-1]]
    reach = [int(np.ceil(REACH / length)) for length in skull.spacing[::-1]]
    around = tuple(
        slice(max(side.start - wide, 0), side.stop + wide, step)
        for side, wide, step in zip(box, reach, steps, strict=True)
    )
    parts, count = ndimage.label(defect.voxels[around] > 0, np.ones((3, 3, 3)))
    millilitres = np.bincount(parts.ravel(), minlength=count + 1) * skull.grid.voxel_volume * np.prod(steps) / 1000.0
    size = [2 * (wide // step) + 1 for wide, step in zip(reach, steps, strict=True)]
    near_bone = ndimage.maximum_filter((skull.voxels[around] > 0).view(np.uint8), size) > 0
    touching = np.zeros(count + 1, dtype=bool)
    touching[np.unique(parts[near_bone])] = True
    large = millilitres >= SMALLEST_PART
    for part in np.flatnonzero(large & ~touching):
        if part > 0:
            raise UserError(
                f"a part of the defect, {millilitres[part]:.1f} ml, lies more than {REACH:g} mm from any bone",
                where=defect.name,
                remedy="Check that skull and defect are of one case, or remove that part from the mask.",
            )
    specks = int((~large[1:]).sum())
    return (f"{specks} specks of the defect, each under {SMALLEST_PART:g} ml, get no implant",) if specks else ()
