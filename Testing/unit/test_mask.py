"""Masks of skulls, and what is taken for one."""

import logging

import numpy as np
import pytest

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.mask import as_skull_mask, looks_like_ct
from CranialReconstructionLib.imaging.volume import Volume

SPACING = (2.0, 2.0, 2.5)
SHAPE = (72, 100, 90)


def radius(axes: tuple[float, float, float] = (65.0, 85.0, 70.0)) -> np.ndarray:
    """Of an ellipsoid in the middle of the grid: 1 on its surface."""
    kji = [(np.arange(n) - (n - 1) / 2) * length for n, length in zip(SHAPE, SPACING[::-1], strict=True)]
    k, j, i = np.meshgrid(*kji, indexing="ij")
    return np.sqrt((i / axes[0]) ** 2 + (j / axes[1]) ** 2 + (k / axes[2]) ** 2)


def volume(voxels: np.ndarray) -> Volume:
    return Volume(voxels, np.diag([*SPACING, 1.0]), "given.nrrd")


def skull() -> np.ndarray:
    """A shell of about 6 mm, open below, with a third of the vault missing."""
    r = radius()
    shell = (r < 1.0) & (r > 0.92)
    shell[:10] = False
    shell[45:, :45] = False
    return shell


def refusal(voxels: np.ndarray) -> str:
    with pytest.raises(UserError) as caught:
        as_skull_mask(volume(voxels))
    assert caught.value.where == "given.nrrd"
    return str(caught.value)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("value", [1, 255])
def test_a_skull_of_any_type(dtype: type, value: int) -> None:
    given = volume(skull().astype(dtype) * dtype(value if dtype is not np.bool_ else 1))
    mask = as_skull_mask(given)
    assert mask.voxels.dtype == np.uint8
    np.testing.assert_array_equal(mask.voxels, skull())
    assert mask.grid.same_as(given.grid)
    assert not looks_like_ct(given)


def test_a_negative_background(caplog: pytest.LogCaptureFixture) -> None:
    given = np.where(skull(), 1, -1).astype(np.int16)
    np.testing.assert_array_equal(as_skull_mask(volume(given)).voxels, skull())
    assert caplog.text == ""


def test_labels_are_all_bone_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    labels = skull().astype(np.uint8)
    labels[:, 50:] *= 3
    with caplog.at_level(logging.WARNING):
        mask = as_skull_mask(volume(labels))
    np.testing.assert_array_equal(mask.voxels, skull())
    assert "labels 1, 3" in caplog.text


def test_empty_and_full() -> None:
    assert "the mask is empty" in refusal(np.zeros(SHAPE, np.uint8))
    assert "the mask is all bone" in refusal(np.ones(SHAPE, np.uint8))


def test_a_ct_is_told_from_a_mask() -> None:
    hounsfield = np.where(skull(), 900, -1000).astype(np.int16)
    hounsfield[radius() < 0.92] = 40
    assert looks_like_ct(volume(hounsfield))
    message = refusal(hounsfield)
    assert "grey values where a skull mask was expected" in message
    assert "Segment the skull first" in message


def test_grey_values_of_any_scale() -> None:
    rng = np.random.default_rng(0)
    for grey in (rng.integers(0, 256, SHAPE).astype(np.uint8), rng.random(SHAPE).astype(np.float32), radius() + 5.0):
        assert looks_like_ct(volume(grey))
        assert "grey values" in refusal(grey)
    # A probability map of few levels is no mask either.
    assert looks_like_ct(volume(skull() * np.float32(0.5)))


def test_what_is_not_the_shape_of_a_skull() -> None:
    noise = np.random.default_rng(0).random(SHAPE)
    rows, columns = np.indices(SHAPE)[1:]
    cases = {
        "ml of bone": (radius((15, 15, 15)) < 1, radius((100, 110, 90)) < 1),
        "solid": (radius() < 1, radius((50, 60, 50)) < 1),
        "scattered": (noise < 0.03,),
        "a side of": ((np.abs(rows - 50) < 4) & (columns > 10), radius((28, 28, 85)) < 1),
    }
    for measure, masks in cases.items():
        for mask in masks:
            message = refusal(mask.astype(np.uint8))
            assert "does not look like a skull" in message
            assert measure in message


def test_a_speck_far_away_does_not_make_an_implant_a_skull() -> None:
    implant = skull().astype(np.uint8)
    implant[:, :, 35:] = 0
    assert "a side of" in refusal(implant)
    implant[2, 95, 85] = 1
    assert "a side of" in refusal(implant)


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_spacing_that_is_off_by_ten_is_noticed(factor: float) -> None:
    given = Volume(skull().astype(np.uint8), np.diag([*(np.array(SPACING) * factor), 1.0]))
    with pytest.raises(UserError, match="ml of bone"):
        as_skull_mask(given)


def test_orientation_does_not_matter() -> None:
    for axes in ((2, 1, 0), (1, 0, 2)):
        spacing_kji = np.array(SPACING[::-1])[list(axes)]
        turned = Volume(skull().transpose(axes).astype(np.uint8), np.diag([*spacing_kji[::-1], 1.0]))
        assert as_skull_mask(turned).voxels.sum() == skull().sum()
