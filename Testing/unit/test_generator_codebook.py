"""The VQVAE's codebook, in use and collapsed, and the prior over its codes."""

from __future__ import annotations

import math

import pytest
import torch

from CranialAugmentationTrainerLib.generators.code_prior import CodePrior, VoxelByVoxel
from CranialAugmentationTrainerLib.generators.codebook import Codebook
from CranialAugmentationTrainerLib.generators.noise import Noise
from CranialAugmentationTrainerLib.generators.parameters import CodebookSettings
from CranialAugmentationTrainerLib.generators.quantised_network import codebook_concerns, codebook_figures

CODES, SHAPE = 8, (3, 2, 4)
# Codes for eight clusters; with eight, two may settle on one of them, as in any k-means.
MANY = 32
CORNERS = torch.tensor([[x, y, z] for x in (-4.0, 4.0) for y in (-4.0, 4.0) for z in (-4.0, 4.0)])


def features_near(places: torch.Tensor, step: int) -> torch.Tensor:
    """(4, 3, 4, 4, 4) features, each near a random one of ``places``."""
    noise = Noise(11, step)
    chosen = places[noise.integers(len(places), 4, 4, 4, 4)]
    return (chosen + 0.05 * noise.normal(*chosen.shape)).movedim(-1, 1)


def taught(codebook: Codebook, places: torch.Tensor, batches: int) -> Codebook:
    for step in range(batches):
        codebook.learn(features_near(places, step), Noise(3, step))
    return codebook


def test_every_cluster_finds_its_code_and_all_codes_are_used() -> None:
    torch.manual_seed(0)
    codebook = taught(Codebook(CodebookSettings(codes=MANY, decay=0.9, patience=5), 3), CORNERS, 60)
    nearest = torch.cdist(CORNERS, codebook.quantizer.embedding.weight).min(1).values
    assert float(nearest.max()) < 0.1
    figures = codebook_figures(codebook)
    assert figures["codes_in_use"] == 1.0
    assert len(CORNERS) < figures["perplexity"] <= MANY
    assert codebook_concerns(figures) == []


def test_a_codebook_that_carries_nothing_is_reported() -> None:
    codebook = Codebook(CodebookSettings(codes=16, decay=0.9, patience=4), 3)
    assert codebook_figures(codebook) == {}
    for step in range(40):
        # Constant features: whatever code is nearest takes all of them.
        codebook.learn(torch.ones(2, 3, 2, 2, 2), Noise(3, step))
    figures = codebook_figures(codebook)
    assert figures["codes_in_use"] < 0.5
    found = codebook_concerns(figures)
    assert "are in use" in found[0]
    # Codes that start anew count once in the averages, so only the share in use tells it for sure.
    assert codebook_concerns({"perplexity": 1.2}) == ["the codebook has collapsed: its perplexity is 1.20"]


def test_idle_codes_start_anew_where_the_features_have_moved() -> None:
    torch.manual_seed(0)
    codebook = taught(Codebook(CodebookSettings(codes=MANY, decay=0.9, patience=5), 3), CORNERS[:1], 10)
    taught(codebook, CORNERS + 20.0, 60)
    nearest = torch.cdist(CORNERS + 20.0, codebook.quantizer.embedding.weight).min(1).values
    assert float(nearest.max()) < 0.2
    assert codebook.in_use() == 1.0


def test_codes_move_by_the_averages_decay() -> None:
    codebook = Codebook(CodebookSettings(codes=2, decay=0.99), 1)
    kept = codebook.quantizer
    codebook.started.fill_(True)
    kept.embedding.weight.copy_(torch.tensor([[0.0], [10.0]]))
    kept.ema_cluster_size.fill_(4.0)
    kept.ema_w.copy_(4.0 * kept.embedding.weight)
    codebook.learn(torch.full((1, 1, 2, 2, 1), 1.0), Noise(0, 0))
    # Counts 4 -> .99*4 + .01*4 and .99*4; sums 0 -> .01*4 and 40 -> .99*40.
    assert kept.ema_cluster_size.tolist() == pytest.approx([4.0, 3.96])
    assert kept.embedding.weight[:, 0].tolist() == pytest.approx([0.01, 10.0], rel=1e-3)


def test_features_get_the_decoders_gradient_and_the_commitment() -> None:
    codebook = Codebook(CodebookSettings(codes=2, commitment=0.25, decay=0.5), 1)
    codebook.started.fill_(True)
    codebook.quantizer.embedding.weight.copy_(torch.tensor([[0.0], [10.0]]))
    codebook.quantizer.ema_w.copy_(codebook.quantizer.embedding.weight)
    codebook.quantizer.ema_cluster_size.fill_(1.0)
    features = torch.tensor([1.0, 9.0]).view(1, 1, 2, 1, 1).requires_grad_()
    quantized, commitment, indices = codebook.learn(features, Noise(0, 0))
    assert indices.flatten().tolist() == [0, 1]
    assert quantized.flatten().tolist() == pytest.approx([0.0, 10.0])
    assert commitment.item() == pytest.approx(0.25 * 1.0)
    (quantized.sum() * 7.0 + commitment).backward()
    assert features.grad is not None
    # 7 straight through; the commitment's 2 * 0.25 * (feature - code) / 2 numbers.
    assert features.grad.flatten().tolist() == pytest.approx([7.25, 6.75])
    assert not codebook.quantizer.embedding.weight.requires_grad


@pytest.fixture
def prior() -> CodePrior:
    torch.manual_seed(2)
    made = CodePrior(CODES, SHAPE, width=6, layers=2)
    torch.nn.init.normal_(made.place, std=0.5)
    # Far from uniform, so that draws depend on the codes before them.
    torch.nn.init.normal_(made.last[-1].weight, std=2.0)
    return made


def test_a_code_depends_on_the_codes_before_it_alone(prior: CodePrior) -> None:
    indices = Noise(1, 0).integers(CODES, 1, *SHAPE)
    logits = prior(indices).flatten(2)
    changed = indices.clone()
    place = 13
    changed.view(1, -1)[0, place] = (changed.view(1, -1)[0, place] + 1) % CODES
    moved = (prior(changed).flatten(2) - logits).abs().amax((0, 1)) > 1e-6
    assert not bool(moved[: place + 1].any())
    assert bool(moved[place + 1])


def test_voxel_by_voxel_gives_what_the_whole_grid_gives(prior: CodePrior) -> None:
    inputs = torch.randn(2, 6, *SHAPE)
    for layer in (prior.first, prior.layers[0]):
        whole = layer(inputs)
        single = VoxelByVoxel(layer, 2, SHAPE)
        for k in range(SHAPE[0]):
            for j in range(SHAPE[1]):
                for i in range(SHAPE[2]):
                    if layer.seen % 2 == 0:
                        single.put(inputs[:, :, k, j, i], (k, j, i))
                    assert torch.allclose(single.at((k, j, i)), whole[:, :, k, j, i], atol=1e-5)
                    if layer.seen % 2:
                        single.put(inputs[:, :, k, j, i], (k, j, i))


def test_draws_follow_the_priors_own_distribution(prior: CodePrior) -> None:
    count = 4000
    drawn = prior.draw(Noise(4, 0).normal(count, 1, *SHAPE))
    with torch.no_grad():
        first = prior(drawn[:1])[0, :, 0, 0, 0].softmax(0)
        # Given the draws, the mean of what the network foretells is what it drew.
        last = prior(drawn)[:, :, -1, -1, -1].softmax(1).mean(0)
    for codes, wanted in ((drawn[:, 0, 0, 0], first), (drawn[:, -1, -1, -1], last)):
        shares = torch.bincount(codes, minlength=CODES) / count
        assert bool(((shares - wanted).abs() < 5 * (wanted * (1 - wanted) / count).sqrt() + 1e-9).all())


def test_latents_of_codes_draw_them_again(prior: CodePrior) -> None:
    drawn = prior.draw(Noise(5, 0).normal(3, 1, *SHAPE))
    latents = prior.latents(drawn)
    assert latents.shape == (3, 1, *SHAPE)
    assert bool(latents.isfinite().all())
    assert torch.equal(prior.draw(latents), drawn)
    # One case alone, and far out latents.
    assert torch.equal(prior.draw(latents[1:2]), drawn[1:2])
    assert prior.draw(torch.full((1, 1, *SHAPE), 40.0)).max() < CODES


def test_the_loss_is_the_cross_entropy_a_code(prior: CodePrior) -> None:
    indices = Noise(1, 0).integers(CODES, 2, *SHAPE)
    with torch.no_grad():
        chances = prior(indices).softmax(1).gather(1, indices[:, None])
    assert prior.loss(indices).item() == pytest.approx(-float(chances.log().mean()), rel=1e-5)
    torch.nn.init.zeros_(prior.last[-1].weight)
    torch.nn.init.zeros_(prior.last[-1].bias)
    assert prior.loss(indices).item() == pytest.approx(math.log(CODES), rel=1e-5)


def test_the_prior_learns_a_rule() -> None:
    torch.manual_seed(0)
    prior = CodePrior(CODES, SHAPE, width=16, layers=1)
    optimiser = torch.optim.Adam(prior.parameters(), lr=1e-2)
    for step in range(60):
        # Every code is the one before it plus one; the first is free.
        start = Noise(7, step).integers(CODES, 8)
        indices = (start[:, None] + torch.arange(math.prod(SHAPE))).remainder(CODES).view(8, *SHAPE)
        loss = prior.loss(indices)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    drawn = prior.draw(Noise(8, 0).normal(4, 1, *SHAPE)).flatten(1)
    along = (drawn.diff(dim=1) - 1).remainder(CODES) == 0
    # Codes in a row that have their forerunner beside them.
    inside = (torch.arange(1, math.prod(SHAPE)) % SHAPE[2]) != 0
    assert float(along[:, inside].float().mean()) > 0.9
