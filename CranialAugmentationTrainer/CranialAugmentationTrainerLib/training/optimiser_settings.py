"""How reconstruction networks are moved; loads no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OptimiserSettings:
    """AdamW with M24's rate and decay; cosine schedule, warm-up and weight averaging are ours.

    Attributes:
        learning_rate: highest rate.
        weight_decay: of AdamW.
        warmup: steps of linear rise.
        average: decay a step of the exponential moving average of the weights that is kept.
        clip: largest gradient norm.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 100
    average: float = 0.998
    clip: float = 12.0
