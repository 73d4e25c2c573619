"""Points spread evenly over a cube of any number of dimensions, each from its index alone: Sobol's, scrambled.

``SobolEngine`` knows its direction numbers up to 21,201 dimensions and steps from one point to the next;
here a point is made from the bits of its index at once, so that any case can be made again alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch.quasirandom import SobolEngine

# Bits of the direction numbers, and so of the index.
_BITS = SobolEngine.MAXBIT


class EvenPoints:
    """A scrambled Sobol sequence in [0, 1)^D.

    Dimensions beyond the direction numbers are padded by chance, as is usual for hybrid sequences
    (Spanier 1995): evenly spread in the first 21,201, no worse than chance in the others.

    Args:
        dimensions: D.
        seed: of the scrambling.
    """

    def __init__(self, dimensions: int, seed: int) -> None:
        self._seed = seed
        self._padded = max(0, dimensions - SobolEngine.MAXDIM)
        engine = SobolEngine(dimensions - self._padded, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
        self._directions = engine.sobolstate.numpy()
        self._shift = engine.shift.numpy()

    def point(self, index: int) -> npt.NDArray[np.float64]:
        """Point ``index`` (D,) of the sequence; a point lies in the middle of its cell, never on 0 or 1."""
        if not 0 <= index < 1 << _BITS:
            raise ValueError(f"index {index} is not below 2^{_BITS}")
        gray = index ^ (index >> 1)
        bits = [bit for bit in range(_BITS) if gray >> bit & 1]
        whole = np.bitwise_xor.reduce(self._directions[:, bits], axis=1, initial=0) ^ self._shift
        even = (whole + 0.5) / 2.0**_BITS
        if not self._padded:
            return even
        return np.concatenate([even, np.random.default_rng([self._seed, index]).random(self._padded)])
