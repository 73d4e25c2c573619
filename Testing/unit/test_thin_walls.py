"""Walls thinner than the least: what is taken out of a body for them, and what stays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.mesh_quality import examine
from CranialReconstructionLib.implant.meshing import surface_of
from CranialReconstructionLib.implant.thin_walls import without_thin_walls

SPACING, WALL = 0.4, 1.5
Field = np.ndarray


def places(turn: float = 0.0) -> tuple[Field, Field, Field]:
    """Millimetres along three axes from the middle of a grid, turned about the third by ``turn`` degrees."""
    z, y, x = (np.indices((40, 60, 60)).transpose(1, 2, 3, 0) - (19.5, 29.5, 29.5)).transpose(3, 0, 1, 2) * SPACING
    angle = np.radians(turn)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle), z


def box(axes: tuple[Field, Field, Field], low: tuple[float, ...], high: tuple[float, ...]) -> Field:
    """Signed millimetres to a box, exact within."""
    sides = [np.maximum(a - top, bottom - a) for a, bottom, top in zip(axes, low, high, strict=True)]
    return np.max(sides, axis=0).astype(np.float32)


def plate(axes: tuple[Field, Field, Field]) -> Field:
    """12 x 12 x 4 mm."""
    return box(axes, (-8.0, -6.0, -2.0), (4.0, 6.0, 2.0))


def thinnest(body: Field) -> float:
    """As the implant's own check reads it."""
    wall = examine(surface_of(Volume(body, np.diag([SPACING, SPACING, SPACING, 1.0]), "body"))).wall
    assert wall is not None
    return wall.thinnest


@pytest.mark.parametrize("turn", [0.0, 20.0])
def test_a_body_of_thick_walls_stays_as_it_is_with_all_its_edges(turn: float) -> None:
    body = plate(places(turn))
    assert np.array_equal(without_thin_walls(body, SPACING, WALL), body)


@pytest.mark.parametrize("turn", [0.0, 20.0])
@pytest.mark.parametrize("width", [0.5, 0.9, 1.3])
def test_a_rib_goes_whole_and_the_edges_far_from_it_stay(width: float, turn: float) -> None:
    axes = places(turn)
    rib = box(axes, (3.0, -3.0, -0.5 * width), (7.0, 3.0, 0.5 * width))
    body = np.minimum(plate(axes), rib)
    assert thinnest(body) < width + 0.1
    mended = without_thin_walls(body, SPACING, WALL)
    # A ball of the wall's width stands out where the rib began by less than half a wall.
    assert not (mended[axes[0] > 4.0 + 0.5 * WALL] < 0.0).any()
    assert thinnest(mended) > 3.0
    far = np.abs(axes[0] - 4.0) > 2.0 * WALL
    assert np.array_equal(mended[far & (axes[0] < 4.0)], body[far & (axes[0] < 4.0)])


def test_the_tongue_between_two_slots_goes_if_it_is_thin() -> None:
    axes = places()
    for apart, stays in ((1.0, False), (2.2, True)):
        slots = np.minimum(
            box(axes, (0.0, -0.5 * apart - 0.8, -9.0), (9.0, -0.5 * apart, 9.0)),
            box(axes, (0.0, 0.5 * apart, -9.0), (9.0, 0.5 * apart + 0.8, 9.0)),
        )
        mended = without_thin_walls(np.maximum(plate(axes), -slots), SPACING, WALL)
        tongue = (np.abs(axes[1]) < 0.4 * apart) & (axes[0] > 1.5) & (axes[0] < 3.0) & (np.abs(axes[2]) < 1.0)
        assert (mended[tongue] < 0.0).all() if stays else not (mended[tongue] < 0.0).any()
        assert thinnest(mended) >= WALL


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.2])
def test_a_sheet_of_the_minimum_wall_stays_wherever_the_voxels_lie(shift: float) -> None:
    x, y, z = places()
    # A bench has two voxels in the thinnest sheet.
    for wall in (2.0 * SPACING, WALL):
        sheet = box((x, y, z + shift), (-8.0, -6.0, -0.5 * wall), (4.0, 6.0, 0.5 * wall))
        kept = without_thin_walls(sheet, SPACING, wall)
        assert (kept < 0.0).sum() == (sheet < 0.0).sum()


def test_a_blade_is_cut_back_to_where_it_is_thick_enough() -> None:
    x, y, z = places()
    # Twenty degrees from side to side, its edge at x = 8.
    half = np.radians(10.0)
    blade = np.maximum(np.abs(z) * np.cos(half) - (8.0 - x) * np.sin(half), np.maximum(-8.0 - x, np.abs(y) - 6.0))
    mended = without_thin_walls(blade.astype(np.float32), SPACING, WALL)
    reach = x[(mended < 0.0) & (np.abs(y) < 4.0)].max()
    # A ball of the wall's width fits up to half of it over the sine from the edge, and covers half of it beyond.
    assert reach == pytest.approx(8.0 - 0.5 * WALL / np.sin(half) + 0.5 * WALL, abs=SPACING)
    assert thinnest(mended) >= 0.97 * WALL


def test_a_body_thinner_than_the_wall_is_refused_and_an_island_of_it_dropped() -> None:
    axes = places()
    leaf = box(axes, (6.0, -2.0, -0.4), (10.0, 2.0, 0.4))
    with pytest.raises(UserError, match="nowhere as thick"):
        without_thin_walls(leaf, SPACING, WALL)
    mended = without_thin_walls(np.minimum(plate(axes), leaf), SPACING, WALL)
    assert ndimage.label(mended < 0.0)[1] == 1
    assert (mended[axes[0] < 4.0] < 0.0).sum() == (plate(axes)[axes[0] < 4.0] < 0.0).sum()
