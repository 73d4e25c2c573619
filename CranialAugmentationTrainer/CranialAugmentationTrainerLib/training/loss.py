"""The loss of reconstruction networks."""

from __future__ import annotations

import torch
from torch.nn import functional

SMOOTHING = 50.0


def soft_dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """``1 - 2 |A.B| / (|A|^2 + |B|^2)`` over each case, for logits and shares (B, 1, K, J, I).

    The squared form of W24's soft Dice (V-Net's): it is smallest where the probability equals the
    share of bone, where the plain form would drive the soft border of a surface to 0 or 1.
    """
    probability = torch.sigmoid(logits).flatten(1)
    truth = target.flatten(1)
    both = (probability * truth).sum(1)
    either = probability.square().sum(1) + truth.square().sum(1)
    return (1.0 - (2.0 * both + SMOOTHING) / (either + SMOOTHING)).mean()


def balanced_cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross entropy summed over a case and divided by the size of its defect, so that neither the
    empty rest of the head nor the size of the hole sets its weight (ours)."""
    summed = functional.binary_cross_entropy_with_logits(logits, target, reduction="none").flatten(1).sum(1)
    return (summed / (target.flatten(1).sum(1) + 20.0 * SMOOTHING)).mean()


def reconstruction_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Soft Dice plus balanced cross entropy."""
    return soft_dice_loss(logits, target) + balanced_cross_entropy(logits, target)
