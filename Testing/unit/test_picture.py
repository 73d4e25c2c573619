"""What the picture shows, and on which side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.picture import MARGIN, PANEL, PICTURE_SIZE, draw_case
from CranialReconstructionLib.imaging.pooling import pooled
from CranialReconstructionLib.imaging.raycast import BoneScene, Camera
from CranialReconstructionLib.imaging.volume import Volume

RIGHT, ANTERIOR, SUPERIOR = np.eye(3)


def _head(hole_at: npt.ArrayLike | None, flipped: bool = False) -> tuple[Volume, Volume]:
    """An egg-shaped vault of 1.5 mm voxels and the part of it within 30 mm of a place, RAS mm."""
    matrix = np.diag([-1.5, -1.5, 1.5, 1.0]) if flipped else np.diag([1.5, 1.5, 1.5, 1.0])
    matrix[:3, 3] = (90.0, 110.0, -60.0) if flipped else (-90.0, -110.0, -60.0)
    k, j, i = np.indices((100, 148, 120))
    ras = np.stack([i, j, k], axis=-1) * np.diag(matrix)[:3] + matrix[:3, 3]
    radius = np.linalg.norm(ras / [70.0, 90.0, 76.0], axis=-1)
    bone = (radius < 1.0) & (radius > 0.9) & (ras[..., 2] > -40.0)
    hole = np.zeros_like(bone)
    if hole_at is not None:
        hole = bone & (np.linalg.norm(ras - np.asarray(hole_at), axis=-1) < 30.0)
    return Volume((bone & ~hole).astype(np.uint8), matrix), Volume(hole.astype(np.uint8), matrix)


def _accent(path: Path) -> npt.NDArray[np.bool_]:
    """Pixels (rows, columns) of the panels, without the legend, that are clearly blue."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)[: 2 * (PANEL + MARGIN)]
    return np.asarray(pixels[..., 2] - pixels[..., 0] > 45)


def _panel(image: npt.NDArray[np.bool_], row: int, column: int) -> npt.NDArray[np.bool_]:
    top, left = MARGIN + row * (PANEL + MARGIN), MARGIN + column * (PANEL + MARGIN)
    return image[top : top + PANEL, left : left + PANEL]


@pytest.mark.parametrize(
    ("flipped", "side", "image_side"),
    [(False, 1.0, "left"), (True, -1.0, "right")],
    ids=["right, RAS grid", "left, LPS grid"],
)
def test_the_patients_right_is_at_the_left_of_the_front_view(
    tmp_path: Path, flipped: bool, side: float, image_side: str
) -> None:
    path = tmp_path / "picture.png"
    draw_case(*_head([side * 62.0, 20.0, 25.0], flipped), path, "a case")
    assert Image.open(path).size == PICTURE_SIZE
    accent = _accent(path)
    front, top = _panel(accent, 0, 0), _panel(accent, 1, 0)
    half = PANEL // 2
    shown, hidden = (front[:, :half], front[:, half:])
    if image_side == "right":
        shown, hidden = hidden, shown
    assert shown.sum() > 300
    assert hidden.sum() == 0
    # From above, the nose up, the patient's right is at the right; the hole is before the middle.
    from_above = top[:half, half:] if side > 0 else top[:half, :half]
    assert from_above.sum() > 0.6 * top.sum() > 300
    # The lateral view is taken from the side of the defect, and the last view faces it.
    assert _panel(accent, 0, 1).sum() > 4000
    _, columns = np.nonzero(_panel(accent, 1, 1))
    assert abs(columns.mean() - half) < 25


def test_an_empty_defect_has_no_accent(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    draw_case(*_head(None), path)
    assert not _accent(path).any()
    assert [each.name for each in tmp_path.iterdir()] == ["picture.png"]


def test_an_unwritable_place_is_named_and_left_clean(tmp_path: Path) -> None:
    (tmp_path / "no folder").touch()
    path = tmp_path / "no folder" / "picture.png"
    with pytest.raises(UserError, match="no folder"):
        draw_case(*_head(None), path)
    assert list(tmp_path.iterdir()) == [tmp_path / "no folder"]


def test_other_grids_are_refused(tmp_path: Path) -> None:
    skull, _ = _head(None)
    other = Volume(skull.voxels, skull.ijk_to_ras + np.diag([0.1, 0.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match="one grid"):
        draw_case(skull, other, tmp_path / "picture.png")


def test_rays_meet_a_ball_where_geometry_says() -> None:
    k, j, i = np.indices((70, 70, 70))
    centre = np.array([34.3, 34.8, 35.1])
    ball = np.linalg.norm(np.stack([i, j, k], axis=-1) - centre, axis=-1) < 28.0
    scene = BoneScene(pooled(Volume(ball.astype(np.uint8), np.eye(4)), 1.0))
    forward = np.array([0.6, -0.64, -0.48])
    up = SUPERIOR - (SUPERIOR @ forward) * forward
    sight = scene.look(Camera(centre, forward, up / np.linalg.norm(up)), 64, 80.0)
    outward = sight.places - centre
    distance = np.linalg.norm(outward, axis=1)
    assert np.abs(distance - 28.0).mean() < 0.3
    assert ((outward / distance[:, None]) * sight.normals).sum(axis=1).min() > 0.9
    assert (outward @ forward < 3.0).all()
    disc = np.pi * 28.0**2 / (80.0 / 64) ** 2
    assert sight.met.sum() == pytest.approx(disc, rel=0.03)


def test_pooling_keeps_the_volume_and_the_place_of_the_bone() -> None:
    voxels = np.zeros((40, 50, 60), dtype=np.uint8)
    voxels[7:23, 11:39, 20:47] = 1
    matrix = np.array([[-0.4, 0.0, 0.1, 5.0], [0.0, -0.5, 0.0, 7.0], [0.1, 0.0, 0.9, -3.0], [0.0, 0.0, 0.0, 1.0]])
    mask = Volume(voxels, matrix)
    coarse = pooled(mask, 1.3)
    assert max(coarse.spacing) <= 1.3
    assert coarse.voxels.sum() * coarse.grid.voxel_volume == pytest.approx(voxels.sum() * mask.grid.voxel_volume)
    places = coarse.grid.ras_of(np.argwhere(coarse.voxels > 0)[:, ::-1])
    middle = np.average(places, axis=0, weights=coarse.voxels[coarse.voxels > 0])
    np.testing.assert_allclose(middle, mask.grid.ras_of(np.argwhere(voxels)[:, ::-1]).mean(axis=0), atol=1e-4)
