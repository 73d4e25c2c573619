"""The demo head that ships: whole, true to its provenance, and what its README says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.head_grid import place_head
from CranialReconstructionLib.imaging.pooling import bone_box
from CranialReconstructionLib.imaging.volume import Volume

FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / "DemoHead"


@pytest.fixture(scope="module")
def provenance() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / "provenance.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def skull() -> Volume:
    return read_volume(FOLDER / "defective_skull.nrrd")


@pytest.fixture(scope="module")
def defect() -> Volume:
    return read_volume(FOLDER / "defect.nrrd")


def test_the_files_are_those_that_the_command_wrote(provenance: dict[str, Any]) -> None:
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in FOLDER.glob("*.nrrd")}
    assert found == provenance["sha256"]


def test_the_files_are_small_enough_for_the_history_of_the_repository() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 1_500_000


def test_skull_and_defect_are_masks_on_one_oblique_grid_of_full_resolution(skull: Volume, defect: Volume) -> None:
    assert skull.grid.same_as(defect.grid)
    assert skull.voxels.dtype == defect.voxels.dtype == np.uint8
    assert skull.voxels.max() == defect.voxels.max() == 1
    assert skull.voxels.shape[1:] == (512, 512)
    axes = skull.ijk_to_ras[:3, :3] / np.array(skull.spacing)
    assert 0.99 < np.abs(axes).max(axis=0).min() < 0.9999


def test_skull_and_defect_share_no_voxel_and_join_to_one_piece(skull: Volume, defect: Volume) -> None:
    assert not (skull.voxels & defect.voxels).any()
    union = skull.with_voxels(skull.voxels | defect.voxels)
    box = bone_box(union)
    assert box is not None
    assert ndimage.label(union.cropped(*box).voxels)[1] == 1


def test_the_defect_is_as_large_as_stated_and_keeps_to_its_side_of_the_midline(
    skull: Volume, defect: Volume, provenance: dict[str, Any]
) -> None:
    stated = provenance["defect"]
    assert float(defect.voxels.sum()) * defect.grid.voxel_volume / 1000.0 == pytest.approx(stated["volume_ml"], abs=0.1)
    assert 85.0 <= stated["area_cm2"] <= 115.0
    right = defect.grid.ras_of(np.argwhere(defect.voxels)[::50, ::-1])[:, 0] - place_head(skull).centre[0]
    assert (right * (1 if stated["side"] == "right" else -1)).min() > 10.0


def test_the_head_is_nobodys(provenance: dict[str, Any]) -> None:
    assert provenance["likeness"]["compared_with"] >= len(provenance["skulls"]) > 1
    assert provenance["likeness"]["nearest_mean_surface_distance_mm"] > 1.0
    assert not set(provenance["skulls"]) & set(provenance["excluded"])


def test_the_licence_of_the_source_is_stated(provenance: dict[str, Any]) -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert provenance["licence"] == "CC BY-NC-SA 4.0"
    assert "CC BY-NC-SA 4.0" in readme
    assert "35:106902" in readme
