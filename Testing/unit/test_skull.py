"""The skull out of a CT, on a small head made of ellipsoids whose bone is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from CranialReconstructionLib.cli.main import main
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.bone_threshold import find_bone_levels, find_hounsfield_scale
from CranialReconstructionLib.imaging.distance import distance_to
from CranialReconstructionLib.imaging.files import read_volume, write_volume
from CranialReconstructionLib.imaging.scan_warnings import slice_warnings
from CranialReconstructionLib.imaging.skull import segment_skull
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.imaging.voxel_blocks import VoxelBlocks

Mask = npt.NDArray[np.bool_]
Field = npt.NDArray[np.float64]

SPACING = 1.5
REACH = (84.0, 117.0, 79.5)
SCALP = (72.0, 88.0, 72.0)
BONE = (66.0, 82.0, 66.0)


@dataclass(frozen=True)
class Head:
    """A CT and what is in it, masks (K, J, I)."""

    ct: Volume
    bone: Mask
    hole: Mask
    thin_bone: Mask
    sinus_wall: Mask
    flap: Mask
    strangers: Mask


def depth_in_ellipsoid(x: Field, y: Field, z: Field, axes: tuple[float, float, float]) -> Field:
    """About the distance, millimetres, to the surface; positive inside."""
    a, b, c = axes
    level = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    slope = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2)
    return (1.0 - level) * level / np.maximum(slope, 1e-9)


def make_head(bone_hu: float = 900.0, noise: float = 12.0) -> Head:
    """A head with x to the left, y to the back, z up (LPS), nothing cut by the border.

    The scalp touches a head rest; a table with a rail is below, a ring hangs at an ear, a wire runs over
    the skin, a drain leads through the hole into the brain, a fleck and a flap of bone lie in the brain.
    """
    lines = [np.arange(-reach, reach, SPACING) for reach in REACH]
    z, y, x = np.meshgrid(*lines[::-1], indexing="ij", sparse=True)
    hounsfield = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), -1000.0)

    def put(depth: Field, value: float) -> Mask:
        share = np.clip(depth / SPACING + 0.5, 0.0, 1.0)
        hounsfield[:] += share * (value - hounsfield)
        return np.asarray(share > 0.5)

    def between(value: Field, low: float, high: float | Field) -> Field:
        return np.minimum(value - low, high - value)

    def ball(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Field:
        return depth_in_ellipsoid(x - centre[0], y - centre[1], z - centre[2], radii)

    in_scalp = depth_in_ellipsoid(x, y, z, SCALP)
    put(in_scalp, 45.0)
    in_bone = depth_in_ellipsoid(x, y, z, BONE)
    temporal = (x < -45.0) & (np.abs(z) < 25.0)
    put(in_bone, 35.0)
    bone = put(between(in_bone, 0.0, np.where(temporal, 1.5, 6.0)), bone_hu)
    sinus = (0.0, -70.0, 10.0)
    wall = put(ball(sinus, (22.0, 11.0, 14.0)), bone_hu)
    cavity = put(ball(sinus, (20.0, 9.0, 12.0)), -1000.0)
    bone = (bone | wall) & ~cavity

    # Through the vault, up and to the left of the midline.
    axis = np.array([0.5, 0.3, 0.8]) / np.linalg.norm([0.5, 0.3, 0.8])
    along = x * axis[0] + y * axis[1] + z * axis[2]
    across = np.sqrt(np.maximum(x**2 + y**2 + z**2 - along**2, 0.0))
    trephine = np.minimum(np.minimum(22.0 - across, along), in_bone + 3.0)
    hole = (across < 22.0) & (along > 0.0) & bone
    put(trephine, 35.0)
    bone &= ~hole
    flap = put(ball((10.0, 20.0, -20.0), (14.0, 12.0, 4.0)), bone_hu)

    strangers = put(between(y + 0.0 * x * z, 96.0, 112.0), 80.0)
    strangers |= put(np.minimum(between(y, 100.0, 105.0), between(x, -40.0, 40.0)) + 0.0 * z, 700.0)
    strangers |= put(np.minimum(between(-in_scalp, 0.0, 4.0), y - 45.0), 450.0)
    strangers |= put(ball((76.0, 0.0, -10.0), (3.0, 3.0, 3.0)), 3000.0)
    strangers |= put(np.minimum(between(-in_scalp, -0.5, 1.5), 1.5 - np.abs(x + 20.0)), 2500.0)
    strangers |= put(np.minimum(1.7 - across, between(along, 25.0, 95.0)), 800.0)
    strangers |= put(ball((-20.0, 0.0, 10.0), (2.5, 2.5, 2.5)), bone_hu)

    blurred = ndimage.gaussian_filter(hounsfield, 0.4)
    blurred += np.random.default_rng(2).normal(0.0, noise, blurred.shape)
    matrix = np.diag([-SPACING, -SPACING, SPACING, 1.0])
    matrix[:3, 3] = (REACH[0], REACH[1], -REACH[2])
    ct = Volume(np.clip(np.round(blurred), -1024, 3071).astype(np.int16), matrix, "head.nrrd")
    # Where the air on both sides leaves enough of the thin wall to see.
    sinus_wall = wall & ~cavity & (y < -72.0) & (ct.voxels > 350)
    thin_bone = bone & temporal & (x < -50.0) & (np.abs(z) < 22.0)
    return Head(ct, bone | flap, hole, thin_bone, sinus_wall, flap, strangers & ~bone)


@pytest.fixture(scope="module")
def head() -> Head:
    return make_head()


@pytest.fixture(scope="module")
def skull(head: Head) -> Mask:
    return segment_skull(head.ct).skull.voxels > 0


def dice(one: Mask, other: Mask) -> float:
    return float(2.0 * (one & other).sum() / (one.sum() + other.sum()))


def share(part: Mask, whole: Mask) -> float:
    assert whole.sum() > 20
    return float((part & whole).sum() / whole.sum())


def with_values(head: Head, values: npt.NDArray[np.generic]) -> Volume:
    return Volume(values, head.ct.ijk_to_ras, "odd.nrrd")


def test_the_skull_is_the_bone_of_the_head(head: Head, skull: Mask) -> None:
    assert dice(skull, head.bone) > 0.9


def test_the_hole_stays_open(head: Head, skull: Mask) -> None:
    inner = ndimage.binary_erosion(head.hole | ~head.bone, iterations=2) & head.hole
    assert share(skull, head.hole) < 0.05
    assert share(skull, inner) == 0.0


def test_what_is_no_bone_of_the_head_is_gone(head: Head, skull: Mask) -> None:
    apart = head.strangers & ~ndimage.binary_dilation(head.bone, iterations=2)
    assert apart.sum() > 0.95 * head.strangers.sum()
    assert (head.ct.voxels[apart] > 400).sum() > 5000
    assert share(skull, apart) == 0.0


def test_thin_bone_and_the_wall_of_a_sinus_are_kept(head: Head, skull: Mask) -> None:
    assert share(skull, head.thin_bone) > 0.98
    assert share(skull, head.sinus_wall) > 0.98


def test_a_loose_flap_is_kept(head: Head, skull: Mask) -> None:
    assert share(skull, head.flap) > 0.98


def test_the_mask_has_no_grey_values_and_no_warnings_on_a_good_scan(head: Head) -> None:
    found = segment_skull(head.ct)
    assert found.skull.voxels.dtype == np.uint8
    assert found.skull.voxels.max() == 1
    assert 150.0 <= found.threshold <= 400.0
    assert found.warnings == ()


def test_axes_in_any_order_and_oblique_give_the_same_voxels(head: Head, skull: Mask) -> None:
    angle = np.deg2rad(17.0)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    permutation = np.zeros((4, 4))
    # New (i, j, k) are the old (k, i, j), the last of them backwards.
    permutation[2, 0] = permutation[0, 1] = permutation[3, 3] = 1.0
    permutation[1, 2] = -1.0
    permutation[1, 3] = head.ct.voxels.shape[1] - 1
    turned = Volume(head.ct.voxels.transpose(1, 2, 0)[::-1], turn @ head.ct.ijk_to_ras @ permutation, "oblique.nrrd")
    found = segment_skull(turned)
    assert found.skull.grid.same_as(turned.grid)
    # The blocks start at the other end of the flipped axis, so a voxel here and there may differ.
    assert dice(found.skull.voxels[::-1].transpose(2, 0, 1) > 0, skull) > 0.999


@pytest.mark.parametrize("offset", [1024, 1000])
def test_unsigned_values_are_recognised(head: Head, skull: Mask, offset: int) -> None:
    stored = np.maximum(head.ct.voxels.astype(np.int32) + offset, 0).astype(np.uint16)
    found = segment_skull(with_values(head, stored))
    assert any("added" in warning for warning in found.warnings)
    assert found.threshold < 400.0
    assert dice(found.skull.voxels > 0, skull) > 0.98


def test_other_grey_values_ask_for_a_threshold(head: Head) -> None:
    grey = np.clip((head.ct.voxels + 200.0) * 255.0 / 1200.0, 0, 255).astype(np.uint8)
    with pytest.raises(UserError, match=r"0 to 255.*as the threshold"):
        segment_skull(with_values(head, grey))
    by_hand = segment_skull(with_values(head, grey), threshold=95.0)
    assert by_hand.threshold == 95.0
    assert dice(by_hand.skull.voxels > 0, head.bone) > 0.9


@pytest.mark.parametrize("offset", [0, 1024])
def test_a_threshold_by_hand_is_used_as_it_is(head: Head, offset: int) -> None:
    values = (head.ct.voxels.astype(np.int32) + offset).astype(np.int16)
    found = segment_skull(with_values(head, values), threshold=611.5)
    assert found.threshold == 611.5
    assert values[found.skull.voxels > 0].min() == 612


def test_the_threshold_follows_the_scan(head: Head) -> None:
    usual = segment_skull(head.ct).threshold
    child = make_head(bone_hu=500.0)
    of_child = segment_skull(child.ct)
    assert of_child.threshold < usual - 50.0
    assert share(of_child.skull.voxels > 0, child.thin_bone) > 0.95
    sharp = make_head(noise=75.0)
    of_sharp = segment_skull(sharp.ct)
    assert of_sharp.threshold > usual + 50.0
    assert dice(of_sharp.skull.voxels > 0, sharp.bone) > 0.9


def test_thick_slices_metal_and_a_cut_vault_are_told(head: Head) -> None:
    thick = Volume(head.ct.voxels[::2], head.ct.ijk_to_ras @ np.diag([1.0, 1.0, 2.0, 1.0]), "thick.nrrd")
    assert any("3.00 mm apart" in warning for warning in slice_warnings(thick))
    cut = Volume(head.ct.voxels[:85], head.ct.ijk_to_ras, "cut.nrrd")
    assert any("superior border" in warning for warning in segment_skull(cut).warnings)
    cap = head.ct.cropped((70, 0, 0), head.ct.voxels.shape)
    assert any("only the upper" in warning for warning in segment_skull(cap).warnings)
    voxels = head.ct.voxels.copy()
    voxels[tuple(np.argwhere(head.bone)[5000:5020].T)] = 3071
    assert any("metal" in warning for warning in segment_skull(with_values(head, voxels)).warnings)


def test_what_is_no_ct_of_a_head_is_refused(head: Head) -> None:
    with pytest.raises(UserError, match="mask needs no segmentation"):
        segment_skull(with_values(head, head.bone.astype(np.uint8)))
    holed = head.ct.voxels.astype(np.float32)
    holed[3, 4, 5] = np.nan
    with pytest.raises(UserError, match="not a number"):
        segment_skull(with_values(head, holed))
    with pytest.raises(UserError, match="no skull"):
        segment_skull(with_values(head, np.minimum(head.ct.voxels, 60)))
    with pytest.raises(UserError, match="no skull"):
        segment_skull(head.ct, threshold=5000.0)
    with pytest.raises(UserError, match="no number"):
        segment_skull(head.ct, threshold=float("nan"))


def test_the_scale_is_read_off_the_peaks_of_air_and_soft_tissue() -> None:
    chance = np.random.default_rng(0)
    air, tissue = chance.normal(-1000.0, 10.0, 40000), chance.normal(40.0, 15.0, 40000)
    bone = chance.normal(900.0, 100.0, 8000)
    hounsfield = np.concatenate([air, tissue, bone])
    for offset in (0, 1024):
        scale = find_hounsfield_scale(hounsfield + offset)
        assert scale is not None
        assert scale.offset == offset
        assert scale.soft_tissue == pytest.approx(40.0, abs=6.0)
        assert scale.noise == pytest.approx(15.0, rel=0.3)
        levels = find_bone_levels(hounsfield[hounsfield > -500.0], scale)
        assert levels.dense == pytest.approx(470.0, abs=15.0)
        assert levels.threshold == pytest.approx(255.0, abs=15.0)
    assert find_hounsfield_scale(np.concatenate([air, tissue + 250.0, bone])) is None
    assert find_hounsfield_scale(np.concatenate([tissue, bone])) is None


def test_distances_are_those_of_scipy() -> None:
    mask = np.random.default_rng(1).random((12, 17, 9)) > 0.97
    spacing = (2.5, 1.0, 1.75)
    expected = ndimage.distance_transform_edt(~mask, sampling=spacing)
    np.testing.assert_allclose(distance_to(mask, spacing), expected, atol=1e-4)
    assert np.isinf(distance_to(np.zeros_like(mask), spacing)).all()


def test_blocks_hold_all_voxels() -> None:
    voxels = np.arange(7 * 9 * 4, dtype=np.float32).reshape(7, 9, 4)
    volume = Volume(voxels, np.diag([3.0, 0.8, 1.2, 1.0]))
    blocks = VoxelBlocks.of_about(2.5, volume.grid)
    assert (blocks.factors, blocks.shape) == ((2, 3, 1), (3, 3, 4))
    assert blocks.spacing == pytest.approx((2.4, 2.4, 3.0))
    assert blocks.means(voxels)[1, 2, 3] == pytest.approx(voxels[2:4, 6:9, 3].mean())
    assert blocks.samples(voxels)[0, 0, 0] == voxels[1, 1, 0]
    spread = blocks.expanded(np.arange(36).reshape(3, 3, 4) == 35)
    slope = np.arange(3, dtype=np.float32).reshape(3, 1, 1) * np.ones((3, 3, 4), dtype=np.float32)
    first = np.zeros(3, dtype=np.intp)
    assert blocks.interpolated(slope, (np.array([1, 2, 4]), first, first)) == pytest.approx([0.25, 0.75, 1.75])
    # The seventh slice belongs to the last block.
    assert np.argwhere(spread).min(0).tolist() == [4, 6, 3]
    assert spread.sum() == 3 * 3 * 1


def test_the_command_writes_the_skull(head: Head, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ct, skull = tmp_path / "ct.nii.gz", tmp_path / "out" / "skull.nrrd"
    write_volume(head.ct, ct)
    assert main(["segment-skull", str(ct), "-o", str(skull), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    written = read_volume(skull)
    assert written.grid.same_as(head.ct.grid)
    assert figures["bone_ml"] == pytest.approx(written.voxels.sum() * SPACING**3 / 1000.0, abs=0.01)
    assert figures["threshold_chosen"] == "from the scan"

    # Before the work, not after it.
    assert main(["segment-skull", str(tmp_path / "absent.nii.gz"), "-o", str(tmp_path / "skull.png")]) == 2
    assert "skull.png" in capsys.readouterr().err

    write_volume(with_values(head, (head.ct.voxels.astype(np.int32) // 8 + 300).astype(np.int16)), ct)
    assert main(["segment-skull", str(ct), "-o", str(tmp_path / "none.nrrd")]) == 2
    assert "as the threshold" in capsys.readouterr().err
    assert not (tmp_path / "none.nrrd").exists()
