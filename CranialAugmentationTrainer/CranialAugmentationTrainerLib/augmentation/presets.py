"""W24's three settings of geometric augmentation, as transforms."""

from __future__ import annotations

from monai.transforms import RandomOrder

from CranialAugmentationTrainerLib.augmentation.affine import RandomAffine
from CranialAugmentationTrainerLib.augmentation.binary_noise import RandomBinaryNoise
from CranialAugmentationTrainerLib.augmentation.crop import RandomCrop
from CranialAugmentationTrainerLib.augmentation.flip import RandomFlip
from CranialAugmentationTrainerLib.augmentation.geometric_presets import GEOMETRIC_PRESETS
from CranialAugmentationTrainerLib.augmentation.transform import RandomCaseTransform
from CranialReconstructionLib.errors import UserError


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
