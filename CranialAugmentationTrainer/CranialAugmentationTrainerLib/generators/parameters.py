"""What each method is told, validated where it enters.

Values of K23 (ICCVW 2023) and W24 (arXiv 2406.06372) are named; every other default is ours. All of
these weigh a soft Dice loss, which lies in [0, 1], against Kullback-Leibler terms in nats a case.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from CranialReconstructionLib.errors import UserError


def refuse(problems: Iterable[tuple[bool, str]]) -> None:
    """Raise ``UserError`` for the first problem that there is."""
    for wrong, sentence in problems:
        if wrong:
            raise UserError(sentence, where="generator settings", remedy="Correct it in the configuration.")


@dataclass(frozen=True)
class NetworkSettings:
    """Encoder, decoder, generator and critic: one halving, or doubling, of the grid a width.

    Attributes:
        side: voxels along each edge of the cubic grid (K23: 128, W24: 256).
        widths: channels after each halving (K23: 64, 128, 256, 512).
        residual_units: residual units after each halving (K23: none).
        groups: of the group norm; divides every width.
        latent_size: numbers of a flat latent (K23: 200); 0 for a volumetric one.
        latent_channels: channels of a volumetric latent (W24), on the grid after the last halving.
    """

    side: int = 128
    widths: tuple[int, ...] = (64, 128, 256, 512)
    residual_units: int = 0
    groups: int = 8
    latent_size: int = 200
    latent_channels: int = 0

    def __post_init__(self) -> None:
        refuse(
            (
                (not self.widths, "widths must hold at least one number"),
                (self.side < 1 or self.side % 2 ** len(self.widths) != 0, "every width must halve side evenly"),
                (self.groups < 1 or any(width % self.groups for width in self.widths), "groups must divide widths"),
                (self.residual_units < 0, "residual_units must not be negative"),
                (
                    (self.latent_size > 0) == (self.latent_channels > 0),
                    "either latent_size (flat) or latent_channels (volumetric) must be above zero",
                ),
            )
        )

    @property
    def base(self) -> int:
        """Voxels along each edge after the last halving."""
        return self.side >> len(self.widths)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(size,) or (C, k, j, i)."""
        return (self.latent_size,) if self.latent_size else (self.latent_channels, *(self.base,) * 3)


@dataclass(frozen=True)
class AdamSettings:
    """Adam, and the norm that gradients are clipped to (0: not at all, as in the papers)."""

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 0.0

    def __post_init__(self) -> None:
        refuse(
            (
                (self.learning_rate <= 0, "learning_rate must be above zero"),
                (len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas), "betas must be two, in [0, 1)"),
                (self.clip < 0, "clip must not be negative"),
            )
        )


def adversarial_adam() -> AdamSettings:
    """K23's Adam of WGAN-GP."""
    return AdamSettings(learning_rate=2e-4, betas=(0.5, 0.9))


@dataclass(frozen=True, kw_only=True)
class MethodSettings:
    """What every method has.

    Attributes:
        network: sizes.
        optimiser: of the autoencoder, or of the generator and its critic.
        separation: weight gamma of W24's channel separation (K23: none).
        seed: of the noise that training draws.
    """

    network: NetworkSettings = field(default_factory=NetworkSettings)
    optimiser: AdamSettings = field(default_factory=AdamSettings)
    separation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        refuse(((self.separation < 0, "separation must not be negative"), (self.seed < 0, "seed must not be negative")))


@dataclass(frozen=True, kw_only=True)
class VaeSettings(MethodSettings):
    """Attributes:
    kl_weight: beta of ``Dice + beta*KL - gamma*Dice(ch1, ch2)``.
    """

    kl_weight: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse(((self.kl_weight <= 0, "kl_weight must be above zero"),))


@dataclass(frozen=True, kw_only=True)
class WganGpSettings(MethodSettings):
    """Attributes:
    penalty: lambda (K23: 100).
    critic_steps: batches that the critic sees before the generator sees one (K23: 5).
    """

    optimiser: AdamSettings = field(default_factory=adversarial_adam)
    penalty: float = 100.0
    critic_steps: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse(
            (
                (self.penalty <= 0, "penalty must be above zero"),
                (self.critic_steps < 1, "critic_steps must be above zero"),
            )
        )


@dataclass(frozen=True, kw_only=True)
class VaeWganGpSettings(WganGpSettings):
    """K23's three stages; what the stages before the last leave of the steps is the last one's.

    Attributes:
        vae_optimiser: of the first stage (K23: Adam (0.9, 0.999), 1e-3).
        kl_weight: beta of the first stage.
        vae_steps: batches of the first stage (K23: 10 epochs; of 570 cases in batches of 8, 720).
        bridge_steps: batches of the second (K23: 15 epochs, likewise 1080).
    """

    vae_optimiser: AdamSettings = field(default_factory=AdamSettings)
    kl_weight: float = 1e-3
    vae_steps: int = 720
    bridge_steps: int = 1080

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse(
            (
                (self.kl_weight <= 0, "kl_weight must be above zero"),
                (min(self.vae_steps, self.bridge_steps) < 0, "vae_steps and bridge_steps must not be negative"),
            )
        )


@dataclass(frozen=True, kw_only=True)
class IntroVaeSettings(MethodSettings):
    """Attributes:
    alpha: weight of the adversarial terms (K23: 0.25).
    beta: weight of the likelihood (K23: 1.0).
    likelihood: nats of ``-log p`` that a Dice loss of 1 stands for; the paper does not say.
    margin: m (K23: 10, "a little above" the KL of real cases); 0 to keep it above that which is seen.
    margin_factor: how far above that KL a measured margin is put.
    warmup_steps: batches of plain VAE first (K23: a few epochs).
    """

    alpha: float = 0.25
    beta: float = 1.0
    likelihood: float = 1000.0
    margin: float = 10.0
    margin_factor: float = 1.25
    warmup_steps: int = 360

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse(
            (
                (min(self.alpha, self.beta, self.likelihood) <= 0, "alpha, beta and likelihood must be above zero"),
                (self.margin < 0, "margin must not be negative"),
                (self.margin == 0 and self.warmup_steps < 1, "a margin that is measured needs warmup_steps"),
                (self.margin_factor < 1, "margin_factor must be at least 1"),
                (self.warmup_steps < 0, "warmup_steps must not be negative"),
            )
        )


@dataclass(frozen=True, kw_only=True)
class SoftIntroVaeSettings(MethodSettings):
    """Attributes:
    kl_weight: beta of the ELBO of real cases.
    fake_kl_weight: of the ELBO of generated ones, larger, so that the KL tells them apart.
    exponent: alpha of ``exp(alpha*ELBO)`` (Daniel & Tamar: 2).
    fake_reconstruction: weight of the decoder's own reconstruction of what it made (Daniel & Tamar: 1e-8).
    warmup_steps: batches of plain VAE first.
    """

    kl_weight: float = 1e-3
    fake_kl_weight: float = 0.05
    exponent: float = 2.0
    fake_reconstruction: float = 1e-8
    warmup_steps: int = 360

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse(
            (
                (
                    min(self.kl_weight, self.fake_kl_weight, self.exponent) <= 0,
                    "kl_weight, fake_kl_weight and exponent must be above zero",
                ),
                (self.fake_reconstruction < 0, "fake_reconstruction must not be negative"),
                (self.warmup_steps < 0, "warmup_steps must not be negative"),
            )
        )


@dataclass(frozen=True)
class CodebookSettings:
    """A codebook kept by exponential moving averages, which take the place of W24's dictionary term.

    Attributes:
        codes: number of entries.
        commitment: beta of W24's commitment term.
        decay: of the moving averages (REFERENCE section 5: 0.99).
        patience: batches after which a code that nothing chose starts anew.
    """

    codes: int = 512
    commitment: float = 0.25
    decay: float = 0.99
    patience: int = 100

    def __post_init__(self) -> None:
        refuse(
            (
                (self.codes < 2, "codes must be at least 2"),
                (self.commitment <= 0, "commitment must be above zero"),
                (not 0 < self.decay < 1, "decay must lie between 0 and 1"),
                (self.patience < 1, "patience must be above zero"),
            )
        )


@dataclass(frozen=True)
class PriorSettings:
    """The convolutional prior over the codes: channels, masked layers after the first, its optimiser."""

    width: int = 64
    layers: int = 4
    optimiser: AdamSettings = field(default_factory=AdamSettings)

    def __post_init__(self) -> None:
        refuse(((self.width < 1 or self.layers < 1, "width and layers of the prior must be above zero"),))


def volumetric_network() -> NetworkSettings:
    """K23's sizes with a volumetric latent."""
    return NetworkSettings(latent_size=0, latent_channels=8)


@dataclass(frozen=True, kw_only=True)
class VqVaeSettings(MethodSettings):
    """Attributes:
    codebook, prior: their settings.
    autoencoder_steps: batches that the autoencoder learns from; then it is frozen and the prior learns.
    """

    network: NetworkSettings = field(default_factory=volumetric_network)
    codebook: CodebookSettings = field(default_factory=CodebookSettings)
    prior: PriorSettings = field(default_factory=PriorSettings)
    autoencoder_steps: int = 4000

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse(
            (
                (self.network.latent_channels < 1, "a VQVAE needs latent_channels, its codes lie on a grid"),
                (self.autoencoder_steps < 0, "autoencoder_steps must not be negative"),
            )
        )


@dataclass(frozen=True)
class DenoiserSettings:
    """W24's light U-Net over latents, and its noise (DDPM's schedule).

    Attributes:
        widths: channels of each level; the latent's grid is halved between them.
        attention: which levels have attention.
        residual_units: residual blocks a level.
        groups: of the group norm; divides every width.
        timesteps: of the noise.
        schedule: MONAI's name of the noise schedule.
        inference_steps: of the sampler; divides timesteps.
        average: decay a step of the moving average of the weights that samples come from.
        optimiser: Adam.
    """

    widths: tuple[int, ...] = (64, 128, 256)
    attention: tuple[bool, ...] = (False, False, True)
    residual_units: int = 1
    groups: int = 16
    timesteps: int = 1000
    schedule: str = "linear_beta"
    inference_steps: int = 50
    average: float = 0.999
    optimiser: AdamSettings = field(default_factory=lambda: AdamSettings(learning_rate=1e-4))

    def __post_init__(self) -> None:
        refuse(
            (
                (not self.widths, "widths of the denoiser must hold at least one number"),
                (len(self.attention) != len(self.widths), "attention must hold one word a width"),
                (self.groups < 1 or any(width % self.groups for width in self.widths), "groups must divide widths"),
                (self.residual_units < 1, "residual_units of the denoiser must be above zero"),
                (
                    self.inference_steps < 1 or self.timesteps % self.inference_steps != 0,
                    "inference_steps must divide timesteps",
                ),
                (not 0 <= self.average < 1, "average must lie in [0, 1)"),
            )
        )


@dataclass(frozen=True, kw_only=True)
class DiffusionSettings:
    """A diffusion model over the frozen latents of an autoencoder.

    Attributes:
        denoiser: the U-Net.
        autoencoder_steps: batches that the autoencoder learns from here first; 0 where it comes trained.
        measured_batches: batches that the latents' deviation is then measured on.
        seed: of the noise that training draws.
    """

    denoiser: DenoiserSettings = field(default_factory=DenoiserSettings)
    autoencoder_steps: int = 4000
    measured_batches: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        refuse(
            (
                (self.autoencoder_steps < 0, "autoencoder_steps must not be negative"),
                (self.measured_batches < 1, "measured_batches must be above zero"),
                (self.seed < 0, "seed must not be negative"),
            )
        )


def _refuse_latent(network: NetworkSettings, denoiser: DenoiserSettings) -> None:
    refuse(
        (
            (network.latent_channels < 1, "a diffusion model needs an autoencoder with latent_channels"),
            (network.base % 2 ** (len(denoiser.widths) - 1) != 0, "the denoiser halves the latent's grid too often"),
        )
    )


@dataclass(frozen=True, kw_only=True)
class LdmVaeSettings(DiffusionSettings):
    """``autoencoder``: the VAE below."""

    autoencoder: VaeSettings = field(default_factory=lambda: VaeSettings(network=volumetric_network(), kl_weight=1e-6))

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_latent(self.autoencoder.network, self.denoiser)


@dataclass(frozen=True, kw_only=True)
class LdmVqVaeSettings(DiffusionSettings):
    """``autoencoder``: the VQVAE below, whose own prior is not used."""

    autoencoder: VqVaeSettings = field(default_factory=VqVaeSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_latent(self.autoencoder.network, self.denoiser)


Settings = MethodSettings | DiffusionSettings
