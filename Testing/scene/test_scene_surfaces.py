"""Surfaces, their maps and legends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from headless import Application
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkFiltersCore import vtkMassProperties

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.export.about import About
from CranialReconstructionLib.implant.export.ply import write_ply
from CranialReconstructionLib.implant.export.stl import write_stl
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.scene.case import case_nodes
from CranialReconstructionLib.scene.surfaces import GAP, THICKNESS, colour_by, set_visible, show_surface

_EGL = "from vtkmodules.vtkRenderingOpenGL2 import vtkEGLRenderWindow as W; w = W(); w.Render(); w.ReportCapabilities()"


def ball(radius: float = 10.0, middle: tuple[float, float, float] = (30.0, -20.0, 50.0), rings: int = 40) -> Mesh:
    """A globe of triangles about ``middle``, seen from outside."""
    polar = np.linspace(0.0, np.pi, rings + 1)[1:-1, None]
    turn = np.linspace(0.0, 2.0 * np.pi, 2 * rings, endpoint=False)[None]
    belt = np.stack(np.broadcast_arrays(np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)), -1)
    vertices = np.concatenate([belt.reshape(-1, 3), [[0, 0, 1.0], [0, 0, -1.0]]])
    here = np.arange(len(belt.reshape(-1, 3))).reshape(belt.shape[:2])
    there = np.roll(here, -1, axis=1)
    top, bottom = len(vertices) - 2, len(vertices) - 1
    sides = [(here[:-1], here[1:], there[1:]), (here[:-1], there[1:], there[:-1])]
    triangles = [np.stack(side, -1).reshape(-1, 3) for side in sides]
    triangles.append(np.stack([np.full(2 * rings, top), here[0], there[0]], -1))
    triangles.append(np.stack([np.full(2 * rings, bottom), there[-1], here[-1]], -1))
    return Mesh(vertices * radius + middle, np.concatenate(triangles))


def scalars(model: Any, name: str) -> np.ndarray:
    return vtk_to_numpy(model.GetPolyData().GetPointData().GetArray(name))


def bounds(model: Any) -> list[float]:
    found = [0.0] * 6
    model.GetRASBounds(found)
    return found


@pytest.mark.parametrize("frame", ["RAS", "LPS"])
@pytest.mark.parametrize("kind", ["ply", "stl"])
def test_a_file_of_either_frame_lands_in_its_place(
    application: Application, frame: Any, kind: str, tmp_path: Path
) -> None:
    mesh = ball()
    path = tmp_path / f"ball.{kind}"
    (write_ply if kind == "ply" else write_stl)(mesh, path, About("ball", frame=frame))
    model = show_surface(application.case("Case"), path, "ball")
    np.testing.assert_allclose(bounds(model), [20.0, 40.0, -30.0, -10.0, 40.0, 60.0], atol=0.05)
    # Slicer's own reader agrees.
    storage = slicer.vtkMRMLModelStorageNode()
    other = application.scene.AddNewNodeByClass("vtkMRMLModelNode", "other")
    application.scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.ReadData(other)
    np.testing.assert_allclose(bounds(other), bounds(model), atol=1e-4)


def test_triangles_look_outwards(application: Application, tmp_path: Path) -> None:
    write_ply(ball(), tmp_path / "ball.ply", About("ball", frame="LPS"))
    model = show_surface(application.case("Case"), tmp_path / "ball.ply", "ball")
    points = vtk_to_numpy(model.GetPolyData().GetPoints().GetData()).astype(np.float64)
    corners = points[vtk_to_numpy(model.GetPolyData().GetPolys().GetConnectivityArray()).reshape(-1, 3)]
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6.0
    mass = vtkMassProperties()
    mass.SetInputData(model.GetPolyData())
    assert volume == pytest.approx(4.0 / 3.0 * np.pi * 1000.0, rel=0.01)
    assert mass.GetVolume() == pytest.approx(volume, rel=1e-3)


def test_values_at_the_vertices_become_scalars(application: Application, tmp_path: Path) -> None:
    mesh = ball()
    thickness = np.linspace(1.0, 6.0, len(mesh.vertices))
    thickness[::3] = np.nan
    write_ply(mesh, tmp_path / "a.ply", About("ball", frame="RAS"), {"thickness": thickness, "gap": -thickness})
    model = show_surface(application.case("Case"), tmp_path / "a.ply", "ball")
    np.testing.assert_allclose(scalars(model, "thickness"), thickness, rtol=1e-6)
    np.testing.assert_allclose(scalars(model, "gap"), -thickness, rtol=1e-6)


def test_a_preview_is_replaced_in_place(application: Application, tmp_path: Path) -> None:
    case = application.case("Case")
    for radius in (10.0, 14.0):
        mesh = ball(radius)
        values = {"thickness": np.full(len(mesh.vertices), radius)}
        write_ply(mesh, tmp_path / f"{radius:g}.ply", About("ball", frame="RAS"), values)
    model = show_surface(case, tmp_path / "10.ply", "preview", colour=(0.1, 0.2, 0.3))
    colour_by(model, THICKNESS)
    display = model.GetDisplayNode()
    before = application.scene.GetNumberOfNodes()
    again = show_surface(case, tmp_path / "14.ply", "another name", model)
    assert (again, again.GetDisplayNode(), application.scene.GetNumberOfNodes()) == (model, display, before)
    assert bounds(model)[1] == pytest.approx(44.0, abs=0.05)
    assert display.GetScalarVisibility()
    np.testing.assert_allclose(display.GetColor(), (0.1, 0.2, 0.3))
    write_ply(ball(), tmp_path / "plain.ply", About("ball", frame="RAS"))
    show_surface(case, tmp_path / "plain.ply", "preview", model)
    assert not display.GetScalarVisibility()


def test_a_preview_that_the_user_deleted_is_made_anew(application: Application, tmp_path: Path) -> None:
    case = application.case("Case")
    write_ply(ball(), tmp_path / "a.ply", About("ball", frame="RAS"))
    model = show_surface(case, tmp_path / "a.ply", "preview")
    application.scene.RemoveNode(model)
    anew = show_surface(case, tmp_path / "a.ply", "preview", model)
    assert case_nodes(case) == [anew]


def test_maps_have_ranges_and_legends_of_their_own(application: Application, tmp_path: Path) -> None:
    mesh = ball()
    values = {name: np.zeros(len(mesh.vertices)) for name in ("thickness", "gap")}
    write_ply(mesh, tmp_path / "a.ply", About("ball", frame="RAS"), values)
    model = show_surface(application.case("Case"), tmp_path / "a.ply", "ball")
    display = model.GetDisplayNode()
    for colours in (THICKNESS.with_range(0.0, 5.0), GAP):
        colour_by(model, colours)
        assert display.GetActiveScalarName() == colours.scalar
        assert display.GetScalarRange() == (colours.low, colours.high)
        legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(model)
        assert (legend.GetTitleText(), bool(legend.GetVisibility())) == (colours.title, True)
        assert legend.GetPrimaryDisplayNode() is display
    # No difference has the middle colour, and both sides are as far from it.
    grey = [0.0] * 3
    display.GetColorNode().GetLookupTable().GetColor(127.5, grey)
    assert max(grey) - min(grey) < 0.05
    colour_by(model, None)
    assert (bool(display.GetScalarVisibility()), bool(legend.GetVisibility())) == (False, False)


def test_a_hidden_surface_keeps_its_map(application: Application, tmp_path: Path) -> None:
    mesh = ball()
    write_ply(mesh, tmp_path / "a.ply", About("ball", frame="RAS"), {"thickness": np.zeros(len(mesh.vertices))})
    model = show_surface(application.case("Case"), tmp_path / "a.ply", "ball")
    colour_by(model, THICKNESS)
    for visible in (False, True):
        set_visible(model, visible)
        assert bool(model.GetDisplayNode().GetVisibility()) == visible
    assert model.GetDisplayNode().GetScalarVisibility()


def test_a_damaged_file_is_refused(application: Application, tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(b"ply\nformat ascii 1.0\n")
    with pytest.raises(UserError, match="cut short"):
        show_surface(application.case("Case"), tmp_path / "a.ply", "ball")


def test_a_view_shows_map_unknown_parts_and_legend(application: Application, tmp_path: Path) -> None:
    probe = subprocess.run([sys.executable, "-c", _EGL], capture_output=True, check=False, timeout=60)
    if probe.returncode != 0:
        pytest.skip("no off-screen rendering by EGL here")
    from rendering import View

    view = View(application)
    mesh = ball()
    thickness = np.where(mesh.vertices[:, 0] > 30.0, np.nan, 8.0 * (mesh.vertices[:, 2] - 40.0) / 20.0)
    write_ply(mesh, tmp_path / "a.ply", About("ball", frame="RAS"), {"thickness": thickness})
    model = show_surface(application.case("Case"), tmp_path / "a.ply", "ball")
    colour_by(model, THICKNESS)
    # Seen from behind: left is left. Unlit, so that the colours are those of the table.
    model.GetDisplayNode().SetLighting(False)
    picture = view.picture((0.0, 1.0, 0.0)).astype(int)
    # The ball is in the middle, the legend to the right of it.
    columns = np.flatnonzero((picture[240, :440] != 255).any(axis=1))
    radius = (columns.max() - columns.min()) // 2
    yellow, dark, unknown = (
        picture[240 - int(up * radius), 320 + int(right * radius)]
        for right, up in ((-0.05, 0.9), (-0.05, -0.9), (0.5, 0.0))
    )
    assert yellow[:2].min() > 150 > yellow[2]
    assert dark.max() < 130
    assert unknown.min() > 150
    assert np.ptp(unknown) < 12
    legend = picture[:, 440:]
    assert ((legend.max(axis=2) - legend.min(axis=2)) > 60).sum() > 500


def test_several_files_are_shown_as_one_model(application: Application, tmp_path: Path) -> None:
    case = application.case("Case")
    paths = []
    for number in range(2):
        vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]) + 10.0 * number
        paths.append(tmp_path / f"{number}.ply")
        mesh = Mesh(vertices, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
        write_ply(mesh, paths[-1], About("part", frame="RAS"), {"thickness": np.full(4, float(number))})
    model = show_surface(case, paths, "Both")
    assert model.GetPolyData().GetNumberOfPoints() == 8
    assert model.GetPolyData().GetPointData().GetArray("thickness").GetRange() == (0.0, 1.0)
    bounds = np.zeros(6)
    model.GetRASBounds(bounds)
    np.testing.assert_allclose(bounds, [0.0, 11.0] * 3)
    colour_by(model, GAP)
    assert not model.GetDisplayNode().GetScalarVisibility()
