"""What vaults look like: the mean of the two tables and the modes in which they vary (ours).

From the part of a vault that is there, the likeliest whole vault follows in closed form: a Gaussian
conditional. It knows how a forehead goes with an occiput, which no continuation of a rim can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from CranialReconstructionLib.reconstruction.vault_map import Tables, VaultMap

# Sine of the elevation below which there is no vault.
LOWEST = -0.25
# Pixels of the map a pixel of the model, along each side.
COARSENESS = 2
# What the modes cannot say is alike in neighbouring pixels, so that a pixel counts as less than one.
CORRELATED_PIXELS = 256.0
_TENSORS = ("mean", "modes", "variance", "reference")


@dataclass(frozen=True)
class ShapeModel:
    """Gaussian model of outer table and thickness over the pixels of the vault.

    Attributes:
        mean: (2 P,), millimetres, of the outer table and of the thickness at P pixels.
        modes: (Q, 2 P), millimetres, each as long as its standard deviation.
        variance: (2,), square millimetres, what the modes leave of the outer table and the thickness.
        reference: (V, U) of ``POSE_MAP``, millimetres, the mean outer table onto which heads are turned.
    """

    mean: torch.Tensor
    modes: torch.Tensor
    variance: torch.Tensor
    reference: torch.Tensor

    def expected(
        self, outer: torch.Tensor, thickness: torch.Tensor, trusted: torch.Tensor, vault: VaultMap
    ) -> torch.Tensor:
        """The likeliest outer table and thickness (2, V, U), millimetres, given the ``trusted`` pixels.

        Args:
            outer, thickness: (V, U), millimetres; what they hold where not trusted does not matter.
            trusted: (V, U), 1 where both are known.
        """
        region = vault_region(vault)
        known = (_coarser(trusted) > 0.99)[region].float().repeat(2)
        values = torch.cat([_coarser(image * trusted)[region] for image in (outer, thickness)])
        noise = self.variance.repeat_interleave(len(values) // 2) * CORRELATED_PIXELS
        weighted = self.modes * (known / noise)
        precision = weighted @ self.modes.T + torch.eye(len(self.modes))
        amounts = torch.linalg.solve(precision, weighted @ (values - self.mean))
        image = torch.zeros(2, *region.shape)
        image[:, region] = (self.mean + amounts @ self.modes).reshape(2, -1)
        return functional.interpolate(image[None], size=outer.shape, mode="bilinear", align_corners=False)[0]

    def tensors(self) -> dict[str, torch.Tensor]:
        """All of it, for a file."""
        return {name: getattr(self, name) for name in _TENSORS}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> ShapeModel:
        """The model that ``tensors`` gave; ``KeyError`` where one is missing."""
        return cls(*(tensors[name].to(torch.float32) for name in _TENSORS))


def fit_shape_model(vaults: Sequence[Tables], vault: VaultMap, modes: int, reference: torch.Tensor) -> ShapeModel:
    """Principal components of whole vaults, turned onto ``reference``; at most as many ``modes`` as there
    are vaults less one."""
    region = vault_region(vault)
    rows = torch.stack([_row(tables, region) for tables in vaults])
    mean = rows.mean(0)
    centred = rows - mean
    count = min(modes, len(rows) - 1)
    torch.manual_seed(0)
    _, lengths, axes = torch.pca_lowrank(centred, q=count, center=False, niter=4)
    left = (centred - (centred @ axes) @ axes.T).reshape(len(rows), 2, -1)
    variance = left.square().mean((0, 2)).clamp_min(0.01)
    return ShapeModel(mean, (axes * (lengths / (len(rows) - 1) ** 0.5)).T.contiguous(), variance, reference)


def vault_region(vault: VaultMap) -> torch.Tensor:
    """The model's pixels that look at the vault (v, u), true or false."""
    return _coarser(vault.directions()[..., 2]) > LOWEST


def _row(tables: Tables, region: torch.Tensor) -> torch.Tensor:
    present = tables.present.float()
    share = _coarser(present).clamp_min(1e-3)
    images = (tables.outer.float(), (tables.outer - tables.inner).float())
    means = [_coarser(image * present) / share for image in images]
    middles = [image[share > 0.5].mean() for image in means]
    filled = [torch.where(share > 0.5, image, middle) for image, middle in zip(means, middles, strict=True)]
    return torch.cat([image[region] for image in filled])


def _coarser(image: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(image[None, None].float(), COARSENESS)[0, 0]
