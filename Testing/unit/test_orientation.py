"""Axes in one order: the same voxels at the same places, whatever order they come in."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from CranialReconstructionLib.imaging.orientation import TOWARDS, along_patient
from CranialReconstructionLib.imaging.volume import Volume

SPACING = (0.5, 0.7, 1.3)


def volume(axes: tuple[int, ...], signs: tuple[int, ...], tilt: float) -> Volume:
    """I, J and K along the ``axes`` of RAS, as ``signs`` say, all of it tilted by as many degrees."""
    matrix = np.eye(4)
    turn = Rotation.from_euler("xyz", [tilt, -tilt, 0.5 * tilt], degrees=True).as_matrix()
    matrix[:3, :3] = turn @ (np.eye(3)[:, list(axes)] * np.array(signs)) * SPACING
    matrix[:3, 3] = (-31.0, 12.0, 55.0)
    voxels = np.random.default_rng(0).random((4, 5, 6))
    return Volume(voxels, matrix, "head")


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (-1, -1, 1)])
@pytest.mark.parametrize("tilt", [0.0, 20.0])
def test_axes_run_left_back_and_up_and_every_voxel_keeps_its_place(
    axes: tuple[int, ...], signs: tuple[int, ...], tilt: float
) -> None:
    given = volume(axes, signs, tilt)
    order = along_patient(given.grid)
    found = order.applied(given)
    assert (np.diag(found.ijk_to_ras)[:3] * TOWARDS > 0.8 * np.array(found.spacing)).all()
    assert np.array_equal(order.undone(found.voxels), given.voxels)
    # A value is at the same place in both.
    ijk = np.argwhere(given.voxels >= 0.0)[:, ::-1]
    places = np.rint(found.grid.ijk_of(given.grid.ras_of(ijk))).astype(int)
    assert np.array_equal(found.voxels[tuple(places[:, ::-1].T)], given.voxels[tuple(ijk[:, ::-1].T)])
    assert np.allclose(found.grid.ras_of(places), given.grid.ras_of(ijk), atol=1e-9)


def test_what_lies_in_order_is_left_as_it_is() -> None:
    given = volume((0, 1, 2), (-1, -1, 1), 0.0)
    assert np.array_equal(along_patient(given.grid).applied(given).voxels, given.voxels)
    assert np.array_equal(along_patient(given.grid).applied(given).ijk_to_ras, given.ijk_to_ras)
