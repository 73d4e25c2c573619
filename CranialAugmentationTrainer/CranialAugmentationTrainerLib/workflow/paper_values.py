"""Values that papers give for settings of ``cranial train``: where a preset's default comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

K23, W24, M24 = "K23", "W24", "M24"
DANIEL, OORD = "Daniel & Tamar 2021", "van den Oord 2017"
HO, KINGMA = "Ho 2020", "Kingma & Ba 2015"


@dataclass(frozen=True)
class Given:
    """A value that a paper gives, for some methods or, where none is named, for all."""

    paper: str
    value: Any
    methods: tuple[str, ...] = ()


_GANS = ("wgan-gp", "vae-wgan-gp")
_OF_K23 = ("vae", *_GANS, "introvae")

GIVEN: dict[str, tuple[Given, ...]] = {
    "batch": (Given(K23, 8),),
    "settings.network.side": (Given(K23, 128), Given(W24, 256)),
    "settings.network.widths": (Given(K23, (64, 128, 256, 512)),),
    "settings.network.residual_units": (Given(K23, 0),),
    "settings.network.latent_size": (Given(K23, 200), Given(W24, 0)),
    "settings.network.latent_channels": (Given(K23, 0, _OF_K23),),
    "settings.side": (Given(K23, 128), Given(W24, 256)),
    "settings.architecture": (Given(W24, "residual_unet"), Given(K23, "vnet")),
    "settings.optimiser.learning_rate": (
        Given(K23, 0.001, ("vae",)),
        Given(K23, 0.0002, _GANS),
        Given(M24, 0.001, ("reconstruction",)),
    ),
    "settings.optimiser.betas": (
        Given(K23, (0.9, 0.999), ("vae",)),
        Given(K23, (0.5, 0.9), _GANS),
        Given(KINGMA, (0.9, 0.999)),
    ),
    "settings.optimiser.clip": (Given(K23, 0.0, _OF_K23),),
    "settings.optimiser.weight_decay": (Given(M24, 0.01),),
    "settings.vae_optimiser.learning_rate": (Given(K23, 0.001),),
    "settings.vae_optimiser.betas": (Given(K23, (0.9, 0.999)),),
    "settings.vae_optimiser.clip": (Given(K23, 0.0),),
    "settings.separation": (Given(K23, 0.0, _OF_K23),),
    "settings.penalty": (Given(K23, 100.0),),
    "settings.alpha": (Given(K23, 0.25),),
    "settings.beta": (Given(K23, 1.0),),
    "settings.margin": (Given(K23, 10.0),),
    "settings.exponent": (Given(DANIEL, 2.0),),
    "settings.fake_reconstruction": (Given(DANIEL, 1e-08),),
    "settings.critic_steps": (Given(K23, 5),),
    "settings.vae_steps": (Given(K23, 720),),
    "settings.bridge_steps": (Given(K23, 1080),),
    "settings.codebook.commitment": (Given(OORD, 0.25),),
    "settings.codebook.decay": (Given(OORD, 0.99),),
    "settings.prior.optimiser.betas": (Given(KINGMA, (0.9, 0.999)),),
    "settings.denoiser.timesteps": (Given(HO, 1000),),
    "settings.denoiser.schedule": (Given(HO, "linear_beta"),),
    "settings.denoiser.average": (Given(HO, 0.9999),),
    "settings.denoiser.optimiser.betas": (Given(KINGMA, (0.9, 0.999)),),
    "augmentation.registration.alpha": (Given(W24, 12500.0),),
}
