"""Every method, tiny: it trains, goes through its stages, decodes the same again, and comes back from its state."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise
from typing import Any

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from CranialAugmentationTrainerLib.generators.code_prior import CodePrior
from CranialAugmentationTrainerLib.generators.introvae import IntroVae
from CranialAugmentationTrainerLib.generators.latent_diffusion import LatentDiffusion, _noisier
from CranialAugmentationTrainerLib.generators.ldm_vae import LdmVae
from CranialAugmentationTrainerLib.generators.method import Generator
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.overlap import soft_dice
from CranialAugmentationTrainerLib.generators.parameters import (
    AdamSettings,
    DenoiserSettings,
    IntroVaeSettings,
    LdmVaeSettings,
    VaeSettings,
    VaeWganGpSettings,
    VqVaeSettings,
    WganGpSettings,
)
from CranialAugmentationTrainerLib.generators.registry import METHODS, build
from CranialAugmentationTrainerLib.generators.settings import preset
from CranialAugmentationTrainerLib.generators.vae import Vae
from CranialAugmentationTrainerLib.generators.vae_wgan_gp import VaeWganGp
from CranialAugmentationTrainerLib.generators.vqvae import VqVae
from CranialAugmentationTrainerLib.generators.wgan_gp import WganGp
from CranialReconstructionLib.errors import UserError

SIDE, BATCH = 16, 4
# MONAI's U-Net begins with zeros inside, and it takes three batches of the last stage to reach all of it.
BATCHES = 5


def heads(count: int) -> torch.Tensor:
    """(count, 2, 16, 16, 16): shells of several sizes, each with a piece taken out."""
    axis = torch.arange(SIDE) - (SIDE - 1) / 2
    k, j, i = torch.meshgrid(axis, axis, axis, indexing="ij")
    radius = 5.0 + 2.0 * torch.rand(count, 1, 1, 1, generator=torch.Generator().manual_seed(4))
    distance = (k.square() + j.square() + i.square()).sqrt()
    shell = ((distance < radius) & (distance > radius - 2.0)).float()
    hole = ((k > 1) & (j > 0)).float()
    return torch.stack((shell * (1 - hole), shell * hole), dim=1)


def taught(method: Generator, batches: int, cases: torch.Tensor | None = None) -> Generator:
    """``method`` after so many batches of a plain Lightning trainer."""
    loader: DataLoader[Any] = DataLoader(heads(BATCH * batches) if cases is None else cases, batch_size=BATCH)
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(method, loader)
    return method


def fresh(name: str) -> Generator:
    torch.manual_seed(3)
    return build(name, preset(name, "tiny"))


def latents(method: Generator, count: int) -> torch.Tensor:
    return Noise(6, 0).normal(count, *method.latent_shape)


@pytest.fixture(scope="module")
def trained() -> dict[str, Generator]:
    """All methods after batches that lead through all their stages; not to be changed."""
    return {name: taught(fresh(name), BATCHES) for name in METHODS}


def weights(method: Generator) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in method.named_parameters()}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::lightning.fabric.utilities.warnings.PossibleUserWarning")
@pytest.mark.parametrize("name", METHODS)
class TestEveryMethod:
    def test_every_weight_learns(self, name: str, trained: dict[str, Generator]) -> None:
        before, method = weights(fresh(name)), trained[name]
        assert int(method.batches) == BATCHES
        still = {entry for entry, weight in weights(method).items() if torch.equal(weight, before[entry])}
        # What is added to real and fake scores alike, or to a query's products with all keys, changes
        # nothing; the moving average of a weight can be the weight.
        idle = ("critic.score.bias", "attn.to_k.bias")
        assert {entry for entry in still if not entry.endswith(idle) and not entry.startswith("average.")} == set()
        assert all(torch.isfinite(value) for value in method.losses.values())
        assert "loss" in method.losses

    def test_cases_are_shares_on_the_grid(self, name: str, trained: dict[str, Generator]) -> None:
        method = trained[name]
        cases = method.decode(latents(method, 2))
        assert cases.shape == (2, 2, SIDE, SIDE, SIDE)
        assert cases.dtype == torch.float32
        assert 0.0 <= float(cases.min()) <= float(cases.max()) <= 1.0
        assert not cases.requires_grad

    def test_a_latent_has_one_case(self, name: str, trained: dict[str, Generator]) -> None:
        method = trained[name]
        drawn = latents(method, 3)
        method.train()
        cases = method.decode(drawn)
        assert torch.equal(cases, method.decode(drawn))
        # Rounding differs with the batch, nothing else does.
        alone = torch.cat([method.decode(latent[None]) for latent in drawn])
        assert torch.allclose(cases, alone, atol=1e-4)
        assert all(part.training for part in method.modules())
        # Decoding leaves nothing behind, such as statistics of a batch norm.
        assert torch.equal(cases, method.decode(drawn))

    def test_state_comes_back(self, name: str, trained: dict[str, Generator]) -> None:
        method = trained[name]
        torch.manual_seed(77)
        other = build(name, preset(name, "tiny"))
        other.load_state_dict(method.state_dict())
        drawn = latents(method, 2)
        assert torch.equal(other.decode(drawn), method.decode(drawn))
        assert int(other.batches) == BATCHES
        # A method that has come back has no losses yet.
        assert all(isinstance(told, str) for told in other.warnings())

    def test_a_run_that_goes_on_is_the_run_that_went_on(self, name: str, trained: dict[str, Generator]) -> None:
        # Noise and stage follow from the state, not from the process; the optimisers start anew in both.
        first, second = copy.deepcopy(trained[name]), fresh(name)
        second.load_state_dict(trained[name].state_dict())
        torch.manual_seed(9)
        taught(first, 1)
        torch.manual_seed(10)
        taught(second, 1)
        assert all(torch.equal(value, second.state_dict()[entry]) for entry, value in first.state_dict().items())

    def test_figures_are_numbers(self, name: str, trained: dict[str, Generator]) -> None:
        method = trained[name]
        seen = method.monitor()
        assert seen["sample_spread"] >= 0
        assert all(isinstance(value, float) for value in seen.values())
        figures = method.figures(heads(2))
        assert all(bool(value.isfinite()) for value in figures.values())

    def test_encoding(self, name: str, trained: dict[str, Generator]) -> None:
        method = trained[name]
        if name == "wgan-gp":
            with pytest.raises(UserError, match="no encoder"):
                method.encode(heads(2))
            return
        codes = method.encode(heads(2))
        assert codes.shape == (2, *method.latent_shape)
        assert bool(codes.isfinite().all())
        assert not codes.requires_grad


def test_a_vae_learns_heads() -> None:
    settings = preset("vae", "tiny")
    assert isinstance(settings, VaeSettings)
    torch.manual_seed(1)
    method = Vae(replace(settings, kl_weight=1e-4, optimiser=AdamSettings(learning_rate=1e-2)))
    cases = heads(BATCH)
    before = method.figures(cases)
    taught(method, 80, cases.repeat(80, 1, 1, 1, 1))
    after = method.figures(cases)
    assert float(after["skull_dice"]) > 0.85 > float(before["skull_dice"])
    assert float(after["defect_dice"]) > 0.85 > float(before["defect_dice"])
    assert float(soft_dice(method.decode(method.encode(cases)), cases).mean()) > 0.75


def test_the_generator_moves_once_in_critic_steps() -> None:
    settings = preset("wgan-gp", "tiny")
    assert isinstance(settings, WganGpSettings)
    method = WganGp(replace(settings, critic_steps=3))
    seen = [weights(method)]
    for _ in range(3):
        taught(method, 1)
        seen.append(weights(method))
    moved = [
        {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
        for before, after in pairwise(seen)
    ]
    assert moved == [{"critic"}, {"critic"}, {"critic", "generator"}]


def test_three_stages_of_vae_wgan_gp() -> None:
    settings = preset("vae-wgan-gp", "tiny")
    assert isinstance(settings, VaeWganGpSettings)
    method = VaeWganGp(replace(settings, vae_steps=2, bridge_steps=3, critic_steps=1))
    stages, moved = [], []
    for _ in range(6):
        stages.append(method.stage)
        before = weights(method)
        taught(method, 1)
        after = weights(method)
        moved.append({name.split(".")[0] for name in before if not torch.equal(before[name], after[name])})
    assert stages == ["vae"] * 2 + ["bridge"] * 3 + ["wgan-gp"]
    # The encoder rests once the critic has come.
    assert moved == [{"encoder", "generator"}] * 2 + [{"critic", "generator"}] * 4


class Remembering(VaeWganGp):
    """Keeps the latents that its generator was fed."""

    def compete(self, cases: torch.Tensor, latents: torch.Tensor, noise: Noise) -> dict[str, torch.Tensor]:
        self.fed = latents
        return super().compete(cases, latents, noise)


def test_the_bridge_is_fed_the_posteriors_draws_then_the_prior() -> None:
    settings = preset("vae-wgan-gp", "tiny")
    assert isinstance(settings, VaeWganGpSettings)
    method = Remembering(replace(settings, vae_steps=0, bridge_steps=1))
    head: Any = method.encoder.head
    with torch.no_grad():
        # The posterior is N(5, e^-8) whatever the case.
        head[1].weight.zero_()
        head[1].bias.copy_(torch.cat((torch.full((12,), 5.0), torch.full((12,), -8.0))))
    taught(method, 1)
    assert float((method.fed - 5.0).abs().max()) < 0.1
    assert method.fed.shape == (BATCH, 12)
    assert float(method.fed.std()) > 0
    taught(method, 1)
    assert float(method.fed.mean().abs()) < 1.0


def test_introvae_warms_up_and_keeps_its_margin_above_the_kl_of_real_cases() -> None:
    settings = preset("introvae", "tiny")
    assert isinstance(settings, IntroVaeSettings)
    method = IntroVae(replace(settings, warmup_steps=1, margin_factor=1.5))
    assert "margin" not in method.monitor()
    taught(method, 1)
    assert "kl_sample" not in method.losses
    first = float(method.losses["kl"])
    assert method.margin == pytest.approx(1.5 * first)
    taught(method, 1)
    assert "kl_sample" in method.losses
    # A moving average of a tenth a batch.
    assert method.margin == pytest.approx(1.5 * (0.9 * first + 0.1 * float(method.losses["kl"])), rel=1e-5)
    method.losses["kl"] = torch.tensor(2 * method.margin)
    assert any("raise margin" in told for told in method.warnings())
    assert IntroVae(replace(settings, margin=7.0)).margin == 7.0


def test_a_collapsed_posterior_and_samples_that_are_alike_are_reported() -> None:
    method = fresh("vae")
    method.losses = {"loss": torch.tensor(1.0), "active": torch.tensor(0.0), "kl": torch.tensor(0.001)}
    assert any("posterior has collapsed" in told for told in method.warnings())
    assert isinstance(method, Vae)
    for parameter in method.network.decoder.start.parameters():
        torch.nn.init.zeros_(parameter)
    assert method.sample_spread() == pytest.approx(0.0, abs=1e-4)
    assert any("samples are alike" in told for told in method.warnings())


def test_vqvae_teaches_its_autoencoder_then_its_prior() -> None:
    settings = preset("vqvae", "tiny")
    assert isinstance(settings, VqVaeSettings)
    method = VqVae(replace(settings, autoencoder_steps=2))
    before = weights(method)
    taught(method, 2)
    assert (method.stage, method.sampling) == ("prior", True)
    middle = weights(method)
    assert all(torch.equal(before[name], middle[name]) for name in before if name.startswith("prior."))
    state = {name: value.clone() for name, value in method.network.state_dict().items()}
    taught(method, 2)
    # Neither the autoencoder nor its codebook moves any more.
    assert all(torch.equal(value, method.network.state_dict()[name]) for name, value in state.items())
    assert not torch.equal(middle["prior.place"], weights(method)["prior.place"])


def test_vqvae_gives_back_the_codes_of_a_case(trained: dict[str, Generator]) -> None:
    method = trained["vqvae"]
    assert isinstance(method, VqVae)
    assert isinstance(method.prior, CodePrior)
    cases = heads(2)
    # What decode makes of a case's latents is the autoencoder's reconstruction.
    assert torch.allclose(method.decode(method.encode(cases)), method.network.reconstruction(cases), atol=1e-5)


class TestDiffusion:
    def tiny(self, **values: Any) -> LdmVae:
        settings = preset("ldm-vae", "tiny")
        assert isinstance(settings, LdmVaeSettings)
        torch.manual_seed(5)
        return LdmVae(replace(settings, **values))

    def test_latents_are_scaled_to_unit_variance_over_all_cases(self) -> None:
        method = self.tiny(autoencoder_steps=1, measured_batches=2)
        cases = heads(BATCH * 3)
        assert method.scale == 1.0
        taught(method, 3, cases)
        codes = method.network.encode_stage_2_inputs(cases[BATCH:]).detach() * method.scale
        assert float(codes.var(correction=0)) == pytest.approx(1.0, rel=1e-3)
        assert method.stage == "diffusion"
        assert "scale" in method.monitor()

    def test_the_autoencoder_is_frozen_while_the_denoiser_learns(self) -> None:
        method = self.tiny()
        taught(method, 2)
        before, moving = weights(method), {n: v.clone() for n, v in method.average.state_dict().items()}
        taught(method, 2)
        after = weights(method)
        moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
        assert moved == {"denoiser", "average"}
        assert any(not torch.equal(value, method.average.state_dict()[name]) for name, value in moving.items())

    def test_no_autoencoder_no_diffusion(self) -> None:
        with pytest.raises(UserError, match="has not been trained"):
            taught(self.tiny(autoencoder_steps=0), 1)

    def test_it_takes_a_trained_autoencoder(self, trained: dict[str, Generator]) -> None:
        method = self.tiny(autoencoder_steps=0)
        below = replace(preset("vae", "tiny"), network=method.autoencoder.network)
        vae = build("vae", below)
        method.take_autoencoder(vae.state_dict())
        cases = heads(2)
        assert torch.equal(method.network.reconstruction(cases), vae.decode(vae.encode(cases)))
        taught(method, 2)
        assert method.stage == "diffusion"
        for other in ("vae", "vqvae"):
            with pytest.raises(UserError, match="not of the method and the sizes"):
                method.take_autoencoder(trained[other].state_dict())

    def test_samples_follow_ddim_to_where_there_is_no_noise(self) -> None:
        # A denoiser that foretells the noise of latents that are all of one case leads there.
        method = self.tiny(denoiser=DenoiserSettings(widths=(8, 16), attention=(False, False), groups=4))
        goal = torch.randn(1, *method.latent_shape)
        kept = method.scheduler.alphas_cumprod

        class Knowing(torch.nn.Module):
            def forward(self, latent: torch.Tensor, timesteps: torch.Tensor, **_: Any) -> torch.Tensor:
                share = kept[timesteps.long()].view(-1, 1, 1, 1, 1)
                return (latent - share.sqrt() * goal) / (1 - share).sqrt()

        method.average.module = Knowing()
        cases = method.decode(latents(method, 3))
        assert torch.allclose(cases, method.network.decode_stage_2_outputs(goal).expand_as(cases), atol=1e-4)

    def test_a_step_back_undoes_a_step(self) -> None:
        scheduler = self.tiny().scheduler
        latent, noise = torch.randn(2, 2, 4, 4, 4), torch.randn(2, 2, 4, 4, 4)
        stride = scheduler.num_train_timesteps // scheduler.num_inference_steps
        for step in scheduler.timesteps.tolist():
            there, _ = scheduler.step(noise, step, latent)
            assert torch.allclose(_noisier(scheduler, there, noise, step - stride, step), latent, atol=1e-4)
        # The last step ends where there is no noise.
        assert int(scheduler.timesteps[-1]) - stride == -1
        assert not scheduler.clip_sample

    def test_unconditional_loss_is_that_of_the_noise(self) -> None:
        method = self.tiny()

        class Nothing(torch.nn.Module):
            def forward(self, x: torch.Tensor, timesteps: torch.Tensor, **_: Any) -> torch.Tensor:
                return torch.zeros_like(x)

        # Foretelling nothing costs the noise's own mean square.
        wanted = Noise(0, 0).normal(BATCH, *method.latent_shape).square().mean()
        found = LatentDiffusion._noise_loss(method, Nothing(), heads(BATCH), Noise(0, 0))
        assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
