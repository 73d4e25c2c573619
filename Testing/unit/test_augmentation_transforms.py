"""Transforms of cases: what each does, that skull, defect and complete stay one case, and that draws can be
replayed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import Compose
from scipy import stats
from synthetic_head import SyntheticHead
from torch.utils.data import DataLoader

from CranialAugmentationTrainerLib.augmentation.affine import Affine, RandomAffine
from CranialAugmentationTrainerLib.augmentation.augmented_cases import AugmentedCases
from CranialAugmentationTrainerLib.augmentation.binary_noise import BinaryNoise, RandomBinaryNoise
from CranialAugmentationTrainerLib.augmentation.case import Binarise, case_of, labels_of
from CranialAugmentationTrainerLib.augmentation.crop import Crop, RandomCrop
from CranialAugmentationTrainerLib.augmentation.cut import RandomCut
from CranialAugmentationTrainerLib.augmentation.deformable_masking import MaskingRange
from CranialAugmentationTrainerLib.augmentation.flip import FLIP_AXES, Flip, RandomFlip
from CranialAugmentationTrainerLib.augmentation.geometric_presets import GEOMETRIC_PRESETS
from CranialAugmentationTrainerLib.augmentation.presets import geometric_augmentation
from CranialAugmentationTrainerLib.augmentation.transform import HISTORY, RandomCaseTransform, replay
from CranialAugmentationTrainerLib.augmentation.warp import RandomWarp, Warp
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import PAPER_BOX
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame

SIDE = 16
SPACING = 256.0 / SIDE
Case = dict[str, Any]


@pytest.fixture(scope="module")
def case() -> Case:
    """Skull, defect and complete skull of a head with a hole on its right."""
    head, grid = SyntheticHead(thickness=28.0, hole_radius=45.0), PAPER_BOX.grid(np.zeros(3), SPACING)
    complete, defect = (
        torch.from_numpy(mask.voxels)[None].float() for mask in (head.complete(grid), head.defect(grid))
    )
    assert defect.sum() > 10
    return case_of(complete, defect)


@pytest.fixture
def noise() -> Case:
    """A case without any likeness to itself."""
    rolls = torch.rand(1, SIDE, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return case_of((rolls < 0.4).float(), (rolls < 0.1).float())


def point(k: int, j: int, i: int) -> Case:
    """One voxel of bone."""
    image = torch.zeros(1, SIDE, SIDE, SIDE)
    image[0, k, j, i] = 1.0
    return {"complete": image}


def place_of(image: torch.Tensor) -> np.ndarray:
    """The middle of the bone, voxels (R, A, S) from the middle of the grid."""
    weights = image[0].numpy()
    indices = np.indices(weights.shape).reshape(3, -1)
    middle = (indices * weights.reshape(-1)).sum(1) / weights.sum()
    return middle[::-1] - (SIDE - 1) / 2.0


def same(one: Case, other: Case) -> bool:
    return all(torch.equal(one[key], other[key]) for key in ("skull", "defect", "complete"))


def consistent(case: Case, tolerance: float = 0.0) -> bool:
    return float((case["complete"] - case["skull"] - case["defect"]).abs().max()) <= tolerance


@pytest.mark.parametrize("axis", FLIP_AXES)
def test_a_flip_twice_is_none(axis: str, noise: Case) -> None:
    once = Flip(axis)(noise)
    assert not same(once, noise)
    assert same(Flip(axis)(once), noise)


def test_flips_swap_what_their_names_say() -> None:
    before = place_of(point(3, 5, 12)["complete"])
    for axis, changed in (("sagittal", 0), ("frontal", 1), ("longitudinal", 2)):
        after = place_of(Flip(axis)(point(3, 5, 12))["complete"])
        expected = before.copy()
        expected[changed] *= -1.0
        np.testing.assert_allclose(after, expected, atol=1e-6)


def test_an_affine_takes_a_point_where_its_matrix_does() -> None:
    affine = Affine(rotation=(0.0, 0.0, 90.0), translation=(2.0, -1.0, 3.0))
    before = place_of(point(5, 9, 11)["complete"])
    # A quarter turn about S takes right to anterior.
    by_hand = np.array([2.0 - before[1], before[0] - 1.0, before[2] + 3.0])
    np.testing.assert_allclose((affine.matrix.numpy() @ [*before, 1.0])[:3], by_hand, atol=1e-6)
    np.testing.assert_allclose(place_of(affine(point(5, 9, 11))["complete"]), by_hand, atol=1e-5)


def test_an_affine_of_any_kind_takes_a_ball_along() -> None:
    affine = Affine(rotation=(10.0, -20.0, 35.0), translation=(1.0, -2.0, 0.5), scale=1.2)
    k, j, i = np.indices((SIDE, SIDE, SIDE)) - (SIDE - 1) / 2.0
    before = np.array([2.0, -1.5, 1.0])
    away = np.sqrt((i - before[0]) ** 2 + (j - before[1]) ** 2 + (k - before[2]) ** 2)
    ball = {"complete": torch.from_numpy(np.clip(3.0 - away, 0.0, 1.0)).float()[None]}
    moved = affine(ball)["complete"]
    np.testing.assert_allclose(place_of(moved), (affine.matrix.numpy() @ [*before, 1.0])[:3], atol=0.1)
    assert float(moved.sum() / ball["complete"].sum()) == pytest.approx(1.2**3, rel=0.05)


def test_shifts_are_the_papers_on_any_grid() -> None:
    drawing = RandomAffine(7.0, 16.0, (0.7, 1.1), probability=1.0).set_random_state(seed=0)
    drawn = [drawing.draw(point(0, 0, 0)) for _ in range(200)]
    shifts = np.array([affine.translation for affine in drawn])
    # 16 voxels of 256 are one of 16.
    assert 0.9 < np.abs(shifts).max() <= 1.0
    assert 6.5 < np.abs([affine.rotation for affine in drawn]).max() <= 7.0
    scales = [affine.scale for affine in drawn]
    assert 0.7 <= min(scales) < 0.72 < 1.08 < max(scales) <= 1.1


def test_noise_flips_the_share_that_a_normal_tail_has() -> None:
    empty, full = torch.zeros(1, 48, 48, 48), torch.ones(1, 48, 48, 48)
    for threshold, sigma in ((1.8, 1.0), (2.2, 1.5)):
        expected = stats.norm.sf(threshold / sigma)
        error = 4.0 * np.sqrt(expected / empty.numel())
        appeared = BinaryNoise(threshold, sigma, 5)({"complete": empty})["complete"].mean()
        vanished = 1.0 - BinaryNoise(threshold, sigma, 6)({"complete": full})["complete"].mean()
        assert float(appeared) == pytest.approx(expected, abs=error)
        assert float(vanished) == pytest.approx(expected, abs=error)


def test_noise_leaves_one_case(noise: Case) -> None:
    noisy = BinaryNoise(1.0, 1.0, 3)(noise)
    assert consistent(noisy)
    flipped = noisy["complete"] != noise["complete"]
    assert flipped.float().mean() > 0.1
    # What appears is skull, never missing bone.
    assert not (noisy["defect"] > noise["defect"]).any()
    assert torch.equal(noisy["defect"][flipped], torch.zeros_like(noisy["defect"][flipped]))


def test_a_crop_empties_the_border_alone(noise: Case) -> None:
    cropped = Crop((1, 2, 3), (0, 4, 5))(noise)
    assert torch.equal(cropped["complete"][:, 1:, 2:12, 3:11], noise["complete"][:, 1:, 2:12, 3:11])
    assert float(cropped["complete"].sum()) == float(noise["complete"][:, 1:, 2:12, 3:11].sum())
    assert consistent(cropped)


def test_crops_spare_the_defect() -> None:
    # Unlike edges and places along the three axes, near the low end, the middle and the high end.
    complete = torch.ones(1, 20, 30, 40)
    defect = torch.zeros_like(complete)
    defect[:, 1:3, 14:17, 35:39] = 1.0
    whole = case_of(complete, defect)
    cropping = RandomCrop(0.3, probability=1.0).set_random_state(seed=0)
    drawn = [cropping.draw(whole) for _ in range(100)]
    for crop in drawn:
        assert float(crop(whole)["defect"].sum()) == float(defect.sum())
    low, high = (np.max([getattr(crop, end) for crop in drawn], axis=0) for end in ("low", "high"))
    assert low.tolist() == [1, 8, 11]
    assert high.tolist() == [5, 8, 1]


def test_a_warp_moves_all_three_together(case: Case) -> None:
    # Two voxels towards the patient's left everywhere; half of it is one.
    displacement = torch.zeros(3, 4, 4, 4)
    displacement[0] = 4.0 / SIDE
    torch.testing.assert_close(Warp(displacement)(case)["skull"][..., :-2], case["skull"][..., 2:], atol=1e-5, rtol=0.0)
    half = Warp(displacement, 0.5)(case)
    torch.testing.assert_close(half["defect"][..., :-1], case["defect"][..., 1:], atol=1e-5, rtol=0.0)
    assert consistent(half, 1e-6)


def test_binary_cases_are_one_case_after_any_warp(case: Case) -> None:
    wild = 0.15 * torch.randn(3, 6, 6, 6, generator=torch.Generator().manual_seed(2))
    warped = Binarise()(Warp(wild)(case))
    for image in (warped["skull"], warped["defect"], warped["complete"]):
        assert set(image.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(warped["defect"], warped["complete"] - warped["skull"])
    labels = labels_of(warped)
    assert np.array_equal(labels == 2, warped["defect"][0].numpy() == 1.0)
    assert np.array_equal(labels == 1, warped["skull"][0].numpy() == 1.0)


def transforms() -> dict[str, RandomCaseTransform]:
    frame = HeadFrame(PAPER_BOX)
    displacements = [0.1 * torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(n)) for n in range(3)]
    return {
        "flip": RandomFlip("sagittal", 0.5),
        "crop": RandomCrop(0.4, probability=0.9),
        "affine": RandomAffine(30.0, 20.0, (0.6, 1.2)),
        "noise": RandomBinaryNoise((1.0, 2.0)),
        "warp": RandomWarp(displacements),
        "cut": RandomCut(MaskingRange(), frame, SPACING),
    }


@pytest.mark.parametrize("name", transforms())
def test_equal_seeds_draw_alike_and_other_seeds_do_not(name: str, case: Case) -> None:
    drawing = transforms()[name]

    def drawn(seed: int) -> list[Case]:
        drawing.set_random_state(seed=seed)
        return [drawing(case) for _ in range(6)]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not all(same(a, b) for a, b in zip(first, other, strict=True))
    assert all(consistent(one, 1e-5) for one in first)


@pytest.mark.parametrize("name", transforms())
def test_a_replay_is_what_was_drawn(name: str, case: Case) -> None:
    drawing = transforms()[name]
    drawing.set_random_state(seed=4)
    for _ in range(4):
        augmented = drawing(case)
        assert same(replay(augmented.get(HISTORY, ()), case), augmented)


@pytest.mark.parametrize("name", GEOMETRIC_PRESETS)
def test_a_preset_draws_each_part_three_times_in_four_in_any_order(name: str) -> None:
    tiny = case_of(torch.ones(1, 2, 2, 2), torch.zeros(1, 2, 2, 2))
    transform = geometric_augmentation(name)
    parts = {"basic": 2, "heavy": 4, "extreme": 6}[name]
    transform.set_random_state(seed=0)
    rounds = 150
    histories = [transform(tiny).get(HISTORY, ()) for _ in range(rounds)]
    count = sum(len(history) for history in histories)
    assert count / (rounds * parts) == pytest.approx(0.75, abs=4.0 * np.sqrt(0.1875 / (rounds * parts)))
    firsts = Counter(type(history[0]).__name__ for history in histories if history)
    assert len(firsts) == {"basic": 2, "heavy": 4, "extreme": 4}[name]
    if name == "extreme":
        flips = {step.axis for history in histories for step in history if isinstance(step, Flip)}
        assert flips == set(FLIP_AXES)


def test_presets_are_the_papers_table() -> None:
    table = {name: (p.rotation, p.translation, p.scale, p.crop, p.noise) for name, p in GEOMETRIC_PRESETS.items()}
    assert table == {
        "basic": (7.0, 7.0, (0.7, 1.1), False, None),
        "heavy": (15.0, 10.0, (0.5, 1.2), True, (2.2, 4.5)),
        "extreme": (45.0, 15.0, (0.4, 1.3), True, (1.8, 4.5)),
    }
    with pytest.raises(UserError, match="basic, heavy, extreme"):
        geometric_augmentation("mild")


def test_a_case_in_a_loader_depends_on_seed_epoch_and_number_alone(case: Case) -> None:
    transform = Compose([geometric_augmentation("extreme"), Binarise()])
    cases = AugmentedCases([case], transform, seed=7, length=4)
    alone = [cases[number] for number in (3, 1, 0, 2)]
    loaded = list(DataLoader(cases, batch_size=None, num_workers=2))
    assert all(same(alone[place], loaded[number]) for place, number in enumerate((3, 1, 0, 2)))
    assert not same(loaded[0], loaded[1])
    assert same(replay(cases.history(2), case), loaded[2])
    cases.set_epoch(1)
    assert not all(same(cases[number], loaded[number]) for number in range(4))
    with pytest.raises(IndexError):
        cases[4]


def test_what_else_a_case_holds_is_passed_on(case: Case) -> None:
    some = {"defect": case["defect"], "skull": case["skull"], "name": "one"}
    augmented = geometric_augmentation("heavy", 1.0)(some)
    assert augmented["name"] == "one"
    assert set(augmented) == {"skull", "defect", "name", HISTORY}
