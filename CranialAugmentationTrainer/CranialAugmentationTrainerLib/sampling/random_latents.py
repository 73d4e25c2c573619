"""SD and UD: latents by chance, each from its own seed and index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def normal_latent(seed: int, index: int, dimensions: int) -> npt.NDArray[np.float64]:
    """One draw (D,) of N(0, I): W24's SD."""
    return np.random.default_rng([seed, index]).standard_normal(dimensions)


def uniform_latent(seed: int, index: int, dimensions: int, half_width: float) -> npt.NDArray[np.float64]:
    """One draw (D,), uniform within +- ``half_width`` in every dimension: W24's UD."""
    return np.random.default_rng([seed, index]).uniform(-half_width, half_width, dimensions)
