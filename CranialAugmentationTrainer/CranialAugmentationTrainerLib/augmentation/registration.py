"""Warps from one head towards another: affine, then multi-level instance-optimised displacement (W24).

``MSE(M o u, F) + alpha * diffusion(u)`` is minimised by Adam for a fixed number of iterations a level,
on the device of the images. It ends before the two heads are one: the result lies between them.

Only the part of the grid that holds bone is worked on; beyond it a displacement goes on as it is at the
part's border, which costs neither term anything. (Ours; three of five voxels are saved.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from CranialAugmentationTrainerLib.augmentation.registration_schedule import RegistrationSchedule
from CranialReconstructionLib.errors import UserError

# The edge, in voxels, of the grid that W24's weights are stated for.
PAPER_EDGE = 256
# How far beyond the bone a displacement is optimised, as a share of the grid's edge.
MARGIN = 1 / 16

Window = tuple[slice, slice, slice]


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

    Raises:
        UserError: there are fewer iterations than states.
    """
    total = len(schedule.levels) * schedule.iterations
    if not 1 <= states <= total:
        raise UserError(
            f"{total} iterations have no {states} states",
            where="registration",
            remedy=f"Ask for 1 to {total} states.",
        )
    wanted = {round(total * (number + 1) / states) for number in range(states)}
    images = torch.stack((moving, fixed))[:, None]
    affine = _register_affine(_at_level(images, schedule.levels[0]), schedule)
    displacement = torch.zeros(1, 3, 1, 1, 1, device=images.device)
    done = 0
    for level in schedule.levels:
        scaled = _at_level(images, level)
        moved = _affine_places(affine, _identity(scaled))
        window = _window(scaled, moved)
        within = moved[window]
        start = _resized(displacement, scaled.shape[2:])[0].movedim(0, -1)
        # Its last axis is along (I, J, K), as that of places is.
        shift = start[window].contiguous().requires_grad_()
        optimiser = torch.optim.Adam([shift], lr=schedule.learning_rate, fused=True)
        weight = _weight(schedule.alpha, scaled)
        for _ in range(schedule.iterations):
            optimiser.zero_grad()
            mismatch = _mismatch(scaled, within + shift, window)
            mismatch.backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                add_diffusion_gradient(shift.grad, shift, weight, start.shape)
            optimiser.step()
            done += 1
            if done in wanted:
                full = _identity(images)
                affine_part = (_affine_places(affine, full) - full).movedim(-1, 0)
                deformed = _resized(_beyond(shift, window, start.shape), images.shape[2:])[0]
                yield RegistrationState(done, level, float(mismatch.detach()), affine_part + deformed)
        displacement = _beyond(shift, window, start.shape)


def diffusion(displacement: torch.Tensor) -> torch.Tensor:
    """Mean squared forward difference of a displacement (3, K, J, I) along the three axes."""
    differences = [displacement.diff(dim=axis).square().mean() for axis in (1, 2, 3)]
    return torch.stack(differences).mean()


def add_diffusion_gradient(
    gradient: torch.Tensor | None, displacement: torch.Tensor, weight: float, full: Sequence[int]
) -> None:
    """Add that of ``weight * diffusion`` to ``gradient``; both (k, j, i, 3), a part of a grid ``full`` (K, J, I,
    3) on which the displacement goes on unchanged. (Autograd takes five times as long.)"""
    if gradient is None:
        raise TypeError("there is no gradient to add to")
    for axis in range(3):
        count = math.prod(full) * (full[axis] - 1) / full[axis]
        force = displacement.diff(dim=axis).mul_(2.0 * weight / (3.0 * count))
        gradient.narrow(axis, 1, force.shape[axis]).add_(force)
        gradient.narrow(axis, 0, force.shape[axis]).sub_(force)


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
    return float((jacobian_determinant(displacement) < 0).double().mean())


def jacobian_determinant(displacement: torch.Tensor) -> torch.Tensor:
    """Local volume (K, J, I) of the moving head in the warped one, for (3, K, J, I) in [-1, 1] units: 1 unchanged,
    below 0 folded over."""
    voxels = in_voxels(displacement)
    rows = []
    for component, axis in enumerate((2, 1, 0)):
        row = torch.stack([torch.gradient(channel, dim=axis)[0] for channel in voxels])
        row[component] += 1.0
        rows.append(row)
    return (rows[0] * torch.linalg.cross(rows[1], rows[2], dim=0)).sum(0)


def _register_affine(images: torch.Tensor, schedule: RegistrationSchedule) -> torch.Tensor:
    """The affine map (3, 4) in [-1, 1] units, at one level."""
    identity, whole = _identity(images), (slice(None), slice(None), slice(None))
    affine = torch.eye(3, 4, device=images.device).requires_grad_()
    optimiser = torch.optim.Adam([affine], lr=schedule.learning_rate)
    for _ in range(schedule.affine_iterations):
        optimiser.zero_grad()
        _mismatch(images, _affine_places(affine, identity), whole).backward()  # type: ignore[no-untyped-call]
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


def _mismatch(images: torch.Tensor, places: torch.Tensor, window: Window) -> torch.Tensor:
    """Mean squared difference over the whole grid; beyond the window both images are empty."""
    warped = functional.grid_sample(images[:1], places[None], align_corners=False)
    return (warped[0, 0] - images[1, 0][window]).square().sum() / images[1].numel()


def _window(images: torch.Tensor, places: torch.Tensor) -> Window:
    """The part of the grid that holds the fixed bone or the moving one at ``places``, and a margin."""
    warped = functional.grid_sample(images[:1], places[None], align_corners=False)
    bone = (warped[0, 0] + images[1, 0]) > 0.0
    slices = []
    for axis, size in enumerate(bone.shape):
        found = bone.any(dim=[other for other in range(3) if other != axis]).nonzero()[:, 0]
        margin = math.ceil(MARGIN * size)
        low, high = (int(found[0]), int(found[-1]) + 1) if len(found) else (0, size)
        slices.append(slice(max(0, low - margin), min(size, high + margin)))
    return slices[0], slices[1], slices[2]


def _beyond(displacement: torch.Tensor, window: Window, full: Sequence[int]) -> torch.Tensor:
    """A detached displacement (k, j, i, 3) of a window, carried on over the full grid: (1, 3, K, J, I)."""
    sides = [(part.start, size - part.stop) for part, size in zip(window, full, strict=False)]
    padding = [width for side in reversed(sides) for width in side]
    return functional.pad(displacement.detach().movedim(-1, 0)[None], padding, mode="replicate")
