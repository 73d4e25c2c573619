"""UDS, uniform deterministic sampling, in two forms: by quantiles, and W24's divided ball taken literally."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from CranialAugmentationTrainerLib.sampling.even_points import EvenPoints

Latent = npt.NDArray[np.float64]


class QuantileLatents:
    """Evenly spread probabilities through the inverse normal, truncated at +- ``reach``."""

    def __init__(self, dimensions: int, seed: int, reach: float) -> None:
        self._points = EvenPoints(dimensions, seed)
        self._low = float(ndtr(-reach))

    def latent(self, index: int) -> Latent:
        """Latent ``index`` (D,)."""
        within = self._low + (1.0 - 2.0 * self._low) * self._points.point(index)
        return np.asarray(ndtri(within))


class DividedBall:
    """The ball of radius ``reach`` divided evenly into ``count`` samples.

    Sample i lies in the middle of the i-th of ``count`` shells of equal volume, in the i-th of a sequence
    of evenly spread directions; an even sequence and the index together are an even set (Hammersley).
    Samples after those, which take the place of rejected ones, divide the ball anew in further
    directions of the sequence.
    """

    def __init__(self, dimensions: int, seed: int, reach: float, count: int) -> None:
        self._directions = QuantileLatents(dimensions, seed, np.inf)
        self._dimensions = dimensions
        self._reach = reach
        self._count = count

    def latent(self, index: int) -> Latent:
        """Latent ``index`` (D,)."""
        direction = self._directions.latent(index)
        radius = self._reach * ((index % self._count + 0.5) / self._count) ** (1.0 / self._dimensions)
        return np.asarray(radius * direction / np.linalg.norm(direction))
