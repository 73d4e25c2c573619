"""The vault unrolled: outer and inner table as two images over the directions from the head's centre.

A vault is two smooth surfaces around one centre. As radii over directions they are images, in which a
missing piece is a region to paint in: a thousandth of the work that the same head costs as voxels, and
exact to a fraction of a millimetre. The projection is azimuthal and equidistant about the vertex, so
that nowhere on the vault is there a seam. (Ours.)

Maps are (..., V, U): v runs along A, u along R; radii are millimetres from the vault's centre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from CranialReconstructionLib.reconstruction.head_frame import HeadFrame

# A bony gap thinner than this many samples of a ray is diploe, not the end of the bone.
DIPLOE_SAMPLES = 2


@dataclass(frozen=True)
class VaultMap:
    """The projection.

    Attributes:
        size: pixels a side.
        reach: angle from the vertex at the middle of a side, degrees.
        near, far: range of radii that is searched for bone, millimetres.
        step: distance of samples on a ray, millimetres.
    """

    size: int = 160
    reach: float = 115.0
    near: float = 39.0
    far: float = 126.0
    step: float = 1.5

    def directions(self) -> torch.Tensor:
        """Unit vectors (V, U, 3), (R, A, S)."""
        angle = math.radians(self.reach) * (2.0 * (torch.arange(self.size) + 0.5) / self.size - 1.0)
        v, u = torch.meshgrid(angle, angle, indexing="ij")
        polar = torch.hypot(u, v).clamp(1e-6, math.pi)
        flat = torch.sin(polar) / torch.hypot(u, v).clamp_min(1e-6)
        return torch.stack((u * flat, v * flat, torch.cos(polar)), dim=-1)

    def radii(self) -> torch.Tensor:
        """Radii (N,) of the samples of a ray."""
        return torch.arange(self.near, self.far, self.step)

    def rays(self) -> torch.Tensor:
        """Places (N, V, U, 3) of all samples, millimetres from the vault's centre."""
        return self.radii()[:, None, None, None] * self.directions()

    def solid_angles(self) -> torch.Tensor:
        """Solid angle (V, U) of each pixel, steradian."""
        polar = torch.acos(self.directions()[..., 2].clamp(-1.0, 1.0)).clamp_min(1e-6)
        return (2.0 * math.radians(self.reach) / self.size) ** 2 * torch.sin(polar) / polar

    def pixels(self, places: torch.Tensor) -> torch.Tensor:
        """Where ``places`` (..., 3) lie on the map, (..., 2) in [-1, 1] as ``grid_sample`` takes them."""
        flat = torch.linalg.vector_norm(places[..., :2], dim=-1)
        polar = torch.atan2(flat, places[..., 2])
        scale = polar / (math.radians(self.reach) * flat.clamp_min(1e-6))
        return places[..., :2] * scale[..., None]


@dataclass(frozen=True)
class Tables:
    """The two tables of a vault; each (V, U).

    Attributes:
        outer, inner: radius, millimetres; zero where there is no bone.
        present: 1 where the ray meets bone, else 0.
    """

    outer: torch.Tensor
    inner: torch.Tensor
    present: torch.Tensor


def tables_on_rays(occupancy: torch.Tensor, vault: VaultMap) -> Tables:
    """The outermost bone on each ray, from shares of bone (N, V, U) at ``vault.rays()``.

    Surfaces lie where the share crosses one half between two samples.
    """
    order = torch.arange(occupancy.shape[0], dtype=torch.float32)[:, None, None]
    bone = occupancy > 0.5
    present = bone.any(0)
    last = (bone * order).amax(0).long()
    width = 2 * DIPLOE_SAMPLES + 1
    line = bone.to(torch.float32).flatten(1).T[:, None]
    widened = functional.max_pool1d(line, width, 1, DIPLOE_SAMPLES)
    closed = -functional.max_pool1d(-widened, width, 1, DIPLOE_SAMPLES)
    solid = closed[:, 0].T.reshape(bone.shape) > 0.5
    before = ((~solid) * (order < last) * order).amax(0).long()
    outer = _crossing(occupancy, last, vault, rising=False)
    inner = _crossing(occupancy, before, vault, rising=True)
    return Tables(outer * present, torch.minimum(inner, outer - 0.5) * present, present.to(torch.float32))


def unroll(shares: torch.Tensor, frame: HeadFrame, vault: VaultMap, rays: torch.Tensor | None = None) -> Tables:
    """The tables of a head, from shares of bone (K, J, I) that fill the frame's box.

    Args:
        rays: where the vault's rays lie in the box, (N, V, U, 3); as they are without it.
    """
    return tables_on_rays(frame.sample(shares[None], vault.rays() if rays is None else rays)[0], vault)


def _crossing(occupancy: torch.Tensor, index: torch.Tensor, vault: VaultMap, rising: bool) -> torch.Tensor:
    """Radius (V, U) where the share crosses one half between samples ``index`` and the next."""
    following = (index + 1).clamp_max(occupancy.shape[0] - 1)
    here, there = (occupancy.gather(0, which[None])[0] for which in (index, following))
    sign = -1.0 if rising else 1.0
    part = (sign * (here - 0.5) / (sign * (here - there)).clamp_min(1e-3)).clamp(0.0, 1.0)
    return vault.near + (index + part) * vault.step
