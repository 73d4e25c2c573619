"""The gradient penalty of WGAN-GP (Gulrajani et al. 2017, eq. 3; K23, W24)."""

from __future__ import annotations

from collections.abc import Callable

import torch


def gradient_penalty(
    critic: Callable[[torch.Tensor], torch.Tensor], real: torch.Tensor, fake: torch.Tensor, mixing: torch.Tensor
) -> torch.Tensor:
    """``E[(|grad D(x)| - 1)^2]`` at ``x = mixing * real + (1 - mixing) * fake``.

    In full precision whatever the training's: the square of a half-precision norm overflows.

    Args:
        critic: a score (B,) for cases (B, 2, K, J, I).
        real, fake: cases.
        mixing: one weight a case (B,), uniform on [0, 1].
    """
    with torch.autocast(real.device.type, enabled=False):
        weight = mixing[:, None, None, None, None]
        mixed = (weight * real.float() + (1.0 - weight) * fake.float()).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
        return (gradient.flatten(1).norm(dim=1) - 1.0).square().mean()
