"""Warps from one head towards another: affine, then multi-level instance-optimised displacement (W24).

``MSE(M o u, F) + alpha * diffusion(u)`` is minimised by Adam for a fixed number of iterations a level,
on the device of the images. It ends before the two heads are one: the result lies between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from CranialReconstructionLib.errors import UserError

# The edge, in voxels, of the grid that W24's weights are stated for.
PAPER_EDGE = 256


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


@dataclass(frozen=True)
class RegistrationState:
    """Where a registration stands.

    Attributes:
        iteration: steps done, all levels counted, the affine ones not.
        level: downsampling factor of the images at work.
        mismatch: their mean squared difference before the last step.
        displacement: (3, K, J, I) on the grid of the full images, as ``register`` gives it.
    """

    iteration: int
    level: int
    mismatch: float
    displacement: torch.Tensor


def register(moving: torch.Tensor, fixed: torch.Tensor, schedule: RegistrationSchedule) -> torch.Tensor:
    """Displacement (3, K, J, I) that warps ``moving`` onto ``fixed``, both (K, J, I) shares of bone.

    Its channels run along (I, J, K) in [-1, 1] units of the grid, as ``grid_sample`` takes them:
    ``moving`` at ``place + displacement(place)`` looks like ``fixed`` at ``place``.
    """
    *_, last = registration_states(moving, fixed, schedule)
    return last.displacement


def registration_states(
    moving: torch.Tensor, fixed: torch.Tensor, schedule: RegistrationSchedule, states: int = 1
) -> Iterator[RegistrationState]:
    """The registration as it goes: ``states`` states, evenly over its iterations, the end among them.

    Earlier states lie nearer to ``moving``. What is not asked for any more is not computed.
    """
    total = len(schedule.levels) * schedule.iterations
    wanted = {round(total * (number + 1) / states) for number in range(states)}
    images = torch.stack((moving, fixed))[:, None]
    affine = _register_affine(_at_level(images, schedule.levels[0]), schedule)
    displacement = torch.zeros(1, 3, 1, 1, 1, device=images.device)
    done = 0
    for level in schedule.levels:
        scaled = _at_level(images, level)
        identity = _identity(scaled)
        moved = _affine_places(affine, identity)
        displacement = _resized(displacement, scaled.shape[2:]).requires_grad_()
        optimiser = torch.optim.Adam([displacement], lr=schedule.learning_rate)
        weight = _weight(schedule.alpha, scaled)
        for _ in range(schedule.iterations):
            optimiser.zero_grad()
            mismatch = _mismatch(scaled, moved + displacement[0].movedim(0, -1))
            loss = mismatch + weight * diffusion(displacement[0])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            done += 1
            if done in wanted:
                deformed = _resized(displacement, images.shape[2:])[0]
                full = _identity(images)
                affine_part = (_affine_places(affine, full) - full).movedim(-1, 0)
                yield RegistrationState(done, level, float(mismatch.detach()), affine_part + deformed)


def diffusion(displacement: torch.Tensor) -> torch.Tensor:
    """Mean squared forward difference of a displacement (3, K, J, I) along the three axes."""
    differences = [displacement.diff(dim=axis).square().mean() for axis in (1, 2, 3)]
    return torch.stack(differences).mean()


def alpha_in_voxels(alpha: float, edge: int) -> float:
    """The weight that does to displacements in voxels of ``edge``^3 what ``alpha`` does to those in [-1, 1]
    units: ``alpha * 4 / edge^2`` (0.763 for 12500 at 256)."""
    return alpha * 4.0 / edge**2


def in_voxels(displacement: torch.Tensor) -> torch.Tensor:
    """A displacement (3, K, J, I) in [-1, 1] units, along the same (I, J, K), in voxels."""
    size = torch.tensor(displacement.shape[:0:-1], dtype=displacement.dtype, device=displacement.device)
    return displacement * (size / 2.0)[:, None, None, None]


def folding_fraction(displacement: torch.Tensor) -> float:
    """Share of voxels whose Jacobian determinant is negative, for (3, K, J, I) in [-1, 1] units."""
    voxels = in_voxels(displacement)
    rows = []
    for component, axis in enumerate((2, 1, 0)):
        row = torch.stack([torch.gradient(channel, dim=axis)[0] for channel in voxels])
        row[component] += 1.0
        rows.append(row)
    determinant = (rows[0] * torch.linalg.cross(rows[1], rows[2], dim=0)).sum(0)
    return float((determinant < 0).double().mean())


def _register_affine(images: torch.Tensor, schedule: RegistrationSchedule) -> torch.Tensor:
    """The affine map (3, 4) in [-1, 1] units, at one level."""
    identity = _identity(images)
    affine = torch.eye(3, 4, device=images.device).requires_grad_()
    optimiser = torch.optim.Adam([affine], lr=schedule.learning_rate)
    for _ in range(schedule.affine_iterations):
        optimiser.zero_grad()
        _mismatch(images, _affine_places(affine, identity)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return affine.detach()


def _weight(alpha: float, images: torch.Tensor) -> float:
    """W24's alpha weighs differences between the voxels of a 256^3 grid; on N^3, a difference spans
    256 / N of those and its square is larger by (256 / N)^2."""
    return alpha * (images.shape[-1] / PAPER_EDGE) ** 2


def _at_level(images: torch.Tensor, factor: int) -> torch.Tensor:
    """Images (2, 1, K, J, I) averaged over ``factor`` voxels; the grid's corners stay where they are."""
    if factor == 1:
        return images
    depth, height, width = (max(2, round(size / factor)) for size in images.shape[2:])
    return functional.adaptive_avg_pool3d(images, (depth, height, width))


def _resized(displacement: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """A detached copy of a displacement (1, 3, k, j, i) on ``size`` voxels."""
    field = displacement.detach()
    if field.shape[2:] == size:
        return field.clone()
    return functional.interpolate(field, size=size, mode="trilinear", align_corners=False)


def _identity(images: torch.Tensor) -> torch.Tensor:
    """Places (K, J, I, 3) of the voxels of images (N, 1, K, J, I)."""
    still = torch.eye(3, 4, device=images.device)[None]
    return functional.affine_grid(still, [1, 1, *images.shape[2:]], align_corners=False)[0]


def _affine_places(affine: torch.Tensor, identity: torch.Tensor) -> torch.Tensor:
    return identity @ affine[:, :3].T + affine[:, 3]


def _mismatch(images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    warped = functional.grid_sample(images[:1], places[None], align_corners=False)
    return (warped - images[1:]).square().mean()
