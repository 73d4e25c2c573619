"""Ways from one latent to another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import torch

from CranialReconstructionLib.errors import UserError

Way = Literal["linear", "spherical"]
# Below this sine the two ends point the same way, or opposite ways, and no arc is defined.
_STRAIGHT = 1e-4


def interpolated(first: torch.Tensor, last: torch.Tensor, steps: int, way: Way = "spherical") -> Iterator[torch.Tensor]:
    """``steps`` latents from ``first`` to ``last``, both among them.

    Args:
        first, last: of one shape.
        steps: 2 or more.
        way: "spherical" (default) turns at a steady rate and changes length steadily (White 2016): halfway
            along a straight line between two draws of N(0, I) the norm is 0.71 of theirs, where no case
            that the generator was taught with lies. "linear" is that line.

    Raises:
        UserError: fewer than 2 steps, another way.
    """
    if steps < 2:
        raise UserError(f"there is no way of {steps} steps", where="--steps", remedy="Give 2 or more.")
    if way not in get_args(Way):
        raise UserError(f"way {way!r} is unknown", where="--way", remedy=f"Choose {' or '.join(get_args(Way))}.")
    between = linear if way == "linear" else spherical
    return (between(first, last, step / (steps - 1)) for step in range(steps))


def linear(first: torch.Tensor, last: torch.Tensor, share: float) -> torch.Tensor:
    """The latent at ``share`` (0 to 1) of the straight line."""
    return torch.lerp(first, last, share)


def spherical(first: torch.Tensor, last: torch.Tensor, share: float) -> torch.Tensor:
    """The latent at ``share`` (0 to 1) of the arc, all numbers of a latent taken as one vector.

    Latents that point the same way, or opposite ways, have no arc of their own: the line serves there.
    """
    start, end = (latent.double().flatten() for latent in (first, last))
    lengths = torch.linalg.vector_norm(start), torch.linalg.vector_norm(end)
    if min(lengths) == 0.0:
        return linear(first, last, share)
    start, end = start / lengths[0], end / lengths[1]
    angle = torch.acos((start @ end).clamp(-1.0, 1.0))
    if torch.sin(angle) < _STRAIGHT:
        return linear(first, last, share)
    direction = (torch.sin((1.0 - share) * angle) * start + torch.sin(share * angle) * end) / torch.sin(angle)
    return (torch.lerp(*lengths, share) * direction).reshape(first.shape).to(first.dtype)
