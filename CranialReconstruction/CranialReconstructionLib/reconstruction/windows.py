"""The windows through which a network looks at a region that is larger than its input."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch

Corner = tuple[int, int, int]

OVERLAP = 0.3


def window_corners(low: Corner, high: Corner, window: Corner, shape: Corner) -> Iterator[Corner]:
    """Lower corners of windows that cover ``low`` up to ``high`` of a grid of ``shape``, evenly spread.

    Windows stay inside of the grid, so none is padded; they overlap by ``OVERLAP`` or more.
    """
    axes = []
    for start, stop, edge, size in zip(low, high, window, shape, strict=True):
        length = stop - start
        count = 1 if length <= edge else -(-(length - edge) // max(1, int(edge * (1.0 - OVERLAP)))) + 1
        first = start - max(0, edge - length) // 2
        last = max(first, stop - edge)
        step = (last - first) / max(1, count - 1)
        axes.append([min(max(0, round(first + n * step)), size - edge) for n in range(count)])
    yield from itertools.product(*axes)


def blend(look: Callable[[Corner], torch.Tensor], corners: list[Corner], window: Corner, shape: Corner) -> torch.Tensor:
    """Mean (shape) of what ``look`` gives for each window, weighted towards the windows' middles."""
    weight = _bump(window)
    total, weights = torch.zeros(shape), torch.zeros(shape)
    for corner in corners:
        here = tuple(slice(a, a + edge) for a, edge in zip(corner, window, strict=True))
        total[here] += weight * look(corner)
        weights[here] += weight
    return total / weights.clamp_min(1e-6)


def _bump(window: Corner) -> torch.Tensor:
    axes = [torch.exp(-0.5 * (torch.linspace(-1.0, 1.0, edge) / 0.4) ** 2).clamp_min(0.02) for edge in window]
    return axes[0][:, None, None] * axes[1][None, :, None] * axes[2][None, None, :]
