"""``cranial check-mesh``, and the distance of a mesh to bone where both are spheres."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from CranialReconstructionLib.cli.check_mesh import COMMAND
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.clearance import measure_clearance
from CranialReconstructionLib.implant.export.about import About, joined
from CranialReconstructionLib.implant.export.formats import write_mesh
from CranialReconstructionLib.implant.mesh import Mesh

MIDDLE = np.array([4.0, -7.0, 11.0])
INNER, OUTER = 64.0, 70.0
# Along no axis of a grid: there the steps of a mask are widest, and its surface half a voxel off.
UP = np.array([1.0, 2.0, 2.0]) / 3.0


def ball(radius: float, height: float = 0.0, refinement: int = 3) -> Mesh:
    """A ball of ``radius`` mm, ``height`` mm from the middle of the shell of bone."""
    sphere = trimesh.creation.icosphere(refinement, radius)
    return Mesh(sphere.vertices + MIDDLE + height * UP, np.asarray(sphere.faces, dtype=np.int64))


def shell_of_bone(spacing: tuple[float, float, float] = (2.0, 2.0, 2.0), turn: float = 0.0) -> Volume:
    """A hollow ball of bone on a grid that is turned by ``turn`` degrees about the superior axis."""
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]]) * spacing
    size = np.ceil(2.0 * (OUTER + 6.0) / np.array(spacing)).astype(int)
    matrix[:3, 3] = MIDDLE - matrix[:3, :3] @ (size - 1) / 2.0
    offset = (np.indices(size[::-1])[::-1].reshape(3, -1).T - (size - 1) / 2.0) * spacing
    radius = np.linalg.norm(offset, axis=1).reshape(size[::-1])
    return Volume(((radius > INNER) & (radius < OUTER)).astype(np.uint8), matrix, "shell")


def lens(distance: float, one: float, other: float) -> float:
    """Volume that two balls of radii ``one`` and ``other`` have in common."""
    reach = one + other - distance
    inner = distance**2 + 2.0 * distance * (one + other) - 3.0 * (one - other) ** 2
    return float(np.pi * reach**2 * inner / (12.0 * distance))


def check(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    """Exit status and standard output of the command."""
    parser = argparse.ArgumentParser()
    COMMAND.add_arguments(parser)
    status = COMMAND.run(parser.parse_args([str(word) for word in words]))
    return status, capsys.readouterr().out


def figures(capsys: pytest.CaptureFixture[str], mesh: Mesh, folder: Path, *words: str | Path) -> tuple[int, Any]:
    path = folder / "mesh.stl"
    write_mesh(mesh, path, About())
    status, text = check(capsys, path, "--json", *words)
    return status, json.loads(text)


def test_a_sound_mesh_passes_and_its_figures_are_those_of_a_ball(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = figures(capsys, ball(10.0), tmp_path)
    assert status == 0
    assert found["passed"]
    assert all(found["checks"].values())
    assert found["triangles"] == 1280
    assert found["volume_ml"] == pytest.approx(4.0 / 3.0 * np.pi, rel=0.01)
    assert found["area_cm2"] == pytest.approx(4.0 * np.pi, rel=0.01)
    assert found["extent_mm"] == pytest.approx([20.0] * 3, abs=0.01)


def without_a_triangle() -> Mesh:
    return replace(ball(10.0), triangles=ball(10.0).triangles[1:])


def inside_out() -> Mesh:
    return replace(ball(10.0), triangles=ball(10.0).triangles[:, ::-1])


def with_a_fin() -> Mesh:
    whole = ball(10.0)
    first = whole.triangles[0]
    fin = [first[0], first[1], len(whole.vertices)]
    return Mesh(np.vstack([whole.vertices, MIDDLE + 30.0]), np.vstack([whole.triangles, [fin]]))


@pytest.mark.parametrize(
    ("mesh", "failing"),
    [
        (without_a_triangle(), {"watertight", "two-manifold", "solid (manifold3d)"}),
        (inside_out(), {"outward normals"}),
        (joined([ball(10.0), ball(10.0, 30.0)]), {"one shell"}),
        (joined([ball(10.0), ball(10.0, 5.0)]), {"one shell", "no self-intersection"}),
        (with_a_fin(), {"watertight", "two-manifold", "solid (manifold3d)"}),
    ],
    ids=["open", "inside out", "two shells", "overlapping shells", "fin"],
)
def test_each_fault_fails_its_own_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mesh: Mesh, failing: set[str]
) -> None:
    status, found = figures(capsys, mesh, tmp_path)
    assert status == 1
    assert not found["passed"]
    failed = {name for name, passed in found["checks"].items() if not passed}
    assert failing <= failed <= failing | {"solid (manifold3d)", "two-manifold"}


def test_the_table_says_which_check_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mesh(without_a_triangle(), tmp_path / "mesh.ply", About())
    status, text = check(capsys, tmp_path / "mesh.ply")
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert status == 1
    assert "3 open edges" in lines["watertight"]
    assert lines["watertight"].rstrip().endswith("FAIL")
    assert lines["one shell"].rstrip().endswith("pass")
    assert "Research use only" in text


def test_distance_and_overlap_are_told_with_a_skull(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_volume(shell_of_bone(), tmp_path / "skull.nrrd")
    status, found = figures(capsys, ball(6.0, INNER), tmp_path, "--skull", tmp_path / "skull.nrrd")
    whole = 4.0 / 3.0 * np.pi * 6.0**3
    assert status == 0
    assert found["overlap_ml"] == pytest.approx((whole - lens(INNER, INNER, 6.0)) / 1000.0, rel=0.05)
    assert found["nearest_bone_mm"] == pytest.approx(-3.0, abs=0.3)
    _, found = figures(capsys, ball(6.0), tmp_path, "--skull", tmp_path / "skull.nrrd")
    assert found["nearest_bone_mm"] is None
    assert found["overlap_ml"] == 0.0


@pytest.mark.parametrize("refinement", [1, 3])
@pytest.mark.parametrize(("spacing", "turn"), [((1.0, 1.0, 1.0), 0.0), ((0.9, 0.9, 1.5), 30.0)])
def test_clearance_to_a_shell_is_known(spacing: tuple[float, float, float], turn: float, refinement: int) -> None:
    skull = shell_of_bone(spacing, turn)
    clearance = measure_clearance(ball(8.0, 53.0, refinement), skull)
    highest = np.linalg.norm(ball(8.0, 53.0, refinement).vertices - MIDDLE, axis=1).max()
    assert clearance.nearest == pytest.approx(INNER - highest, abs=0.15)
    assert clearance.overlap == 0.0


def test_a_coarse_mesh_is_sampled_between_its_vertices() -> None:
    # All vertices of this rod lie more than 10 mm from bone; its middle goes through the shell.
    rod = trimesh.creation.box((4.0, 4.0, 30.0))
    rod.apply_transform(trimesh.geometry.align_vectors([0.0, 0.0, 1.0], UP))
    mesh = Mesh(rod.vertices + MIDDLE + 67.0 * UP, np.asarray(rod.faces, dtype=np.int64))
    clearance = measure_clearance(mesh, shell_of_bone((1.0, 1.0, 1.0)))
    assert clearance.nearest == pytest.approx(-3.0, abs=0.25)
    assert clearance.overlap == pytest.approx(16.0 * (OUTER - INNER), rel=0.05)


def test_what_cannot_be_judged_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.stl").write_bytes(b"")
    with pytest.raises(UserError, match="empty"):
        check(capsys, tmp_path / "empty.stl")
    write_mesh(ball(5.0), tmp_path / "ball.stl", About())
    write_volume(Volume(np.zeros((50, 50, 50), dtype=np.uint8), np.eye(4)), tmp_path / "nothing.nrrd")
    with pytest.raises(UserError, match="mask is empty"):
        check(capsys, tmp_path / "ball.stl", "--skull", tmp_path / "nothing.nrrd")
