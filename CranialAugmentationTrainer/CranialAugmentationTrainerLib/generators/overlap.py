"""Soft Dice between cases, and W24's separation of their two channels."""

from __future__ import annotations

import torch

from CranialAugmentationTrainerLib.generators.case_tensor import DEFECT, SKULL

EPSILON = 1e-5


def soft_dice(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """``2 |A.B| / (|A| + |B| + eps)`` (W24) over the last three axes of shares (..., K, J, I)."""
    both = (first * second).sum((-3, -2, -1))
    return 2.0 * both / (first.sum((-3, -2, -1)) + second.sum((-3, -2, -1)) + EPSILON)


def difference(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """``|A - B|^2 / (|A|^2 + |B|^2)`` over the last three axes of shares (..., K, J, I): ``1 - Dice`` of
    masks, and 0 for equal shares, which soft Dice is not."""
    apart = (first - second).square().sum((-3, -2, -1))
    return apart / (first.square().sum((-3, -2, -1)) + second.square().sum((-3, -2, -1)) + EPSILON)


def dice_loss(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """``1 - Dice`` (B,) of cases (B, 2, K, J, I), the mean of their channels, so that the defect, a
    tenth of the skull, weighs as much as that (ours)."""
    return 1.0 - soft_dice(found, wanted).mean(1)


def separation_loss(cases: torch.Tensor) -> torch.Tensor:
    """``-Dice(ch1, ch2)`` of W24 (B,) for cases (B, 2, K, J, I), where Dice is the Dice *loss*.

    Subtracting that loss asks for the largest one: -1 where skull and defect have no voxel in common,
    0 where they are the same.
    """
    return soft_dice(cases[:, SKULL], cases[:, DEFECT]) - 1.0
