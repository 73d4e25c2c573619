"""How like one another many cases are: Dice of masks that are kept as bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]

# Masks are compared on no more voxels an edge than these; finer detail tells heads apart no better.
COMPARED_SIDE = 64

_ONES = np.array([value.bit_count() for value in range(256)], dtype=np.uint8)


class KeptMasks:
    """Masks of one shape, an eighth of a byte a voxel."""

    def __init__(self) -> None:
        self._bits: list[npt.NDArray[np.uint8]] = []
        self._sizes: list[int] = []

    def __len__(self) -> int:
        return len(self._bits)

    def add(self, mask: Mask) -> None:
        """Keep one more."""
        self._bits.append(np.packbits(mask))
        self._sizes.append(int(np.count_nonzero(mask)))

    def dice(self, mask: Mask) -> Scores:
        """Dice (N,) of ``mask`` with each; two empty masks have 1."""
        return self._dice(np.packbits(mask), int(np.count_nonzero(mask)))

    def dice_among(self) -> Scores:
        """Dice (N, N) of all with all."""
        rows = [self._dice(bits, size) for bits, size in zip(self._bits, self._sizes, strict=True)]
        return np.stack(rows) if rows else np.zeros((0, 0))

    def _dice(self, bits: npt.NDArray[np.uint8], size: int) -> Scores:
        shared = np.array([int(_ONES[own & bits].sum(dtype=np.int64)) for own in self._bits], dtype=np.float64)
        together = np.array(self._sizes, dtype=np.float64) + size
        return np.where(together > 0, 2.0 * shared / np.maximum(together, 1.0), 1.0)


def compared(mask: Mask) -> Mask:
    """A mask (K, J, I) on at most ``COMPARED_SIDE`` voxels an edge: bone where half of a block is."""
    factor = max(1, -(-max(mask.shape) // COMPARED_SIDE))
    if factor == 1:
        return mask
    k, j, i = (side // factor for side in mask.shape)
    blocks = mask[: k * factor, : j * factor, : i * factor].reshape(k, factor, j, factor, i, factor)
    return np.asarray(blocks.mean(axis=(1, 3, 5)) >= 0.5)
