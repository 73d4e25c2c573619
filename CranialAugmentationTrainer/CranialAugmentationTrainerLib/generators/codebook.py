"""The codebook of the VQVAE: MONAI's moving averages, started from the data and kept in use (ours)."""

from __future__ import annotations

import torch
from monai.networks.layers.vector_quantizer import EMAQuantizer
from torch import distributed, nn

from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.parameters import CodebookSettings


class Codebook(nn.Module):
    """Codes (codes, C) that features (B, C, k, j, i) are rounded to.

    MONAI's quantizer divides by how often a code was chosen, starting from never: whatever the first
    batch does not choose is thrown far away and never chosen again. So the codes start on features of
    the first batch, and one that nothing chose for ``patience`` batches starts anew on another feature.
    """

    idle: torch.Tensor
    started: torch.Tensor

    def __init__(self, settings: CodebookSettings, channels: int) -> None:
        super().__init__()
        self.settings = settings
        self.quantizer = EMAQuantizer(
            3, settings.codes, channels, commitment_cost=settings.commitment, decay=settings.decay
        )
        self.register_buffer("idle", torch.zeros(settings.codes, dtype=torch.int64))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def learn(self, features: torch.Tensor, noise: Noise) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Round features and move the codes towards them.

        Returns:
            The codes (B, C, k, j, i) with the features' gradient (straight through), the commitment
            loss ``beta * |features - ng(code)|^2`` (mean over numbers), the codes' indices (B, k, j, i).
        """
        flat = features.detach().movedim(1, -1).flatten(0, -2).float()
        if not bool(self.started):
            self._place(torch.ones_like(self.idle, dtype=torch.bool), flat, noise)
            self.started.fill_(True)
        self.quantizer.train()
        quantized, commitment, indices = self.quantizer(features)
        self.idle += 1
        self.idle[indices.unique()] = 0
        lost = self.idle >= self.settings.patience
        if bool(lost.any()):
            self._place(lost, flat, noise)
        return quantized, commitment, indices

    def indices(self, features: torch.Tensor) -> torch.Tensor:
        """The nearest codes' indices (B, k, j, i)."""
        indices: torch.Tensor = self.quantizer.quantize(features)[2]
        return indices

    def codes(self, indices: torch.Tensor) -> torch.Tensor:
        """Codes (B, C, k, j, i) of indices (B, k, j, i)."""
        codes: torch.Tensor = self.quantizer.embed(indices)
        return codes

    def in_use(self) -> float:
        """Share of the codes that were chosen within the last ``patience`` batches but for starting anew.

        A code that starts anew counts as unused until something chooses it.
        """
        return float((self.idle < self.settings.patience).float().mean())

    def perplexity(self) -> float:
        """2 to the entropy of the codes' use: how many codes equally used would carry as much."""
        share = self.quantizer.ema_cluster_size / self.quantizer.ema_cluster_size.sum().clamp_min(1e-9)
        return float(torch.exp(-(share * share.clamp_min(1e-9).log()).sum()))

    def _place(self, which: torch.Tensor, features: torch.Tensor, noise: Noise) -> None:
        """Put the codes that ``which`` (codes,) marks onto random ones of ``features`` (N, C)."""
        kept = self.quantizer
        chosen = features[noise.integers(len(features), int(which.sum()))]
        # Apart from each other, where one feature is drawn twice.
        spread = 1e-3 * features.std() * noise.normal(*chosen.shape)
        kept.embedding.weight[which] = chosen + spread
        kept.ema_cluster_size[which] = 1.0
        kept.ema_w[which] = kept.embedding.weight[which]
        if distributed.is_initialized():
            for tensor in (kept.embedding.weight.data, kept.ema_cluster_size, kept.ema_w):
                distributed.broadcast(tensor, 0)
