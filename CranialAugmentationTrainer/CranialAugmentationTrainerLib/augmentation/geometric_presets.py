"""W24's three settings of geometric augmentation (table 1); loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class GeometricPreset:
    """One row of the table.

    Attributes:
        flips: axes, each a transform of its own (our reading).
        crop: whether slabs are cut off.
        rotation: largest angle, degrees.
        translation: largest shift, voxels of a 256^3 grid.
        scale: smallest and largest magnification.
        noise: range of the noise's threshold for a sigma of 1, or None.
    """

    flips: Sequence[str]
    crop: bool
    rotation: float
    translation: float
    scale: tuple[float, float]
    noise: tuple[float, float] | None


GEOMETRIC_PRESETS = {
    "basic": GeometricPreset(("sagittal",), False, 7.0, 7.0, (0.7, 1.1), None),
    "heavy": GeometricPreset(("sagittal",), True, 15.0, 10.0, (0.5, 1.2), (2.2, 4.5)),
    "extreme": GeometricPreset(("sagittal", "frontal", "longitudinal"), True, 45.0, 15.0, (0.4, 1.3), (1.8, 4.5)),
}
