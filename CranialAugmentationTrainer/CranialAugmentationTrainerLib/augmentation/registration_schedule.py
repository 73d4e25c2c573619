"""How a pair of heads is registered, and W24's weights by name; loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from CranialReconstructionLib.errors import UserError


@dataclass(frozen=True)
class RegistrationSchedule:
    """How a pair is registered.

    Attributes:
        alpha: weight of the diffusion term for displacements in [-1, 1] units (W24: best 12500).
        levels: downsampling factors of the images, coarse to fine.
        iterations: Adam steps a level (a workable schedule of REFERENCE section 4: 50).
        affine_iterations: Adam steps of the affine stage, on the coarsest level.
        learning_rate: of Adam, in [-1, 1] units.
    """

    alpha: float = 12500.0
    levels: tuple[int, ...] = (4, 2, 1)
    iterations: int = 50
    affine_iterations: int = 60
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        problems = [
            (self.alpha < 0, "alpha must not be below zero"),
            (not self.levels or min(self.levels) < 1, "levels must be factors of 1 and more"),
            (list(self.levels) != sorted(self.levels, reverse=True), "levels must go from coarse to fine"),
            (self.iterations < 1 or self.affine_iterations < 0, "iterations must be above zero"),
            (self.learning_rate <= 0, "learning_rate must be above zero"),
        ]
        for wrong, sentence in problems:
            if wrong:
                raise UserError(sentence, where="registration", remedy="Correct the schedule.")


# W24's five weights, with the four levels of REFERENCE section 4; the smoothest field is the last.
ALPHAS = (6250.0, 12500.0, 25000.0, 50000.0, 100000.0)
REGISTRATION_PRESETS = {
    f"alpha-{alpha:.0f}": RegistrationSchedule(alpha, levels=(8, 4, 2, 1), iterations=50) for alpha in ALPHAS
}
