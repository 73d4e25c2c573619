"""From fields on the head grid to missing bone on the input's grid."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_head import SyntheticHead

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import VAULT_BOX
from CranialReconstructionLib.imaging.resampling import occupancy
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.reconstruction.postprocessing import PostProcessing, cut_defect

HEAD = SyntheticHead(hole_radius=24.0)
FINE = HEAD.grid((0.8, 0.8, 0.8))
LOW = VAULT_BOX.grid(np.zeros(3), 2.0)
CONSTANTS = PostProcessing()


@pytest.fixture(scope="module")
def skull() -> Volume:
    """A synthetic skull with a hole, 0.8 mm voxels."""
    return HEAD.skull(FINE)


@pytest.fixture(scope="module")
def fields(skull: Volume) -> tuple[Volume, Volume]:
    """Shares of present and of truly missing bone on a 2 mm head grid."""
    return occupancy(skull, LOW), occupancy(HEAD.defect(FINE), LOW)


def dice(found: Volume) -> float:
    first, second = found.voxels > 0, HEAD.defect(FINE).voxels > 0
    return float(2.0 * (first & second).sum() / (first.sum() + second.sum()))


def test_true_fields_give_the_missing_bone_back_below_their_voxel(skull: Volume, fields: tuple[Volume, Volume]) -> None:
    """Fields of 2 mm voxels restore a shell of 6 mm in 0.8 mm voxels almost exactly."""
    present, missing = fields
    defect, confidence = cut_defect(skull, present, missing, missing, CONSTANTS)
    assert dice(defect) > 0.975
    assert not (defect.voxels.astype(bool) & (skull.voxels > 0)).any()
    assert confidence.voxels[skull.voxels > 0].max() == 0.0


def added(missing: Volume, place: tuple[float, float, float], radius: float) -> Volume:
    k, j, i = np.indices(missing.voxels.shape).reshape(3, -1)
    distance = np.linalg.norm(missing.grid.ras_of(np.stack((i, j, k), 1)) - place, axis=1)
    blob = np.clip(0.5 + (radius - distance) / 2.0, 0.0, 1.0).reshape(missing.voxels.shape)
    return missing.with_voxels(np.maximum(missing.voxels, blob.astype(np.float32)))


def test_bone_that_hangs_in_the_air_goes(skull: Volume, fields: tuple[Volume, Volume]) -> None:
    present, missing = fields
    floating = added(missing, (0.0, 0.0, 20.0), 8.0)
    np.testing.assert_array_equal(
        cut_defect(skull, present, floating, floating, CONSTANTS)[0].voxels,
        cut_defect(skull, present, missing, missing, CONSTANTS)[0].voxels,
    )


def test_scraps_go_and_a_lower_limit_keeps_them(skull: Volume, fields: tuple[Volume, Volume]) -> None:
    present, missing = fields
    scrap = added(missing, (-74.5, 0.0, 10.0), 3.5)
    without, kept = (
        int(cut_defect(skull, present, scrap, scrap, replace(CONSTANTS, minimum_component_ml=least))[0].voxels.sum())
        for least in (0.5, 0.005)
    )
    assert kept > without


def test_a_doubtful_piece_goes(skull: Volume, fields: tuple[Volume, Volume]) -> None:
    present, missing = fields
    doubtful = missing.with_voxels(0.55 * missing.voxels)
    defect, _ = cut_defect(skull, present, doubtful, doubtful, replace(CONSTANTS, peak_share=0.8))
    assert defect.voxels.sum() == 0


def test_nothing_missing_gives_nothing(skull: Volume, fields: tuple[Volume, Volume]) -> None:
    nothing = fields[1].with_voxels(np.zeros_like(fields[1].voxels))
    defect, confidence = cut_defect(skull, fields[0], nothing, nothing, CONSTANTS)
    assert defect.voxels.sum() == 0
    assert confidence.voxels.sum() == 0


def test_a_defect_beyond_the_edge_of_the_scan_is_cut_there(fields: tuple[Volume, Volume], skull: Volume) -> None:
    top = skull.cropped((0, 0, 0), (int(skull.voxels.shape[0] * 0.72), *skull.voxels.shape[1:]))
    defect, _ = cut_defect(top, *fields, fields[1], CONSTANTS)
    assert defect.voxels.shape == top.voxels.shape
    assert defect.voxels.any()


def test_an_unknown_constant_is_refused() -> None:
    with pytest.raises(UserError, match="sharpness"):
        PostProcessing.from_manifest({"sharpness": 3.0}, "manifest.json")
