"""Latent diffusion over a frozen autoencoder (W24): a light U-Net that foretells the noise.

Objective: ``E |e - U(sqrt(a_t) * z + sqrt(1 - a_t) * e, t)|^2`` (Ho et al. 2020, eq. 14) for latents z of
unit variance. Samples are DDIM's without noise of its own (Song et al. 2020, eq. 12), so each follows
from the latent that it starts from, and the way back leads from a case to its latent.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from monai.inferers import LatentDiffusionInferer
from monai.networks.nets import DiffusionModelUNet
from monai.networks.schedulers import DDIMScheduler
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from CranialAugmentationTrainerLib.generators.blocks import evaluating
from CranialAugmentationTrainerLib.generators.method import Generator, Part
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.parameters import DenoiserSettings, DiffusionSettings, MethodSettings
from CranialAugmentationTrainerLib.generators.quantised_network import QuantisedNetwork
from CranialAugmentationTrainerLib.generators.variational_network import VariationalNetwork, reconstruction_figures
from CranialReconstructionLib.errors import UserError

AUTOENCODER, DENOISER = 0, 1
STAGES = ("autoencoder", "measuring", "diffusion")


class LatentDiffusion(Generator):
    """Three stages: the autoencoder, unless it comes trained; the deviation of its latents, over many
    batches of cases; the denoiser, of which a moving average makes the samples (ours)."""

    settings: DiffusionSettings
    measured: torch.Tensor
    trained: torch.Tensor

    def __init__(
        self,
        settings: DiffusionSettings,
        autoencoder: MethodSettings,
        network: VariationalNetwork | QuantisedNetwork,
    ) -> None:
        super().__init__(settings)
        self.autoencoder = autoencoder
        self.network = network
        chosen = settings.denoiser
        self.denoiser = _denoiser(chosen, autoencoder.network.latent_channels)
        moving = get_ema_multi_avg_fn(chosen.average)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.denoiser, multi_avg_fn=moving, use_buffers=True)
        self.average.requires_grad_(False)
        self.scheduler = _scheduler(chosen)
        # Batches that were measured, and the sums of their latents' means and mean squares.
        self.register_buffer("measured", torch.zeros(3))
        self.register_buffer("trained", torch.tensor(settings.autoencoder_steps > 0))

    @abstractmethod
    def autoencoder_terms(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """The autoencoder's objective as ``loss``, and its terms."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(C, k, j, i), the autoencoder's."""
        return self.autoencoder.network.latent_shape

    @property
    def stage(self) -> str:
        """The stage that the next batch belongs to."""
        seen, first = int(self.batches), self.settings.autoencoder_steps
        return STAGES[(seen >= first) + (seen >= first + self.settings.measured_batches)]

    @property
    def sampling(self) -> bool:
        """Whether the denoiser has begun to learn."""
        return self.stage == "diffusion"

    @property
    def scale(self) -> float:
        """What brings the latents to unit variance; 1 before they were measured."""
        count, means, squares = self.measured.tolist()
        return float((squares / count - (means / count) ** 2) ** -0.5) if count else 1.0

    def parts(self) -> list[Part]:
        """Autoencoder, denoiser."""
        learned = [entry for entry in self.network.parameters() if entry.requires_grad]
        return [
            Part(self.autoencoder.optimiser, learned),
            Part(self.settings.denoiser.optimiser, self.denoiser.parameters()),
        ]

    def take_autoencoder(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take the autoencoder from the ``state_dict`` of a trained VAE, or VQVAE, of these sizes.

        Raises:
            UserError: it is of another method or of other sizes.
        """
        prefix = "network."
        own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        wanted = {name: value.shape for name, value in self.network.state_dict().items()}
        if {name: value.shape for name, value in own.items()} != wanted:
            raise UserError(
                "it is not of the method and the sizes that this diffusion model works on",
                where="autoencoder of a latent diffusion model",
                remedy="Give a run with the same network settings.",
            )
        self.network.load_state_dict(own)
        self.trained.fill_(True)

    def learn(self, cases: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        """A step of the stage that it is."""
        if not bool(self.trained):
            raise UserError(
                "the autoencoder below has not been trained",
                where="latent diffusion model",
                remedy="Give it a trained run's autoencoder, or set autoencoder_steps.",
            )
        if self.stage == "autoencoder":
            terms = self.autoencoder_terms(cases, noise)
            self.descend(AUTOENCODER, terms["loss"])
            return terms
        if self.stage == "measuring":
            return self._measure(cases)
        loss = self._noise_loss(self.denoiser, cases, noise)
        self.descend(DENOISER, loss)
        self.average.update_parameters(self.denoiser)
        return {"loss": loss}

    def cases_from(self, latent: torch.Tensor) -> torch.Tensor:
        """What DDIM makes of the noise ``latent``."""
        cases: torch.Tensor = self._inferer().sample(
            latent, self.network, self.average.module, self.scheduler, verbose=False
        )
        return cases

    def latents_from(self, cases: torch.Tensor) -> torch.Tensor:
        """DDIM's way back (Song et al. 2020, section 4.3): the noise that leads, nearly, to the cases."""
        latent = self.network.encode_stage_2_inputs(cases) * self.scale
        stride = self.settings.denoiser.timesteps // self.settings.denoiser.inference_steps
        for step in self.scheduler.timesteps.flip(0).tolist():
            left = step - stride
            at = torch.full((len(latent),), max(0, left), device=latent.device)
            latent = _noisier(self.scheduler, latent, self.average.module(latent, timesteps=at), left, step)
        return latent

    def figures(self, cases: torch.Tensor) -> dict[str, torch.Tensor]:
        """Dice of the autoencoder's reconstructions, and the error of the foretold noise."""
        found = reconstruction_figures(self.network.reconstruction(cases), cases)
        fixed = Noise(0, 0, device=cases.device)
        return {**found, "noise_error": self._noise_loss(self.average.module, cases, fixed)}

    def monitor(self) -> dict[str, float]:
        """The last losses, how far samples differ, and what the latents are scaled by."""
        return {**super().monitor(), "scale": self.scale}

    def _inferer(self) -> LatentDiffusionInferer:
        return LatentDiffusionInferer(self.scheduler, scale_factor=self.scale)

    def _measure(self, cases: torch.Tensor) -> dict[str, torch.Tensor]:
        with evaluating(self.network):
            latent = self.network.encode_stage_2_inputs(cases).float()
        moments = torch.stack((latent.new_ones(()), latent.mean(), latent.square().mean()))
        self.measured += self.trainer.strategy.reduce(moments, reduce_op="mean")
        return {"loss": torch.zeros(()), "deviation": torch.tensor(1.0 / self.scale)}

    def _noise_loss(self, denoiser: torch.nn.Module, cases: torch.Tensor, noise: Noise) -> torch.Tensor:
        wanted = noise.normal(len(cases), *self.latent_shape)
        timesteps = noise.integers(self.settings.denoiser.timesteps, len(cases))
        foretold = self._inferer()(cases, self.network, denoiser, wanted, timesteps)
        return functional.mse_loss(foretold, wanted)


def _denoiser(settings: DenoiserSettings, channels: int) -> DiffusionModelUNet:
    # MONAI's attention cannot have more channels a head than a level has.
    heads = [min(width, 32) for width in settings.widths]
    return DiffusionModelUNet(
        spatial_dims=3,
        in_channels=channels,
        out_channels=channels,
        num_res_blocks=settings.residual_units,
        channels=settings.widths,
        attention_levels=settings.attention,
        norm_num_groups=settings.groups,
        num_head_channels=heads,
    )


def _scheduler(settings: DenoiserSettings) -> DDIMScheduler:
    """DDIM from the last timestep down.

    MONAI spaces its steps to end at timestep 0, a little wider than the stride that each step then takes;
    here the steps are as wide as the stride, and the last one ends where there is no noise.
    """
    scheduler = DDIMScheduler(settings.timesteps, schedule=settings.schedule, clip_sample=False)
    scheduler.set_timesteps(settings.inference_steps)
    scheduler.timesteps = torch.arange(settings.timesteps - 1, -1, -(settings.timesteps // settings.inference_steps))
    return scheduler


def _noisier(
    scheduler: DDIMScheduler, latent: torch.Tensor, noise: torch.Tensor, left: int, reached: int
) -> torch.Tensor:
    """DDIM's step against its direction: from timestep ``left`` (below 0: no noise) to ``reached``."""
    kept = scheduler.alphas_cumprod.to(latent)
    before = kept[left] if left >= 0 else torch.ones_like(kept[0])
    clean = (latent - (1.0 - before).sqrt() * noise) / before.sqrt()
    return kept[reached].sqrt() * clean + (1.0 - kept[reached]).sqrt() * noise
