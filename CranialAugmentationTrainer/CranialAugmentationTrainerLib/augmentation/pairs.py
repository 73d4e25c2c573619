"""Which head is warped towards which: ordered pairs without repeats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from CranialReconstructionLib.errors import UserError


def draw_pairs(people: Sequence[str], count: int, seed: int) -> list[tuple[int, int]]:
    """``count`` ordered pairs (moving, fixed) of different people, each pair once.

    Of n cases of n people there are n(n - 1); cases of one person, such as SkullBreak's five defects of
    each skull, are not paired with one another. A larger count begins with the pairs of a smaller one.

    Args:
        people: the person of each case.
        count: how many pairs.
        seed: of the draw.

    Raises:
        UserError: there are not so many pairs.
    """
    pairs = [(a, b) for a, one in enumerate(people) for b, other in enumerate(people) if one != other]
    if count > len(pairs):
        raise UserError(
            f"{len(people)} cases of {len(set(people))} people give {len(pairs)} pairs, not {count}",
            where="the number of pairs",
            remedy="Ask for fewer cases, or add skulls.",
        )
    return [pairs[index] for index in np.random.default_rng(seed).permutation(len(pairs))[:count]]
