"""Latents have the distribution of their strategy, and come from their seed and index alone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.quasirandom import SobolEngine

from CranialAugmentationTrainerLib.sampling.even_points import EvenPoints
from CranialAugmentationTrainerLib.sampling.sampler import LatentSampler, latent_digest
from CranialAugmentationTrainerLib.sampling.settings import SamplingSettings
from CranialReconstructionLib.errors import UserError

EVERY = [
    SamplingSettings("sd", 4),
    SamplingSettings("ud", 4),
    SamplingSettings("uds", 4),
    SamplingSettings("uds", 4, "literal", count=64),
]


def draws(settings: SamplingSettings, count: int, dimensions: int) -> np.ndarray:
    return LatentSampler(settings, (dimensions,)).latents(range(count)).numpy()


def centred_discrepancy(latents: np.ndarray) -> float:
    """How unevenly probabilities are spread over the unit cube."""
    return float(stats.qmc.discrepancy(stats.norm.cdf(latents), method="CD"))


@pytest.mark.parametrize("settings", EVERY, ids=lambda s: f"{s.strategy}-{s.form}")
@pytest.mark.parametrize("shape", [(7,), (2, 3, 2, 2)])
def test_one_latent_alone_is_that_of_the_run(settings: SamplingSettings, shape: tuple[int, ...]) -> None:
    run = LatentSampler(settings, shape).latents(range(60))
    assert run.shape == (60, *shape)
    assert torch.equal(LatentSampler(settings, shape).latent(41), run[41])
    assert len({latent_digest(latent) for latent in run}) == 60


@pytest.mark.parametrize("settings", EVERY, ids=lambda s: f"{s.strategy}-{s.form}")
def test_another_seed_gives_other_latents(settings: SamplingSettings) -> None:
    other = SamplingSettings(settings.strategy, 5, settings.form, count=settings.count)
    assert not torch.isclose(LatentSampler(settings, (9,)).latent(3), LatentSampler(other, (9,)).latent(3)).any()


def test_sd_is_standard_normal() -> None:
    latents = draws(SamplingSettings("sd", 1), 400, 200)
    assert stats.kstest(latents.ravel(), "norm").pvalue > 0.01
    # Independent from one index to the next, and from one dimension to the next.
    assert abs(np.corrcoef(latents[:-1].ravel(), latents[1:].ravel())[0, 1]) < 0.015
    assert np.linalg.norm(latents, axis=1).mean() == pytest.approx(math.sqrt(200), rel=0.01)


def test_ud_is_uniform_with_the_norms_of_the_normal() -> None:
    latents = draws(SamplingSettings("ud", 1), 400, 200)
    edge = math.sqrt(3.0)
    assert stats.kstest(latents.ravel(), stats.uniform(-edge, 2.0 * edge).cdf).pvalue > 0.01
    assert np.linalg.norm(latents, axis=1).mean() == pytest.approx(math.sqrt(200), rel=0.01)
    wide = draws(SamplingSettings("ud", 1, half_width=3.0), 400, 20)
    assert 2.98 < np.abs(wide).max() <= 3.0


def test_points_by_index_are_those_of_the_stepping_engine() -> None:
    points = EvenPoints(40, seed=9)
    mine = np.stack([points.point(index) for index in range(130)])
    theirs = SobolEngine(40, scramble=True, seed=9).draw(130, dtype=torch.float64).numpy()
    np.testing.assert_allclose(mine, theirs, atol=2.0**-30)


def test_quantile_uds_is_a_truncated_normal_more_even_than_chance() -> None:
    count, dimensions = 256, 6
    latents = draws(SamplingSettings("uds", 2), count, dimensions)
    assert np.abs(latents).max() < 3.0
    truncated = stats.truncnorm(-3.0, 3.0)
    # 256 points of a net have one in each of the 256 cells of equal probability, in every dimension.
    for column in latents.T:
        cells = np.floor(truncated.cdf(column) * count).astype(int)
        assert sorted(cells) == list(range(count))
    by_chance = draws(SamplingSettings("sd", 2), count, dimensions)
    assert centred_discrepancy(latents) < 0.3 * centred_discrepancy(by_chance)


def test_quantile_uds_lies_where_the_generator_was_taught() -> None:
    norms = np.linalg.norm(draws(SamplingSettings("uds", 0), 128, 200), axis=1)
    assert norms.mean() == pytest.approx(math.sqrt(200 * stats.truncnorm(-3.0, 3.0).var()), rel=0.01)
    literal = np.linalg.norm(draws(SamplingSettings("uds", 0, "literal", count=128), 128, 200), axis=1)
    assert literal.max() <= 3.0


@pytest.mark.parametrize("dimensions", [2, 3, 8])
def test_the_literal_ball_is_divided_into_equal_parts(dimensions: int) -> None:
    count = 512
    latents = draws(SamplingSettings("uds", 3, "literal", count=count), count, dimensions)
    radii = np.linalg.norm(latents, axis=1)
    assert radii.max() <= 3.0
    shares = np.sort((radii / 3.0) ** dimensions)
    np.testing.assert_allclose(shares, (np.arange(count) + 0.5) / count, atol=1e-5)
    # Every orthant, of the inner and of the outer half of the ball, gets its share.
    for signs in itertools.product((-1, 1), repeat=min(dimensions, 3)):
        inside = (np.sign(latents[:, : len(signs)]) == signs).all(axis=1)
        for half in (radii < np.median(radii), radii >= np.median(radii)):
            assert np.count_nonzero(inside & half) == pytest.approx(count / 2 ** (len(signs) + 1), rel=0.35)


def test_the_literal_ball_gives_no_sample_twice() -> None:
    settings = SamplingSettings("uds", 3, "literal", count=40)
    # Rejected cases are made up for by samples beyond the count.
    latents = draws(settings, 160, 3)
    assert len(np.unique(latents.round(6), axis=0)) == 160
    radii = np.linalg.norm(latents, axis=1).reshape(4, 40)
    np.testing.assert_allclose(radii, radii[:1].repeat(4, axis=0), atol=1e-5)


def test_more_dimensions_than_direction_numbers_are_padded() -> None:
    points = EvenPoints(SobolEngine.MAXDIM + 50, seed=1)
    many = np.stack([points.point(index) for index in range(20)])
    assert many.shape == (20, SobolEngine.MAXDIM + 50)
    padding = many[:, -50:]
    assert stats.kstest(padding.ravel(), "uniform").pvalue > 0.01
    np.testing.assert_array_equal(points.point(7), many[7])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"strategy": "tsd"}, "sd, ud, uds"),
        ({"strategy": "uds", "form": "other"}, "quantile, literal"),
        ({"seed": -1}, "negative"),
        ({"reach": 0.0}, "not above 0"),
        ({"strategy": "uds", "form": "literal"}, "no samples"),
    ],
)
def test_what_makes_no_sense_is_refused(words: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SamplingSettings(**words)
