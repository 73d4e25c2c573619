"""An implant's preview against closed forms on a sphere, and against the implant itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from spherical_skull import SphericalSkull, grid_around

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.design import Design, Flange, Hole, PerfusionHoles
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.meshing import surface_of
from CranialReconstructionLib.implant.preview import Preview, Previews
from CranialReconstructionLib.implant.solid import implant_solids

SPACING = 1.2
MASKS = SphericalSkull().masks(grid_around((0.0, 0.0, 1.0), 80.0, (0.8, 0.8, 1.0), 40.0))


def silent(stage: str) -> None:
    """Progress that nobody asked for."""


@pytest.fixture(scope="module")
def previews() -> Previews:
    return Previews(*MASKS, None, SPACING, silent)


def preview(previews: Previews, design: Design) -> Preview:
    (found,) = previews.of(design, silent)
    return found


def across(mesh: Mesh) -> np.ndarray:
    """Millimetres (V,) from the holes' axis."""
    return np.linalg.norm(mesh.vertices[:, :2], axis=1)


def judged(found: Preview) -> trimesh.Trimesh:
    return trimesh.Trimesh(found.mesh.vertices, found.mesh.triangles, process=False)


@pytest.mark.parametrize(
    ("design", "thickness", "share"),
    [(Design(), 4.0, 0.03), (Design(bevel=15.0, gap=1.0), 4.0, 0.03), (Design(material="titanium"), 0.8, 0.06)],
)
def test_a_preview_is_the_implant_at_reduced_detail(
    previews: Previews, design: Design, thickness: float, share: float
) -> None:
    found, (whole,) = preview(previews, design), implant_solids(*MASKS, design)
    assert found.axis == whole.axis
    assert found.volume == pytest.approx(whole.volume, rel=share)
    assert found.collision == pytest.approx(whole.collision, abs=0.02)
    assert np.nanmedian(found.thickness) == pytest.approx(thickness, rel=0.08)
    assert found.thinnest == pytest.approx(thickness, rel=0.1)
    radius = np.linalg.norm(found.mesh.vertices, axis=1)
    assert radius.max() == pytest.approx(80.0, abs=0.4)
    assert radius.min() == pytest.approx(80.0 - thickness, abs=0.4)
    assert np.linalg.norm(found.centre) == pytest.approx(80.0, abs=0.2)
    assert judged(found).is_watertight
    assert across(found.mesh).max() == pytest.approx(across(surface_of(whole.field)).max(), abs=0.2)


def test_every_hole_goes_through_and_keeps_its_margins(previews: Previews) -> None:
    whole = preview(previews, Design())
    pattern = PerfusionHoles(diameter=2.0, pitch=7.0, margin=2.0)
    design = Design(perfusion=pattern, holes=(Hole((1.0, 2.0, 79.0), 3.0), Hole((15.0, 0.0, 78.0), 3.0)))
    found = preview(previews, design)
    surface = judged(found)
    holes = 1 - surface.euler_number // 2
    assert surface.is_watertight
    assert 5 <= holes <= 19
    # The second single hole lies on the rim; the pattern gives way to the first.
    assert found.holes_left_out >= 2
    drilled = (whole.mesh.volume - found.mesh.volume) / (4.0 * np.pi)
    assert drilled == pytest.approx(1.5**2 + (holes - 1) * 1.0, rel=0.12)
    assert surface.bounds == pytest.approx(judged(whole).bounds, abs=0.05)


def test_a_flange_lies_on_the_outer_table(previews: Previews) -> None:
    found = preview(previews, Design(material="titanium", flange=Flange(6.0, 0.8)))
    radius = np.linalg.norm(found.mesh.vertices, axis=1)
    assert across(found.mesh).max() == pytest.approx(22.0, abs=1.0)
    over_bone = across(found.mesh) > 18.0
    assert radius[over_bone].max() == pytest.approx(80.85, abs=0.35)
    assert radius[over_bone].min() > 79.4
    assert np.nanmedian(found.thickness[over_bone]) == pytest.approx(0.8, abs=0.25)


def test_a_given_axis_is_kept_or_refused(previews: Previews) -> None:
    tilted = np.array([0.2, 0.0, -1.0])
    found = preview(previews, Design(axis=tuple(tilted)))
    np.testing.assert_allclose(found.axis, tilted / np.linalg.norm(tilted))
    assert found.undercut > preview(previews, Design()).undercut
    with pytest.raises(UserError, match="off the way into the head"):
        preview(previews, Design(axis=(1.0, 0.0, -0.1)))


def test_what_an_implant_cannot_be_a_preview_cannot_be(previews: Previews) -> None:
    skull, defect = MASKS
    with pytest.raises(UserError, match="bone in the skull already"):
        Previews(skull, skull, None, SPACING, silent)
    with pytest.raises(UserError, match="different grids"):
        Previews(skull, defect.cropped((0, 0, 0), (60, 60, 60)), None, SPACING, silent)
    with pytest.raises(UserError, match="minimum wall"):
        preview(previews, Design(flange=Flange(8.0, 0.8)))


def test_two_openings_have_two_previews() -> None:
    skull = replace(SphericalSkull(hole_radius=11.0), axes=((0.35, 0.0, 1.0), (-0.35, 0.0, 1.0)))
    found = Previews(*skull.masks(grid_around((0.0, 0.0, 1.0), 80.0, (1.0, 1.0, 1.0), 50.0)), None, SPACING, silent).of(
        Design(), silent
    )
    assert sorted(np.sign(preview.centre[0]) for preview in found) == [-1.0, 1.0]
