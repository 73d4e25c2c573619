"""The canonical head grid is placed from the skull, whatever is wrong with it."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_head import SyntheticHead

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import HEAD_BOXES, VAULT_BOX, head_grid, place_head
from CranialReconstructionLib.imaging.volume import Volume

HEAD = SyntheticHead(hole_radius=0.0)
TOLERANCE_MM = 8.0


def centre_of(volume: Volume) -> np.ndarray:
    return place_head(volume).centre


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    return centre_of(HEAD.complete(HEAD.grid()))


def test_the_place_moves_with_the_head(reference: np.ndarray) -> None:
    moved = replace(HEAD, centre=(101.5, -47.0, 33.3))
    found = centre_of(moved.complete(moved.grid()))
    assert found - reference == pytest.approx([101.5, -47.0, 33.3], abs=1.5)


def test_half_a_vault_may_be_missing(reference: np.ndarray) -> None:
    skull = HEAD.complete(HEAD.grid())
    voxels = skull.voxels.copy()
    middle = voxels.shape[2] // 2
    voxels[voxels.shape[0] // 2 :, :, middle + 5 :] = 0
    assert centre_of(skull.with_voxels(voxels)) == pytest.approx(reference, abs=TOLERANCE_MM)


def test_the_vertex_may_be_cropped(reference: np.ndarray) -> None:
    skull = HEAD.complete(HEAD.grid())
    cropped = skull.cropped((0, 0, 0), (skull.voxels.shape[0] - 22, *skull.voxels.shape[1:]))
    assert centre_of(cropped) == pytest.approx(reference, abs=TOLERANCE_MM)


def test_a_neck_and_a_table_do_not_pull(reference: np.ndarray) -> None:
    grid = HEAD.grid()
    bigger = grid.cropped((-90, -20, 0), (grid.shape[0] + 90, grid.shape[1] + 20, grid.shape[2]))
    voxels = HEAD.complete(bigger).voxels.copy()
    middle = voxels.shape[2] // 2
    voxels[:110, 60:75, middle - 8 : middle + 8] = 1
    voxels[:, 4:7, :] = 1
    assert centre_of(Volume(voxels, bigger.ijk_to_ras)) == pytest.approx(reference, abs=TOLERANCE_MM)


def test_a_tilted_head_stays_in_the_box() -> None:
    tilted = replace(HEAD, tilt=20.0)
    skull = tilted.complete(tilted.grid())
    grid = head_grid(skull, 3.0)
    bone = skull.grid.ras_of(np.argwhere(skull.voxels)[:, ::-1])
    vault = bone[bone[:, 2] > 0]
    ijk = grid.ijk_of(vault)
    assert (ijk > -0.5).all()
    assert (ijk < np.array(grid.shape[::-1]) - 0.5).all()


def test_a_childs_head_is_seen_to_be_small() -> None:
    child = replace(HEAD, half_axes=(54.0, 67.0, 62.0), thickness=3.0)
    placement = place_head(child.complete(child.grid()))
    assert placement.scale < 0.85
    assert placement.centre == pytest.approx([0, 0, 0], abs=14.0)


def test_orientation_of_the_file_does_not_matter(reference: np.ndarray) -> None:
    skull = HEAD.complete(HEAD.grid())
    matrix = skull.ijk_to_ras.copy()
    matrix[:3, :3] = matrix[:3, [1, 2, 0]]
    turned = Volume(skull.voxels.transpose(2, 0, 1), matrix)
    assert turned.grid.ras_of([9, 13, 5])[0] == pytest.approx(skull.grid.ras_of([5, 9, 13])[0])
    assert centre_of(turned) == pytest.approx(reference, abs=0.5)


def test_boxes_have_the_size_they_say() -> None:
    assert HEAD_BOXES["paper256"].grid(np.zeros(3), 1.0).shape == (256, 256, 256)
    grid = VAULT_BOX.grid(np.array([1.0, 2.0, 3.0]), 3.0)
    low = grid.ras_of([-0.5, -0.5, -0.5])[0]
    assert low == pytest.approx(np.array([1.0, 2.0, 3.0]) + VAULT_BOX.low)


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(UserError, match="empty"):
        place_head(Volume(np.zeros((8, 8, 8), np.uint8), np.eye(4)))
