"""Diagonal normal distributions of latents: drawing from them, and how far they are from N(0, I)."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Gaussian(NamedTuple):
    """One distribution a case: mean and logarithm of the variance, each (B, *latent_shape)."""

    mean: torch.Tensor
    log_variance: torch.Tensor

    def at(self, noise: torch.Tensor) -> torch.Tensor:
        """The reparametrised draw ``mean + deviation * noise`` for noise from N(0, I)."""
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def divergence(self) -> torch.Tensor:
        """``KL(q || N(0, I))`` (B,), nats, summed over the latent's numbers."""
        terms = self.mean.square() + self.log_variance.exp() - self.log_variance - 1.0
        return 0.5 * terms.flatten(1).sum(1)

    def active(self, threshold: float = 0.01) -> torch.Tensor:
        """Share of the latent's numbers whose KL exceeds ``threshold`` nats on average over the cases."""
        terms = self.mean.square() + self.log_variance.exp() - self.log_variance - 1.0
        return (0.5 * terms.mean(0) > threshold).float().mean()
