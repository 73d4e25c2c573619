"""Where a reconstruction may add bone, and which bone it takes away before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialReconstructionLib.imaging.volume import Volume


def read_mask(path: Path | None, skull: Volume, what: str) -> Volume | None:
    """A mask on the skull's grid, above zero inside; None where no file is named.

    Raises:
        UserError: it lies on another grid, or is empty.
    """
    if path is None:
        return None
    from CranialReconstructionLib.imaging.files import read_volume

    mask = read_volume(path)
    if not mask.grid.same_as(skull.grid):
        raise UserError(
            f"the {what} and the skull ({skull.name}) lie on different grids",
            where=mask.name,
            remedy="Draw it on the skull itself.",
        )
    if not (mask.voxels > 0).any():
        raise UserError(f"the {what} is empty", where=mask.name, remedy="Draw it larger, or leave it out.")
    return mask


def cut_away(skull: Volume, cut: Volume) -> Volume:
    """The skull without its bone inside of ``cut``.

    Raises:
        UserError: what is left is no skull.
    """
    from CranialReconstructionLib.imaging.mask import as_skull_mask

    return as_skull_mask(skull.with_voxels(((skull.voxels > 0) & ~(cut.voxels > 0)).view("u1")))


def kept_within(volume: Volume, region: Volume) -> Volume:
    """``volume`` with zero outside of ``region``."""
    return volume.with_voxels(volume.voxels * (region.voxels > 0))
