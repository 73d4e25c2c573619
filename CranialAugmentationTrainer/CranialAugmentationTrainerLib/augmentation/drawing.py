"""Seeds of single items: item 1234 can be made alone, by any worker, and is what it is in the whole run."""

from __future__ import annotations

import numpy as np


def item_seed(*numbers: int) -> int:
    """A seed below 2^32 for a run's seed, an epoch, an item ...; alike numbers give unlike seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
