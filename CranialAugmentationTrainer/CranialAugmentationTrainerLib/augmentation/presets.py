"""W24's three settings of geometric augmentation (table 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monai.transforms import RandomOrder

from CranialAugmentationTrainerLib.augmentation.affine import RandomAffine
from CranialAugmentationTrainerLib.augmentation.binary_noise import RandomBinaryNoise
from CranialAugmentationTrainerLib.augmentation.crop import RandomCrop
from CranialAugmentationTrainerLib.augmentation.flip import RandomFlip
from CranialAugmentationTrainerLib.augmentation.transform import RandomCaseTransform
from CranialReconstructionLib.errors import UserError


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


def geometric_augmentation(name: str, probability: float = 0.75) -> RandomOrder:
    """A preset as one MONAI transform: its parts in random order, each with ``probability`` (W24: 0.75).

    Images come out as shares of bone; ``Binarise`` makes masks of them again.

    Raises:
        UserError: no such preset.
    """
    preset = GEOMETRIC_PRESETS.get(name)
    if preset is None:
        raise UserError(
            f"there is no geometric augmentation {name!r}",
            where="geometric augmentation",
            remedy=f"Name one of {', '.join(GEOMETRIC_PRESETS)}.",
        )
    parts: list[RandomCaseTransform] = [RandomFlip(axis, probability) for axis in preset.flips]
    if preset.crop:
        parts.append(RandomCrop(probability=probability))
    parts.append(RandomAffine(preset.rotation, preset.translation, preset.scale, probability))
    if preset.noise is not None:
        parts.append(RandomBinaryNoise(preset.noise, probability=probability))
    return RandomOrder(parts)
