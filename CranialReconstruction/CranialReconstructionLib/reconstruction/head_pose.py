"""How a head is turned and shifted, so that every vault is unrolled alike.

Patients lie with the chin up or down, by ten degrees and more. Turned onto a reference, skulls differ
by their shape alone: fewer modes say more, and the two sides of the map mirror each other. (Ours: the
robust rigid fit of the outer table to the mean one.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy import ndimage
from torch.nn import functional

from CranialReconstructionLib.reconstruction.head_frame import HeadFrame
from CranialReconstructionLib.reconstruction.vault_map import Tables, VaultMap, unroll

# Enough for a pose, at a quarter of the work of the map that the network sees.
POSE_MAP = VaultMap(size=80)
# Sine of the elevation about which pixels fade out: below lie face and base, which scans cut off.
_LOWEST, _FADE = -0.35, 0.1
# Millimetres at which a pixel's misfit starts to count as something other than the vault.
_OUTLIER = 4.0
# Pixels next to a hole, whose rim may be oblique.
_RIM = 3
# One unit of each unknown: radians of turning, millimetres of shifting, share of size.
_UNITS = (0.01, 0.01, 0.01, 1.0, 1.0, 1.0, 0.01)
_ITERATIONS = 15
_SETTLED = 0.02
# Farther than this (units) the fit has lost the vault: some 34 degrees, 40 mm, half the size.
_FARTHEST = 60.0, 40.0, 50.0


@dataclass(frozen=True)
class HeadPose:
    """From the vault's own frame, which the map unrolls, to the head box; millimetres, (R, A, S).

    Attributes:
        rotation: (3, 3).
        shift: (3,).
    """

    rotation: torch.Tensor
    shift: torch.Tensor

    def to_box(self, places: torch.Tensor) -> torch.Tensor:
        """Places (..., 3) of the vault's frame in the box."""
        return places @ self.rotation.T + self.shift

    def to_vault(self, places: torch.Tensor) -> torch.Tensor:
        """Places (..., 3) of the box in the vault's frame."""
        return (places - self.shift) @ self.rotation


UPRIGHT = HeadPose(torch.eye(3), torch.zeros(3))


def find_pose(shares: torch.Tensor, frame: HeadFrame, reference: torch.Tensor) -> HeadPose:
    """The pose of a head whose shares of bone (K, J, I) fill the frame's box; see ``fit_pose``."""
    return fit_pose(unroll(shares, frame, POSE_MAP), reference, POSE_MAP)


def fit_pose(tables: Tables, reference: torch.Tensor, vault: VaultMap) -> HeadPose:
    """The pose in which the outer table comes closest to ``reference`` (V, U), millimetres.

    Gauss-Newton with Geman and McClure's weights. The size is fitted too, so that a small head is not
    tilted to look larger, and left as it is. A head that does not come to rest stays ``UPRIGHT``.
    """
    places, weight = _bone(tables, vault)
    if len(places) < 100:
        return UPRIGHT
    units = torch.tensor(_UNITS)

    def misfit(unknowns: torch.Tensor) -> torch.Tensor:
        moved = (places - unknowns[3:6]) @ _turn(unknowns[:3]).T * torch.exp(unknowns[6])
        pixels = vault.pixels(moved)[None, None]
        radii = functional.grid_sample(reference[None, None], pixels, align_corners=False, padding_mode="border")
        return torch.linalg.vector_norm(moved, dim=-1) - radii[0, 0, 0]

    unknowns = torch.zeros(7)
    for _ in range(_ITERATIONS):
        residual = misfit(unknowns)
        steps = 0.5 * units * torch.eye(7)
        jacobian = torch.stack([misfit(unknowns + step) - misfit(unknowns - step) for step in steps], dim=1)
        weighted = jacobian * (weight / (1.0 + (residual / _OUTLIER).square()).square())[:, None]
        normal = weighted.T @ jacobian
        # A cap of bone slides on a sphere: a little stiffness keeps what it does not tell at rest.
        stiff = normal + 1e-4 * normal.diagonal().mean() * torch.eye(7)
        change = torch.linalg.solve(stiff, weighted.T @ residual)
        unknowns = unknowns - units * change
        far = (unknowns / units).abs()
        if not bool(torch.isfinite(far).all()) or any(
            float(part.max()) > limit for part, limit in zip(far.split((3, 3, 1)), _FARTHEST, strict=True)
        ):
            return UPRIGHT
        if float(change.abs().max()) < _SETTLED:
            break
    return HeadPose(_turn(unknowns[:3]).T, unknowns[3:6])


def mean_outer_table(vaults: list[Tables]) -> torch.Tensor:
    """The mean outer table (V, U), millimetres, of vaults and their mirror images; a reference for poses."""
    outer, present = (
        torch.stack([getattr(tables, name).float() for tables in vaults]) for name in ("outer", "present")
    )
    there = present.sum(0) + present.sum(0).flip(-1)
    total = (outer * present).sum(0)
    mean = (total + total.flip(-1)) / there.clamp_min(1.0)
    common = there > len(vaults)
    return torch.where(common, mean, mean[common].mean())


def _bone(tables: Tables, vault: VaultMap) -> tuple[torch.Tensor, torch.Tensor]:
    """Places (N, 3) of the outer table away from holes, and their weights (N,): area, fading downwards."""
    trusted = torch.from_numpy(ndimage.binary_erosion(tables.present.numpy() > 0.5, iterations=_RIM, border_value=1))
    directions = vault.directions()
    elevation = directions[..., 2].clamp(-1.0, 1.0)
    polar = torch.acos(elevation).clamp_min(1e-3)
    weight = torch.sigmoid((elevation - _LOWEST) / _FADE) * torch.sin(polar) / polar
    trusted &= weight > 0.01
    return (tables.outer[..., None] * directions)[trusted], weight[trusted]


def _turn(vector: torch.Tensor) -> torch.Tensor:
    """The rotation (3, 3) about ``vector`` (3,) by its length, radians."""
    x, y, z = vector.tolist()
    return torch.matrix_exp(torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]))
