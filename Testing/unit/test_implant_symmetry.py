"""An implant's outer surface against a sphere laid over it by a reflection: distances in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from spherical_skull import SphericalSkull, grid_around

from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.solid import implant_solids
from CranialReconstructionLib.implant.symmetry import Symmetry, symmetry_of

AWAY = (0.5, 0.0, 0.9)


def symmetry_with(mirror: np.ndarray) -> Symmetry | None:
    shell = SphericalSkull(radius=60.0, hole_radius=10.0, axes=(AWAY,))
    skull, defect = shell.masks(grid_around((0.0, 0.0, 1.0), 45.0, (0.9, 0.9, 0.9), 56.0))
    (solid,) = implant_solids(skull, defect, Design())
    return symmetry_of(solid.outer, skull, mirror)


def test_a_sphere_is_its_own_other_side() -> None:
    symmetry = symmetry_with(np.diag([-1.0, 1.0, 1.0, 1.0]))
    assert symmetry is not None
    assert symmetry.share > 0.95
    assert symmetry.mean < 0.15
    assert symmetry.high < 0.35


def test_a_plane_beside_the_middle_lays_the_other_side_off_the_surface() -> None:
    # The reflection in x = 1 takes the sphere's middle to x = 2: along the normal that is 2 n_x.
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = 2.0
    symmetry = symmetry_with(mirror)
    assert symmetry is not None
    outwards = np.array(AWAY) / np.linalg.norm(AWAY)
    assert symmetry.offset == pytest.approx(-2.0 * outwards[0], abs=0.12)
    assert symmetry.mean == pytest.approx(2.0 * outwards[0], abs=0.12)


def test_over_the_midline_there_is_no_other_side() -> None:
    outwards = np.array(AWAY) / np.linalg.norm(AWAY)
    through = np.eye(4)
    through[:3, :3] -= 2.0 * np.outer(np.cross(outwards, (0.0, 1.0, 0.0)), np.cross(outwards, (0.0, 1.0, 0.0)))
    assert symmetry_with(through) is None
