"""Warps from one head towards another: affine, then multi-level instance-optimised displacement (W24).

``MSE(M o u, F) + alpha * diffusion(u)`` is minimised by Adam for a fixed number of iterations a level.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional


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


def register(moving: torch.Tensor, fixed: torch.Tensor, schedule: RegistrationSchedule) -> torch.Tensor:
    """Displacement (3, K, J, I) that warps ``moving`` onto ``fixed``, both (K, J, I) shares of bone.

    Its channels run along (I, J, K) in [-1, 1] units of the grid, as ``grid_sample`` takes them:
    ``moving`` at ``place + displacement(place)`` looks like ``fixed`` at ``place``.
    """
    images = torch.stack((moving, fixed))[:, None]
    coarsest = functional.avg_pool3d(images, schedule.levels[0])
    identity = _identity(coarsest.shape[2:])
    affine = torch.eye(3, 4).requires_grad_()
    optimiser = torch.optim.Adam([affine], lr=schedule.learning_rate)
    for _ in range(schedule.affine_iterations):
        optimiser.zero_grad()
        loss = _mismatch(coarsest, _affine_places(affine, identity))
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    displacement = (_affine_places(affine.detach(), identity) - identity).movedim(-1, 0)
    for level in schedule.levels:
        scaled = functional.avg_pool3d(images, level)
        identity = _identity(scaled.shape[2:])
        displacement = functional.interpolate(
            displacement[None], size=scaled.shape[2:], mode="trilinear", align_corners=False
        )[0]
        affine_part = (_affine_places(affine.detach(), identity) - identity).movedim(-1, 0)
        displacement = displacement.detach().requires_grad_()
        optimiser = torch.optim.Adam([displacement], lr=schedule.learning_rate)
        for _ in range(schedule.iterations):
            optimiser.zero_grad()
            places = identity + displacement.movedim(0, -1)
            loss = _mismatch(scaled, places) + _weight(schedule.alpha, scaled) * diffusion(
                displacement - affine_part
            )
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return displacement.detach()


def diffusion(displacement: torch.Tensor) -> torch.Tensor:
    """Mean squared forward difference of a displacement (3, K, J, I) along the three axes."""
    differences = [displacement.diff(dim=axis).square().mean() for axis in (1, 2, 3)]
    return torch.stack(differences).mean()


def folding_fraction(displacement: torch.Tensor) -> float:
    """Share of voxels whose Jacobian determinant is negative, for (3, K, J, I) in [-1, 1] units."""
    size = torch.tensor(displacement.shape[:0:-1], dtype=displacement.dtype)
    voxels = displacement * (size / 2.0)[:, None, None, None]
    rows = []
    for component, axis in enumerate((3, 2, 1)):
        gradient = torch.stack([torch.gradient(voxels[c], dim=axis - 1)[0] for c in range(3)])
        gradient[component] += 1.0
        rows.append(gradient)
    jacobian = torch.stack(rows).movedim((0, 1), (-1, -2))
    return float((torch.linalg.det(jacobian) < 0).double().mean())


def _weight(alpha: float, images: torch.Tensor) -> float:
    """W24's alpha weighs differences between the voxels of a 256^3 grid; on N^3, a difference spans
    256 / N of those and its square is larger by (256 / N)^2."""
    return alpha * (images.shape[-1] / 256.0) ** 2


def _identity(shape: torch.Size) -> torch.Tensor:
    places = functional.affine_grid(torch.eye(3, 4)[None], [1, 1, *shape], align_corners=False)
    return places[0]


def _affine_places(affine: torch.Tensor, identity: torch.Tensor) -> torch.Tensor:
    return identity @ affine[:, :3].T + affine[:, 3]


def _mismatch(images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    warped = functional.grid_sample(images[:1], places[None], align_corners=False)
    return (warped - images[1:]).square().mean()
