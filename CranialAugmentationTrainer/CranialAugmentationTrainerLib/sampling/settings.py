"""Which latents are drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from CranialReconstructionLib.errors import UserError

Strategy = Literal["sd", "ud", "uds"]
Form = Literal["quantile", "literal"]


@dataclass(frozen=True)
class SamplingSettings:
    """How latents are drawn; with an index, all that makes a latent.

    Attributes:
        strategy: W24's "sd" (standard normal), "ud" (uniform), "uds" (uniform deterministic).
        seed: two seeds give two sets; "uds" scrambles its points with it.
        form: of "uds". "literal" divides the ball of radius ``reach`` evenly, as W24 says. "quantile"
            puts evenly spread probabilities through the inverse normal, truncated at +-``reach``, and
            is the default (ours): a generator was taught with N(0, I), whose norm in 200 dimensions is
            14.1 +- 0.7, so that a ball of radius 3 holds nothing that it has ever seen, and what it
            makes there is nearly one skull. The quantile form has the norms of the teaching and still
            covers each dimension more evenly than chance does.
        reach: standard deviations; W24: 3.
        half_width: "ud" is uniform within +- this. The paper names no range: the square root of 3 (ours)
            has the variance of N(0, 1), and so its norms too.
        count: into how many the ball of the literal form is divided; it alone needs it.
    """

    strategy: Strategy = "sd"
    seed: int = 0
    form: Form = "quantile"
    reach: float = 3.0
    half_width: float = math.sqrt(3.0)
    count: int = 0

    def __post_init__(self) -> None:
        if self.strategy not in get_args(Strategy):
            raise _refusal(f"sampling {self.strategy!r} is unknown", f"Choose one of {_choice(Strategy)}.")
        if self.form not in get_args(Form):
            raise _refusal(f"form {self.form!r} is unknown", f"Choose one of {_choice(Form)}.")
        if self.seed < 0:
            raise _refusal(f"seed {self.seed} is negative", "Give a whole number, 0 or more.")
        if not self.reach > 0.0 or not self.half_width > 0.0:
            raise _refusal("the reach of the samples is not above 0", "Give standard deviations, 3 for example.")
        if self.literal and self.count < 1:
            raise _refusal("the literal form divides a ball into no samples", "Give the number of samples.")

    @property
    def literal(self) -> bool:
        """Whether the ball is divided, so that a latent depends on ``count``."""
        return self.strategy == "uds" and self.form == "literal"


def _choice(kind: object) -> str:
    return ", ".join(get_args(kind))


def _refusal(problem: str, remedy: str) -> UserError:
    return UserError(problem, where="sampling", remedy=remedy)
