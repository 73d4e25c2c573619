"""The defects that measure generalisation: what they cut, and where, on a skull made for the test."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import held_out_defects
from families import drawn
from openings import area_of, opened
from vault import find_vault

SPACING = 2.0


@pytest.fixture(scope="module")
def complete():
    """An ellipsoid shell of 6 mm, 180 x 150 mm, open at the base, with a block of bone as skull base and face."""
    shape = (72, 100, 86)
    ijk_to_ras = np.diag([-SPACING, -SPACING, SPACING, 1.0])
    ijk_to_ras[:3, 3] = (85.0, 99.0, -60.0)
    k, j, i = np.indices(shape)
    x, y, z = (ijk_to_ras[:3, :3] @ np.stack([i.ravel(), j.ravel(), k.ravel()])) + ijk_to_ras[:3, [3]]
    outside = np.sqrt((x / 75) ** 2 + (y / 90) ** 2 + (z / 80) ** 2)
    inside = np.sqrt((x / 69) ** 2 + (y / 84) ** 2 + (z / 74) ** 2)
    shell = (outside <= 1.0) & (inside > 1.0)
    base = (outside <= 1.1) & (z < -22 - 0.15 * y) & (np.abs(x) < 60)
    return Volume((shell | base).reshape(shape).astype(np.uint8), ijk_to_ras, "shell")


@pytest.fixture(scope="module")
def vault(complete):
    found = find_vault(complete)
    assert found.radius == pytest.approx(80.0, abs=6.0)
    return found


@pytest.mark.parametrize("family", held_out_defects.FAMILIES)
def test_a_case_parts_the_skull_on_its_vault(complete, family):
    case = held_out_defects.make_case(complete, family, 3)
    skull, defect = case.skull.voxels, case.defect.voxels
    assert skull.dtype == defect.dtype == np.uint8
    assert np.array_equal(skull + defect, complete.voxels)
    assert case.skull.grid.same_as(complete.grid)
    assert 3.0 <= case.volume <= 150.0
    assert case.volume == pytest.approx(defect.sum() * SPACING**3 / 1000)
    # The shell is 6 mm thick: the area follows from the volume, but for slopes and 2 mm voxels.
    assert case.area == pytest.approx(case.volume / 0.6, rel=0.5)
    _, pieces = ndimage.label(defect, np.ones((3, 3, 3)))
    assert pieces == (2 if family == "bilateral" else 1)
    # Nothing of the skull base is touched.
    assert case.defect.grid.ras_of(np.argwhere(defect)[:, ::-1])[:, 2].min() > -30.0


def test_a_case_is_made_again_by_its_seed(complete):
    _, first = held_out_defects.cut(complete, "rough", 3)
    _, again = held_out_defects.cut(complete, "rough", 3)
    _, other = held_out_defects.cut(complete, "rough", 4)
    assert np.array_equal(first.voxels, again.voxels)
    assert not np.array_equal(first.voxels, other.voxels)


def test_a_turned_head_is_found_turned(complete):
    # The voxels are the same, the patient lies turned by 12 degrees about the vertical.
    sine, cosine = np.sin(np.radians(12.0)), np.cos(np.radians(12.0))
    turn = np.array([[cosine, -sine, 0, 0], [sine, cosine, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    straight = find_vault(complete).axes
    turned = find_vault(Volume(complete.voxels, turn @ complete.ijk_to_ras)).axes
    angle = np.degrees(np.arccos(np.clip(straight[1] @ turned[1], -1, 1)))
    assert angle == pytest.approx(12.0, abs=3.0)


def test_the_clinical_families_lie_where_their_names_say(complete, vault):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        (flap,) = drawn("hemicraniectomy", vault, rng)
        assert 80.0 <= area_of(flap, vault) <= 150.0
        assert abs(flap.direction[0]) > 0.6
        (visor,) = drawn("bifrontal", vault, rng)
        assert visor.direction[1] > 0.4
        right, left = drawn("bilateral", vault, rng)
        assert right.direction[0] > 0 > left.direction[0]
    _, defect = held_out_defects.cut(complete, "bifrontal", 0)
    sides = defect.grid.ras_of(np.argwhere(defect.voxels)[:, ::-1])[:, 0]
    assert sides.min() < -20.0 < 20.0 < sides.max()
    _, defect = held_out_defects.cut(complete, "hemicraniectomy", 0)
    sides = defect.grid.ras_of(np.argwhere(defect.voxels)[:, ::-1])[:, 0]
    assert sides.min() * sides.max() > 0


def test_a_bevelled_rim_narrows_with_depth_and_a_sharp_one_does_not(vault):
    rng = np.random.default_rng(5)
    for family in ("polygon", "bevelled"):
        (plan,) = drawn(family, vault, rng)
        opening = opened(plan, vault, rng)
        # From the middle to the rim and beyond, along the chart's first axis.
        angles = np.linspace(0.0, plan.reach / opening.scale, 4000)
        ray = np.sin(angles)[:, None] * plan.frame[0] + np.cos(angles)[:, None] * plan.frame[2]
        half_width = [
            opening.scale * angles[opening.takes(ray, np.full(len(ray), depth))].max() for depth in (0.0, 4.0)
        ]
        moved = half_width[0] - half_width[1]
        if family == "polygon":
            assert moved == 0.0
        else:
            # At right angles to an edge the rim moves by depth times the slope; along the ray by no less.
            assert moved > 0.9 * 4.0 * np.tan(np.radians(20.0))


def test_defects_lie_all_over_the_vault(vault):
    directions = np.array([drawn("polygon", vault, np.random.default_rng(seed))[0].direction for seed in range(40)])
    assert (directions[:, :2].min(axis=0) < -0.5).all()
    assert (directions[:, :2].max(axis=0) > 0.5).all()
    assert directions[:, 2].max() > 0.8


def test_what_has_no_vault_is_refused(complete):
    with pytest.raises(UserError, match="empty"):
        find_vault(complete.with_voxels(np.zeros_like(complete.voxels)))
    block = complete.with_voxels(np.ones_like(complete.voxels))
    with pytest.raises(UserError, match="no vault"):
        find_vault(block)
    with pytest.raises(UserError, match="no such family"):
        held_out_defects.cut(complete, "sphere", 0)
