"""Training cases by their number in the run: their order, and what augmentation makes of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose
from torch.utils.data import Dataset

from CranialAugmentationTrainerLib.augmentation.augmented_cases import AugmentedCases
from CranialAugmentationTrainerLib.augmentation.case import DEFECT, SKULL, case_of
from CranialAugmentationTrainerLib.augmentation.cut import RandomCut
from CranialAugmentationTrainerLib.augmentation.deformable_masking import MaskingRange
from CranialAugmentationTrainerLib.augmentation.presets import geometric_augmentation
from CranialAugmentationTrainerLib.augmentation.transform import Images, RandomCaseTransform
from CranialAugmentationTrainerLib.augmentation.warp import RandomWarp
from CranialAugmentationTrainerLib.training.case_store import StoredCase
from CranialAugmentationTrainerLib.training.training_settings import OnlineAugmentation
from CranialReconstructionLib.imaging.head_grid import PAPER_BOX
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame

# A run may last as long as it likes.
ENDLESS = 2**62
NUMBER = "number"


class Warps(dict[int, list[torch.Tensor]]):
    """Displacements of cases, which the copies that transforms make of themselves share."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Warps:
        return self


class StoredOnes(Dataset[torch.Tensor]):
    """Cases as they are stored, uint8 (2, K, J, I), in their order."""

    def __init__(self, cases: Sequence[StoredCase]) -> None:
        self.cases = cases

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(np.array(self.cases[index].shares))


class NumberedCases(Dataset[torch.Tensor]):
    """Case ``number`` of an endless sequence: all of them once, in an order of their own each time round.

    uint8 as they are stored.
    """

    def __init__(self, cases: Sequence[StoredCase], seed: int) -> None:
        self.cases = cases
        self.seed = seed
        self._turn = -1
        self._order: Sequence[int] = ()

    def __len__(self) -> int:
        return ENDLESS

    def index(self, number: int) -> int:
        """Which of the cases has a number."""
        turn, place = divmod(number, len(self.cases))
        if turn != self._turn:
            self._order = np.random.default_rng([self.seed, turn]).permutation(len(self.cases)).tolist()
            self._turn = turn
        return self._order[place]

    def __getitem__(self, number: int) -> torch.Tensor:
        return torch.from_numpy(np.array(self.cases[self.index(number)].shares))


class AugmentedNumbers(Dataset[torch.Tensor]):
    """Numbered cases, each augmented by draws of its number alone; float32 shares (2, K, J, I)."""

    def __init__(
        self,
        numbered: NumberedCases,
        augmentation: OnlineAugmentation,
        warps: Warps | None = None,
    ) -> None:
        spacing = PAPER_BOX.size[0] / numbered.cases[0].shares.shape[-1]
        parts: list[Any] = []
        if "registration" in augmentation.chosen:
            parts.append(_RandomWarpOfItsOwn(warps or Warps(), augmentation.warped))
        if "masking" in augmentation.chosen:
            parts.append(_RandomCutOrAny(augmentation.masked, spacing))
        if augmentation.geometric is not None:
            parts.append(geometric_augmentation(augmentation.geometric))
        self.augmented = AugmentedCases(_AsImages(numbered), Compose(parts), numbered.seed, ENDLESS)

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, number: int) -> torch.Tensor:
        case = self.augmented[number]
        return torch.cat((case[SKULL], case[DEFECT])).clamp(0.0, 1.0)


class _AsImages:
    def __init__(self, numbered: NumberedCases) -> None:
        self.numbered = numbered

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, number: int, /) -> dict[str, Any]:
        stored = self.numbered[number].float() / 255.0
        skull, defect = stored[:1], stored[1:]
        images: Images = case_of((skull + defect).clamp_max(1.0), defect)
        return {**images, NUMBER: self.numbered.index(number)}


class _RandomWarpOfItsOwn(RandomWarp):
    """Draws among the warps of the case that it is given; a case without any stays as it is."""

    def __init__(self, warps: Warps, probability: float) -> None:
        super().__init__((), probability=probability)
        self.warps = warps

    def randomize(self, data: Mapping[str, Any]) -> None:
        self.displacements = self.warps.get(data[NUMBER], ())
        if self.displacements:
            super().randomize(data)
        else:
            self.drawn = None


class _RandomCutOrAny(RandomCaseTransform):
    """Cuts into a share of the cases, and into every one that misses nothing."""

    def __init__(self, probability: float, spacing: float) -> None:
        super().__init__(probability)
        self.cut = RandomCut(MaskingRange(), HeadFrame(PAPER_BOX), spacing)

    def randomize(self, data: Mapping[str, Any]) -> None:
        RandomCaseTransform.randomize(self, data)
        if self.drawn is None and not bool(data[DEFECT].any()):
            self.drawn = self.draw(data)

    def draw(self, case: Mapping[str, Any]) -> Any:
        """A cut."""
        self.cut.set_random_state(state=self.R)
        return self.cut.draw(case)
