"""Registration of pairs: the terms of its objective, what it brings about, and which pairs are drawn."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_head import SyntheticHead
from torch.nn import functional

from CranialAugmentationTrainerLib.augmentation.case import case_of
from CranialAugmentationTrainerLib.augmentation.heads import Heads
from CranialAugmentationTrainerLib.augmentation.pairs import draw_pairs
from CranialAugmentationTrainerLib.augmentation.registered_pairs import RegisteredPairs
from CranialAugmentationTrainerLib.augmentation.registration import (
    add_diffusion_gradient,
    alpha_in_voxels,
    diffusion,
    folding_fraction,
    in_voxels,
    register,
    registration_states,
)
from CranialAugmentationTrainerLib.augmentation.registration_schedule import (
    ALPHAS,
    REGISTRATION_PRESETS,
    RegistrationSchedule,
)
from CranialAugmentationTrainerLib.augmentation.transform import Images
from CranialAugmentationTrainerLib.augmentation.warp import Warp
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import PAPER_BOX

SIDE = 24
QUICK = RegistrationSchedule(levels=(2, 1), iterations=25, affine_iterations=30)


def field(side: int = SIDE, spread: float = 0.05) -> torch.Tensor:
    return spread * torch.randn(3, side, side, side, generator=torch.Generator().manual_seed(side))


def ball(middle: tuple[float, float, float], radius: float = 6.0) -> torch.Tensor:
    """A solid ball (K, J, I) about ``middle`` (k, j, i)."""
    places = torch.stack(torch.meshgrid(*[torch.arange(float(SIDE))] * 3, indexing="ij"), -1)
    away = torch.linalg.vector_norm(places - torch.tensor(middle), dim=-1)
    return (radius - away + 0.5).clamp(0.0, 1.0)


def mismatch(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).square().mean())


def warped(image: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
    return Warp(displacement).apply({"complete": image[None]})["complete"][0]


def test_alpha_weighs_the_same_in_voxels() -> None:
    assert alpha_in_voxels(12500.0, 256) == pytest.approx(0.763, abs=5e-4)
    displacement = field()
    in_units = 12500.0 * diffusion(displacement)
    in_grid = alpha_in_voxels(12500.0, SIDE) * diffusion(in_voxels(displacement))
    torch.testing.assert_close(in_units, in_grid)


def test_diffusion_of_a_ramp_is_known() -> None:
    ramp = torch.zeros(3, 4, 5, 6)
    # One channel of three rises by 0.3 along one axis of three.
    ramp[1] = 0.3 * torch.arange(5.0)[None, :, None]
    assert float(diffusion(ramp)) == pytest.approx(0.3**2 / 9.0)
    assert float(diffusion(torch.ones(3, 4, 5, 6))) == 0.0


def test_the_gradient_of_the_diffusion_is_autograds() -> None:
    displacement = field(6).requires_grad_()
    (7.0 * diffusion(displacement)).backward()
    last = displacement.detach().movedim(0, -1)
    gradient = torch.ones_like(last)
    add_diffusion_gradient(gradient, last, 7.0, last.shape)
    torch.testing.assert_close((gradient - 1.0).movedim(-1, 0), displacement.grad)


def test_a_part_of_the_grid_counts_as_in_the_whole() -> None:
    part = field(6).movedim(0, -1)
    whole = functional.pad(part.movedim(-1, 0)[None], (2, 3, 0, 4, 1, 0), mode="replicate")[0].requires_grad_()
    diffusion(whole).backward()
    gradient = torch.zeros_like(part)
    add_diffusion_gradient(gradient, part, 1.0, (*whole.shape[1:], 3))
    # Where the border is not repeated, the two see the same neighbours.
    inner = whole.grad[:, 2:6, 1:5, 3:7].movedim(0, -1)
    torch.testing.assert_close(gradient[1:5, 1:5, 1:5], inner)


def test_folding_of_a_known_fold() -> None:
    assert folding_fraction(torch.zeros(3, 8, 8, 8)) == 0.0
    # The map goes back over the eight middle voxels of sixteen: it moves by -2 a voxel there.
    along = torch.arange(16.0)
    shift = torch.where(along < 4, 0.0, torch.where(along < 12, -2.0 * (along - 4.0), -16.0))
    fold = torch.zeros(3, 16, 16, 16)
    fold[1] = shift[None, :, None] * 2.0 / 16.0
    assert folding_fraction(fold) == pytest.approx(8.0 / 16.0, abs=1.01 / 16.0)
    assert folding_fraction(0.4 * fold) == 0.0


def test_a_shifted_ball_comes_onto_the_fixed_one() -> None:
    moving, fixed = ball((11.5, 11.5, 11.5)), ball((9.5, 12.5, 14.5))
    displacement = register(moving, fixed, QUICK)
    assert mismatch(warped(moving, displacement), fixed) < 0.02 * mismatch(moving, fixed)
    # In the ball the field is the shift: the moving ball lies -3, -1 and +2 voxels along I, J and K.
    inside = in_voxels(displacement)[:, fixed > 0.5].mean(1)
    np.testing.assert_allclose(inside.numpy(), [-3.0, -1.0, 2.0], atol=0.25)


def test_a_larger_alpha_gives_a_smoother_field() -> None:
    moving, fixed = ball((11.5, 11.5, 11.5)), ball((11.5, 11.5, 11.5), 8.0)
    fixed[14:, 8:12] = 0.0
    deformed = replace(QUICK, affine_iterations=0)
    fields = [register(moving, fixed, replace(deformed, alpha=alpha)) for alpha in ALPHAS[::2]]
    roughness = [float(diffusion(displacement)) for displacement in fields]
    assert roughness[0] > 1.2 * roughness[1] > 1.2**2 * roughness[2]
    differences = [mismatch(warped(moving, displacement), fixed) for displacement in fields]
    assert differences[0] < differences[1] < differences[2] < mismatch(moving, fixed)


def test_states_go_from_the_moving_to_the_fixed_head() -> None:
    moving, fixed = ball((11.5, 11.5, 11.5)), ball((9.5, 12.5, 13.5), 7.0)
    schedule = replace(QUICK, affine_iterations=0, iterations=4, learning_rate=0.005)
    states = list(registration_states(moving, fixed, schedule, 4))
    assert [(state.iteration, state.level) for state in states] == [(2, 2), (4, 2), (6, 1), (8, 1)]
    left = [mismatch(moving, fixed), *(mismatch(warped(moving, state.displacement), fixed) for state in states)]
    assert left == sorted(left, reverse=True)
    torch.testing.assert_close(states[-1].displacement, register(moving, fixed, schedule))
    with pytest.raises(UserError, match="8 iterations have no 9 states"):
        next(registration_states(moving, fixed, schedule, 9))


def test_images_at_the_grids_border_and_empty_ones_are_registered() -> None:
    displacement = register(ball((0.0, 23.0, 11.5)), ball((1.0, 22.0, 11.5)), QUICK)
    assert torch.isfinite(displacement).all()
    still = register(torch.zeros(8, 8, 8), torch.zeros(8, 8, 8), QUICK)
    assert float(still.abs().max()) < 1e-6


def test_presets_are_the_papers_weights() -> None:
    assert [preset.alpha for preset in REGISTRATION_PRESETS.values()] == [6250, 12500, 25000, 50000, 100000]
    assert {(len(preset.levels), preset.iterations) for preset in REGISTRATION_PRESETS.values()} == {(4, 50)}
    with pytest.raises(UserError, match="coarse to fine"):
        RegistrationSchedule(levels=(1, 2))
    with pytest.raises(UserError, match="alpha"):
        RegistrationSchedule(alpha=-1.0)


def test_each_ordered_pair_comes_once() -> None:
    people = ["a", "b", "c", "d", "e"]
    pairs = draw_pairs(people, 20, 3)
    assert sorted(pairs) == [(a, b) for a in range(5) for b in range(5) if a != b]
    assert draw_pairs(people, 7, 3) == pairs[:7]
    assert draw_pairs(people, 20, 4) != pairs
    with pytest.raises(UserError, match="give 20 pairs, not 21"):
        draw_pairs(people, 21, 3)


def test_a_person_is_not_paired_with_itself() -> None:
    people = ["a", "a", "b", "b", "c"]
    pairs = draw_pairs(people, 16, 0)
    assert all(people[one] != people[other] for one, other in pairs)
    with pytest.raises(UserError):
        draw_pairs(people, 17, 0)


@pytest.fixture(scope="module")
def heads() -> Heads:
    """Three heads on 16^3."""
    grid = PAPER_BOX.grid(np.zeros(3), 16.0)

    def load(number: int) -> Images:
        half_axes = ((72.0, 90.0, 82.0), (80.0, 88.0, 76.0), (66.0, 96.0, 84.0))[number]
        head = SyntheticHead(thickness=28.0, hole_radius=45.0, half_axes=half_axes)
        shares = [torch.from_numpy(mask(grid).voxels)[None].float() for mask in (head.complete, head.defect)]
        return case_of(*shares)

    return Heads(("0", "1", "2"), ("0", "1", "2"), PAPER_BOX, 16.0, load)


def test_a_registered_pair_is_one_binary_case(heads: Heads) -> None:
    items = list(RegisteredPairs(heads, 6, replace(QUICK, iterations=15), seed=1))
    for item in items:
        assert torch.equal(item["defect"], item["complete"] - item["skull"])
        assert set(item["complete"].unique().tolist()) == {0.0, 1.0}
        one, other = (heads.names.index(name) for name in item["record"]["sources"])
        assert item["record"]["skull"] == heads.people[one]
        assert item["record"]["alpha"] == QUICK.alpha
        assert 0.0 <= item["record"]["folding_fraction"] < 0.05
        assert item["defect"].sum() > 10
        complete, target = (heads[number]["complete"] for number in (one, other))
        assert mismatch(item["complete"], target) < mismatch(complete, target)
    assert len({tuple(item["record"]["sources"]) for item in items}) == 6


def test_states_of_a_pair_share_its_registration(heads: Heads, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: Counter[int] = Counter()

    def counted(*arguments: object) -> object:
        begun["registrations"] += 1
        return registration_states(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("CranialAugmentationTrainerLib.augmentation.registered_pairs.registration_states", counted)
    pairs = RegisteredPairs(heads, 6, replace(QUICK, iterations=4, affine_iterations=3), states=3)
    in_order = [pairs[number] for number in range(6)]
    assert begun["registrations"] == 2
    # Alone, backwards, and in another process each is what it was.
    copied = pickle.loads(pickle.dumps(RegisteredPairs(heads_alike(heads), 6, pairs.schedule, states=3)))
    for number in (5, 4, 1, 2, 0, 3):
        again = (pairs if number % 2 else copied)[number]
        assert torch.equal(again["complete"], in_order[number]["complete"])
        assert again["record"] == in_order[number]["record"]
    assert [item["record"]["iterations"] for item in in_order[:3]] == [3, 5, 8]


class Loaded:
    """Heads that can be pickled."""

    def __init__(self, images: list[Images]) -> None:
        self.images = images

    def __call__(self, number: int) -> Images:
        return self.images[number]


def heads_alike(heads: Heads) -> Heads:
    return replace(heads, load=Loaded(list(heads)))
