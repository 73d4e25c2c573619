"""The generators' objectives against values worked out by hand, and which parameters they move.

The networks of these tests have one weight each, so that every term is a formula of a few numbers.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from CranialAugmentationTrainerLib.generators import introvae, softintrovae
from CranialAugmentationTrainerLib.generators.gaussian import Gaussian
from CranialAugmentationTrainerLib.generators.gradient_penalty import gradient_penalty
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.overlap import dice_loss, difference, separation_loss, soft_dice
from CranialAugmentationTrainerLib.generators.parameters import IntroVaeSettings, SoftIntroVaeSettings
from CranialAugmentationTrainerLib.generators.variational_network import vae_terms
from CranialAugmentationTrainerLib.generators.wgan_gp import critic_terms, generator_terms

VOXELS, SKULL_VOXELS, DEFECT_VOXELS = 64, 32, 8


def case() -> torch.Tensor:
    """(1, 2, 4, 4, 4): the lower half is skull, 8 voxels above it are defect."""
    voxels = torch.zeros(1, 2, 4, 4, 4, dtype=torch.float64)
    voxels[:, 0, :2] = 1.0
    voxels[:, 1, 2:, 2:, 2:] = 1.0
    return voxels


CASE_MEAN = (SKULL_VOXELS + DEFECT_VOXELS) / (2 * VOXELS)


class OneNumber(nn.Module):
    """An encoder: ``N(w * mean of the case, 1)``, so that its KL is ``(w * mean)^2 / 2``."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))

    def posterior(self, cases: torch.Tensor) -> Gaussian:
        mean = self.weight * cases.mean((1, 2, 3, 4))[:, None]
        return Gaussian(mean, torch.zeros_like(mean))


class OneShade(nn.Module):
    """A decoder: every voxel of both channels is ``d * sigmoid(z)``."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        shade = self.weight * latent[:, 0].sigmoid()
        return shade[:, None, None, None, None].expand(-1, 2, 4, 4, 4)


class Network(nn.Module):
    def __init__(self, encoder: float = 2.0, decoder: float = 0.8) -> None:
        super().__init__()
        self.encoder, self.decoder = OneNumber(encoder), OneShade(decoder)


class Silence(Noise):
    """No noise: draws are means, samples of the prior come from zero."""

    def __init__(self) -> None:
        super().__init__(0, 0)

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.zeros(*shape, dtype=torch.float64)


def shade_dice_loss(shade: torch.Tensor, skull: float = SKULL_VOXELS, defect: float = DEFECT_VOXELS) -> torch.Tensor:
    """The Dice loss of a uniform shade against masks of so many voxels."""
    dice = [2 * shade * size / (shade * VOXELS + size) for size in (skull, defect)]
    return 1.0 - (dice[0] + dice[1]) / 2


def same_gradients(loss: torch.Tensor, network: Network, wanted: tuple[float | None, float | None]) -> None:
    loss.backward()
    found = [part.weight.grad for part in (network.encoder, network.decoder)]
    for gradient, value in zip(found, wanted, strict=True):
        if value is None:
            assert gradient is None
        else:
            assert gradient is not None
            # The Dice's epsilon is what differs from the formulas.
            assert float(gradient) == pytest.approx(value, rel=1e-5)


def slope(formula: torch.Tensor, weight: torch.Tensor) -> float:
    (gradient,) = torch.autograd.grad(formula, weight, retain_graph=True)
    return float(gradient)


def test_dice_of_shares_and_of_channels() -> None:
    found = torch.full((1, 2, 4, 4, 4), 0.5, dtype=torch.float64)
    # Skull: 2 * 16 / (32 + 32); defect: 2 * 4 / (32 + 8).
    assert soft_dice(found, case())[0].tolist() == pytest.approx([0.5, 0.2], abs=1e-6)
    assert dice_loss(found, case()).item() == pytest.approx(1 - 0.35, abs=1e-6)
    assert dice_loss(case(), case()).item() == pytest.approx(0.0, abs=1e-6)


def test_difference_is_one_less_dice_for_masks_and_nothing_for_equal_shares() -> None:
    moved = case().roll(1, 2)
    assert torch.allclose(difference(moved, case()), 1.0 - soft_dice(moved, case()), atol=1e-6)
    shares = 0.3 * case() + 0.1
    assert difference(shares, shares).tolist() == [[0.0, 0.0]]


def test_separation_is_least_where_channels_share_nothing() -> None:
    apart, same, half = case(), case(), case()
    same[:, 1] = same[:, 0]
    half[:, 1] = 0
    half[:, 1, 1:3] = 1.0
    found = [separation_loss(cases).item() for cases in (apart, same, half)]
    assert found == pytest.approx([-1.0, 0.0, -0.5], abs=1e-6)


def test_divergence_of_normal_distributions() -> None:
    unit = Gaussian(torch.zeros(1, 5), torch.zeros(1, 5))
    assert unit.divergence().tolist() == [0.0]
    # KL(N(1, e) || N(0, 1)) = (1 + e - 1 - 1) / 2 each.
    moved = Gaussian(torch.ones(2, 3, 2), torch.ones(2, 3, 2))
    assert moved.divergence().tolist() == pytest.approx([6 * (math.e - 1) / 2] * 2)
    assert moved.active() == 1.0
    assert unit.active() == 0.0


def test_a_draw_has_the_distributions_mean_and_deviation() -> None:
    gaussian = Gaussian(torch.full((20000, 1), 3.0), torch.full((20000, 1), math.log(4.0)))
    drawn = gaussian.at(Noise(1, 0).normal(20000, 1))
    assert float(drawn.mean()) == pytest.approx(3.0, abs=0.05)
    assert float(drawn.std()) == pytest.approx(2.0, abs=0.05)


def test_noise_follows_from_seed_step_and_process_alone() -> None:
    first = Noise(3, 7).normal(4)
    assert torch.equal(first, Noise(3, 7).normal(4))
    others = [Noise(4, 7), Noise(3, 8), Noise(3, 7, process=1)]
    assert not any(torch.equal(first, other.normal(4)) for other in others)


def test_vae_loss_and_gradients() -> None:
    network = Network()
    terms = vae_terms(network.encoder, network.decoder, case(), Silence(), kl_weight=0.5, separation=0.1)
    w, d = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (2.0, 0.8))
    shade = d * torch.sigmoid(w * CASE_MEAN)
    # Dice of two uniform channels of one shade is that shade.
    wanted = shade_dice_loss(shade) + 0.5 * (w * CASE_MEAN) ** 2 / 2 + 0.1 * (shade - 1.0)
    assert terms["loss"].item() == pytest.approx(wanted.item(), rel=1e-5)
    assert terms["kl"].item() == pytest.approx((2.0 * CASE_MEAN) ** 2 / 2)
    same_gradients(terms["loss"], network, (slope(wanted, w), slope(wanted, d)))


@pytest.mark.parametrize("weight", [(3.0, 4.0), (0.6, 0.0), (0.0, 0.0)])
def test_penalty_of_a_linear_critic(weight: tuple[float, float]) -> None:
    # The gradient of w.x is w wherever it is taken.
    critic = nn.Linear(2 * VOXELS, 1)
    nn.init.zeros_(critic.weight)
    with torch.no_grad():
        critic.weight[0, :2] = torch.tensor(weight)
    real, fake = case().float().expand(3, -1, -1, -1, -1), torch.rand(3, 2, 4, 4, 4)
    penalty = gradient_penalty(lambda cases: critic(cases.flatten(1))[:, 0], real, fake, torch.rand(3))
    assert penalty.item() == pytest.approx((math.hypot(*weight) - 1.0) ** 2, abs=1e-6)
    penalty.backward()
    assert critic.weight.grad is not None
    assert bool(critic.weight.grad.isfinite().all())
    if any(weight):
        # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|.
        length = math.hypot(*weight)
        wanted = [2 * (length - 1) * value / length for value in weight]
        assert critic.weight.grad[0, :2].tolist() == pytest.approx(wanted, rel=1e-4)


def test_penalty_is_taken_at_the_mixtures() -> None:
    # The gradient of |x|^2 / 2 is x itself.
    real, fake = torch.zeros(2, 2, 4, 4, 4), torch.zeros(2, 2, 4, 4, 4)
    real[:, 0, 0, 0, 0], fake[:, 0, 0, 0, 0] = 8.0, 2.0
    penalty = gradient_penalty(lambda cases: cases.square().flatten(1).sum(1) / 2, real, fake, torch.tensor([1.0, 0.5]))
    assert penalty.item() == pytest.approx(((8 - 1) ** 2 + (5 - 1) ** 2) / 2)


class Sum(nn.Module):
    """A critic: ``c`` times the sum of a case."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.25))

    def forward(self, cases: torch.Tensor) -> torch.Tensor:
        return self.weight * cases.flatten(1).sum(1)


class Counting(Noise):
    """Remembers how the mixing weights were drawn."""

    def __init__(self) -> None:
        super().__init__(5, 0)
        self.drawn: list[torch.Tensor] = []

    def uniform(self, *shape: int) -> torch.Tensor:
        self.drawn.append(super().uniform(*shape))
        return self.drawn[-1]


def test_wgan_objectives() -> None:
    critic, noise = Sum(), Counting()
    real = case().float().repeat(4, 1, 1, 1, 1)
    fake = torch.full_like(real, 0.5).requires_grad_()
    terms = critic_terms(critic, real, fake.detach(), noise, penalty=100.0)
    distance = 0.25 * (40 - 64)
    steepness = (0.25 * math.sqrt(128) - 1) ** 2
    assert terms["wasserstein"].item() == pytest.approx(distance)
    assert terms["loss"].item() == pytest.approx(100 * steepness - distance, rel=1e-5)
    # One weight a case.
    assert [drawn.shape for drawn in noise.drawn] == [(4,)]
    assert len(noise.drawn[0].unique()) == 4

    own = generator_terms(critic, fake, separation=0.2)
    assert own["loss"].item() == pytest.approx(-0.25 * 64 + 0.2 * (0.5 - 1.0), rel=1e-5)
    own["loss"].backward()
    assert critic.weight.grad is None
    assert critic.weight.requires_grad
    assert fake.grad is not None


def test_mixing_weights_are_uniform() -> None:
    drawn = Noise(1, 2).uniform(4000)
    counts = torch.histc(drawn, bins=8, min=0.0, max=1.0)
    assert bool(((counts - 500).abs() < 5 * math.sqrt(500)).all())


INTRO = IntroVaeSettings(alpha=0.25, beta=2.0, likelihood=3.0, separation=0.1)


@pytest.mark.parametrize("margin", [10.0, 0.01])
def test_equation_4_moves_the_encoder_alone(margin: float) -> None:
    network = Network()
    terms = introvae.encoder_terms(network, case(), Silence(), INTRO, margin)
    w = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    shade = 0.8 * torch.sigmoid(w * CASE_MEAN)
    # What the encoder judges gives no gradient back: ng(s).
    judged = [(w * value) ** 2 / 2 for value in (shade.detach(), torch.tensor(0.4))]
    wanted = (
        (w * CASE_MEAN) ** 2 / 2
        + 0.25 * sum((torch.relu(margin - kl) for kl in judged), torch.zeros(()))
        + 2.0 * 3.0 * (shade_dice_loss(shade) + 0.1 * (shade - 1.0))
    )
    assert terms["loss"].item() == pytest.approx(wanted.item(), rel=1e-5)
    assert terms["kl_sample"].item() == pytest.approx((2.0 * 0.4) ** 2 / 2)
    same_gradients(terms["loss"], network, (slope(wanted, w), None))
    assert network.decoder.weight.requires_grad


def test_equation_5_moves_the_decoder_alone() -> None:
    network = Network()
    terms = introvae.decoder_terms(network, case(), Silence(), INTRO)
    d = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    z = torch.sigmoid(torch.tensor(2.0 * CASE_MEAN, dtype=torch.float64))
    reconstruction, sample = d * z, d * 0.5
    wanted = 0.25 * sum((2.0 * shade) ** 2 / 2 for shade in (reconstruction, sample))
    wanted = wanted + 2.0 * 3.0 * (shade_dice_loss(reconstruction) + 0.1 * (reconstruction - 1.0))
    assert terms["loss"].item() == pytest.approx(wanted.item(), rel=1e-5)
    same_gradients(terms["loss"], network, (None, slope(wanted, d)))
    assert network.encoder.weight.requires_grad


SOFT = SoftIntroVaeSettings(kl_weight=0.3, fake_kl_weight=0.7, exponent=2.0, fake_reconstruction=0.05, separation=0.1)


def shade_overlap_loss(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The Dice loss between two uniform shades."""
    return 1.0 - 2 * first * second / (first + second)


def test_exponentiated_elbo_moves_the_encoder_alone() -> None:
    network = Network()
    terms = softintrovae.encoder_terms(network, case(), Silence(), SOFT)
    w = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    shade = 0.8 * torch.sigmoid(w * CASE_MEAN)
    elbos = []
    for fake in (shade.detach(), torch.tensor(0.4, dtype=torch.float64)):
        again = 0.8 * torch.sigmoid(w * fake)
        elbos.append(-(shade_overlap_loss(again, fake) + 0.7 * (w * fake) ** 2 / 2))
    wanted = shade_dice_loss(shade) + 0.1 * (shade - 1.0) + 0.3 * (w * CASE_MEAN) ** 2 / 2
    wanted = wanted + (torch.exp(2.0 * elbos[0]) + torch.exp(2.0 * elbos[1])) / 2 / 2.0
    assert terms["loss"].item() == pytest.approx(wanted.item(), rel=1e-5)
    same_gradients(terms["loss"], network, (slope(wanted, w), None))


def test_soft_decoder_objective_moves_the_decoder_alone() -> None:
    network = Network()
    terms = softintrovae.decoder_terms(network, case(), Silence(), SOFT)
    d = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    z = torch.sigmoid(torch.tensor(2.0 * CASE_MEAN, dtype=torch.float64))
    made = (d * z, d * 0.5)
    wanted = shade_dice_loss(made[0]) + 0.1 * (made[0] - 1.0)
    for fake in made:
        target = fake.detach()
        again = d * torch.sigmoid(2.0 * target)
        wanted = wanted + 0.5 * (0.3 * (2.0 * fake) ** 2 / 2 + 0.05 * shade_overlap_loss(again, target))
    assert terms["loss"].item() == pytest.approx(wanted.item(), rel=1e-5)
    same_gradients(terms["loss"], network, (None, slope(wanted, d)))
