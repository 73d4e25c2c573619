"""The autoencoder that VQVAE and LDM-VQVAE share, with the VAE's encoder and decoder (W24)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from CranialAugmentationTrainerLib.generators.codebook import Codebook
from CranialAugmentationTrainerLib.generators.decoder import Decoder
from CranialAugmentationTrainerLib.generators.encoder import Encoder
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.overlap import dice_loss, separation_loss
from CranialAugmentationTrainerLib.generators.parameters import CodebookSettings, NetworkSettings


class QuantisedNetwork(nn.Module):
    """Encoder, codebook, decoder.

    MONAI's latent diffusion asks for the two methods named after its stages: it works on the encoder's
    features, and what it makes is rounded to codes.
    """

    def __init__(self, sizes: NetworkSettings, codebook: CodebookSettings) -> None:
        super().__init__()
        self.encoder = Encoder(sizes, parts=1)
        self.codebook = Codebook(codebook, sizes.latent_channels)
        self.decoder = Decoder(sizes)

    def features(self, cases: torch.Tensor) -> torch.Tensor:
        """The encoder's features (B, C, k, j, i)."""
        (features,) = self.encoder(cases)
        return features

    def indices(self, cases: torch.Tensor) -> torch.Tensor:
        """Indices (B, k, j, i) of the codes that stand for cases."""
        return self.codebook.indices(self.features(cases))

    def cases(self, indices: torch.Tensor) -> torch.Tensor:
        """Cases (B, 2, K, J, I) of codes."""
        cases: torch.Tensor = self.decoder(self.codebook.codes(indices))
        return cases

    def encode_stage_2_inputs(self, cases: torch.Tensor) -> torch.Tensor:
        """The features, not yet rounded."""
        return self.features(cases)

    def decode_stage_2_outputs(self, latent: torch.Tensor) -> torch.Tensor:
        """Cases of features that are rounded first."""
        return self.cases(self.codebook.indices(latent))

    def reconstruction(self, cases: torch.Tensor) -> torch.Tensor:
        """Cases as the autoencoder gives them back."""
        return self.cases(self.indices(cases))


def vqvae_terms(
    network: QuantisedNetwork, cases: torch.Tensor, noise: Noise, separation: float
) -> dict[str, torch.Tensor]:
    """``Dice + beta*commit + delta*dictionary - gamma*Dice(ch1, ch2)`` (W24) as ``loss``, and its terms.

    ``commitment`` holds its weight beta. The dictionary term moves each code towards the mean of what
    chose it; the codebook's moving averages do that in closed form, so delta weighs nothing here
    (van den Oord et al. 2017, appendix A.1).
    """
    quantized, commitment, _ = network.codebook.learn(network.features(cases), noise)
    found = network.decoder(quantized)
    terms = {
        "dice_loss": dice_loss(found, cases).mean(),
        "commitment": commitment,
        "separation": separation_loss(found).mean(),
    }
    return {"loss": terms["dice_loss"] + commitment + separation * terms["separation"], **terms}


def codebook_figures(codebook: Codebook) -> dict[str, float]:
    """How much of the codebook is in use, once it has begun to learn."""
    if not bool(codebook.started):
        return {}
    return {"codes_in_use": codebook.in_use(), "perplexity": codebook.perplexity()}


def codebook_concerns(seen: Mapping[str, float]) -> list[str]:
    """Codes that nothing uses, and a use that carries nothing, told by ``codebook_figures``."""
    found = []
    if seen.get("codes_in_use", 1.0) < 0.5:
        found.append(f"only {seen['codes_in_use']:.0%} of the codebook's codes are in use: fewer codes would do")
    if seen.get("perplexity", 2.0) < 2.0:
        found.append(f"the codebook has collapsed: its perplexity is {seen['perplexity']:.2f}")
    return found
