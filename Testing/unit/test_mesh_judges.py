"""The judges of written implants, on spheres whose flaws are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from mesh_judges import share_in_bone, surface_verdicts

from CranialReconstructionLib.imaging.volume import Volume


def _files(folder: Path, *meshes: trimesh.Trimesh) -> tuple[Path, Path]:
    whole = trimesh.util.concatenate(list(meshes))
    stl, three_mf = folder / "a.stl", folder / "a.3mf"
    whole.export(stl)
    whole.export(three_mf)
    return stl, three_mf


def _ball(x: float = 0.0) -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=6.0)
    ball.apply_translation((x, 0.0, 0.0))
    return ball


def test_a_ball_is_met_with_approval_and_a_budget_counts(tmp_path: Path) -> None:
    files = _files(tmp_path, _ball())
    assert all(surface_verdicts(*files, budget=2000).values())
    within = surface_verdicts(*files, budget=1000)
    assert [name for name, met in within.items() if not met] == ["triangles within the budget"]


def test_flaws_are_named(tmp_path: Path) -> None:
    crossed = surface_verdicts(*_files(tmp_path, _ball(), _ball(7.0)), budget=5000)
    assert not crossed["no self-intersection (own)"]
    assert not crossed["one shell (trimesh)"]
    torn = _ball()
    torn.update_faces(np.arange(len(torn.faces)) > 0)
    torn_open = surface_verdicts(*_files(tmp_path, torn), budget=5000)
    assert not torn_open["watertight (trimesh)"]
    assert not torn_open["two-manifold (manifold3d)"]
    inside_out = _ball()
    inside_out.invert()
    assert not surface_verdicts(*_files(tmp_path, inside_out), budget=5000)["outward normals (trimesh: volume above 0)"]


@pytest.mark.parametrize(("height", "meets"), [(9.0, False), (5.0, True)])
def test_bone_on_the_way_is_met_only_where_it_stands_in_the_way(tmp_path: Path, height: float, meets: bool) -> None:
    # A ball under a plate with a round window of radius ``height``, beside the ball's place in LPS.
    stl, _ = _files(tmp_path, _ball(10.0))
    k, j, i = np.indices((60, 40, 60)).astype(float)
    bone = (k > 38) & (k < 42) & (np.hypot(i - 30.0, j - 20.0) > height)
    # RAS x = -10 and y = 0 are the middle of the window; the ball lies at z = 0, the plate at 10 mm.
    matrix = np.eye(4)
    matrix[:3, 3] = [-40.0, -20.0, -30.0]
    share = share_in_bone(stl, Volume(bone.view(np.uint8), matrix), np.array([0.0, 0.0, -1.0]))
    assert (share > 0.0) == meets
