"""What an implant is judged by, on bodies whose faults are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from spherical_skull import SphericalSkull, grid_around

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.checks import (
    check_holes,
    check_mould,
    check_piece,
    check_reduction,
    check_solid,
    check_surface,
    check_symmetry,
)
from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.export.about import About, joined
from CranialReconstructionLib.implant.export.formats import write_mesh
from CranialReconstructionLib.implant.hole_walls import FARTHEST, thinnest_beside
from CranialReconstructionLib.implant.holes import DrilledHole, Drilling
from CranialReconstructionLib.implant.input_checks import check_input
from CranialReconstructionLib.implant.iterations import numbered
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mould import Mould
from CranialReconstructionLib.implant.read_back import check_file
from CranialReconstructionLib.implant.sharp_rim import sharp_rim
from CranialReconstructionLib.implant.solid import implant_solids
from CranialReconstructionLib.implant.symmetry import Symmetry


def mesh_of(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(shape.vertices), np.asarray(shape.faces, dtype=np.int64))


def ball(middle: float = 0.0) -> Mesh:
    sphere = trimesh.creation.icosphere(2, 10.0)
    sphere.apply_translation([middle, 0.0, 0.0])
    return mesh_of(sphere)


# A plug that opens outwards: the angle of material at its upper edge is the wedge's.
def plug(angle: float, spacing: float, thickness: float = 4.0, radius: float = 15.0) -> Volume:
    count = int(2.0 * (radius + 4.0) / spacing)
    across = (np.arange(count) - 0.5 * count + 0.3) * spacing
    along = np.arange(int((thickness + 4.0) / spacing) + 1) * spacing - 2.0
    z, y, x = np.meshgrid(along, across, across, indexing="ij")
    wall = (np.hypot(x, y) - radius) * np.sin(np.radians(angle)) - (z - thickness) * np.cos(np.radians(angle))
    field = np.maximum(np.maximum(z - thickness, -z), wall)
    return Volume(field.astype(np.float32), np.diag([spacing, spacing, spacing, 1.0]))


@pytest.mark.parametrize("spacing", [0.4, 0.5])
@pytest.mark.parametrize(("angle", "share"), [(15.0, 1.0), (22.0, 1.0), (45.0, 0.0), (70.0, 0.0), (90.0, 0.0)])
def test_an_edge_is_sharp_below_thirty_degrees(angle: float, share: float, spacing: float) -> None:
    rim = sharp_rim(plug(angle, spacing), wall=1.5)
    assert rim.share == pytest.approx(share, abs=0.05)
    assert rim.length == pytest.approx(2.0 * np.pi * 15.0, rel=0.08)


def test_a_thin_sheet_is_no_sharp_edge() -> None:
    assert sharp_rim(plug(90.0, 0.4, thickness=0.6), wall=0.6).share < 0.05
    assert sharp_rim(plug(15.0, 0.4, thickness=0.6), wall=0.6).share > 0.9


def test_a_faulty_surface_is_named() -> None:
    whole = ball()
    faults = {
        "3 x open edge": replace(whole, triangles=whole.triangles[1:]),
        "1 x shell inside out": replace(whole, triangles=whole.triangles[:, ::-1]),
        "2 x shell": joined([whole, ball(40.0)]),
        "self-intersection": joined([whole, ball(5.0)]),
        "edge between triangles that wind against": replace(
            whole, triangles=np.vstack([whole.triangles[:1, ::-1], whole.triangles[1:]])
        ),
    }
    for fault, mesh in faults.items():
        check = check_surface(mesh)
        assert check.verdict == "fail"
        assert fault in check.value
    assert check_surface(whole).value == "sound"
    place = check_surface(joined([whole, ball(5.0)])).value
    assert "at R 2." in place or "at R 3." in place
    at = check_surface(joined([whole, ball(5.0)])).at
    assert at is not None
    assert at[0] == pytest.approx(2.5, abs=1.0)
    assert np.hypot(at[1], at[2]) == pytest.approx(np.sqrt(100.0 - 2.5**2), abs=1.0)


def test_a_piece_is_judged_by_its_design() -> None:
    plate = mesh_of(trimesh.creation.box((40.0, 30.0, 1.4)).subdivide().subdivide())
    found = {check.name: check.verdict for check in check_piece(plate, Design())}
    assert found == {"printable surface": "pass", "minimum wall": "warn", "extent": "pass", "triangles": "pass"}
    found = {check.name: check.verdict for check in check_piece(plate, Design(minimum_wall=2.0), " of piece 1")}
    assert found["minimum wall of piece 1"] == "fail"


def test_the_thinnest_wall_has_its_place() -> None:
    wedge = trimesh.creation.box((40.0, 30.0, 1.0)).subdivide().subdivide().subdivide()
    wedge.vertices[:, 2] *= 1.5 + 0.05 * wedge.vertices[:, 0]
    (wall,) = (check for check in check_piece(mesh_of(wedge), Design()) if check.name == "minimum wall")
    assert wall.at is not None
    assert wall.at[0] < -16.0


def test_checks_lead_to_the_place(masks: tuple[Volume, Volume]) -> None:
    # On its right the outer table hangs over the missing bone.
    skull, defect = masks
    ras = skull.grid.ras_of(np.argwhere(defect.voxels)[:, ::-1])
    over = np.zeros_like(defect.voxels)
    over[defect.voxels > 0] = (np.linalg.norm(ras, axis=1) > 78.0) & (ras[:, 0] > 10.0)
    given = skull.with_voxels(skull.voxels | over), defect.with_voxels(defect.voxels & (1 - over))
    design = Design(axis=(0.0, 0.0, -1.0))
    (solid,) = implant_solids(*given, design)
    found = {check.name: check for check in check_solid(solid, design)}
    for name in ("gap", "step at the rim", "undercut along the axis"):
        place = found[name].at
        assert place is not None, name
        assert 70.0 < np.linalg.norm(place) < 82.0, name
        assert 8.0 < np.hypot(place[0], place[1]) < 20.0, name
    undercut = found["undercut along the axis"].at
    assert undercut is not None
    assert undercut[0] > 8.0
    assert found["collision with the skull"].at is None
    # Had it not been cut away, it would meet the bone there.
    filled = np.minimum(solid.field.voxels, np.where(np.abs(solid.bone.voxels) < 2.0, -1.0, 1.0)).astype(np.float32)
    colliding = replace(solid, field=solid.field.with_voxels(filled), collision=1.0)
    (check,) = (check for check in check_solid(colliding, design) if check.name == "collision with the skull")
    assert check.at is not None
    kji = np.rint(solid.bone.grid.ijk_of(check.at)[0]).astype(int)[::-1]
    assert filled[tuple(kji)] < 0.0
    assert solid.bone.voxels[kji[0] :, kji[1], kji[2]].min() < -1.5


def test_a_sharp_edge_has_its_place() -> None:
    rim = sharp_rim(plug(15.0, 0.5), wall=1.5)
    assert rim.sharpest is not None
    # The plug's radius is 15 mm at its upper end.
    assert np.hypot(rim.sharpest[0], rim.sharpest[1]) > 0.0
    assert sharp_rim(plug(70.0, 0.5), wall=1.5).sharpest is None


def test_symmetry_warns_and_the_midline_has_no_other_side() -> None:
    for mean, verdict in ((1.2, "pass"), (4.0, "warn"), (8.0, "fail")):
        check = check_symmetry(Symmetry(mean=mean, high=2.0 * mean, offset=0.5, share=0.9))
        assert (check.name, check.verdict) == ("symmetry", verdict)
    assert check_symmetry(None).verdict == "pass"
    assert "no other side" in check_symmetry(None).value


@pytest.mark.parametrize(
    ("change", "distance", "verdicts"),
    [
        (0.004, 0.05, ["pass", "pass"]),
        (-0.02, 0.05, ["fail", "pass"]),
        (0.02, 0.2, ["fail", "warn"]),
        (0.0, 0.9, ["pass", "fail"]),
    ],
)
def test_what_decimation_costs_is_limited(change: float, distance: float, verdicts: list[str]) -> None:
    assert [check.verdict for check in check_reduction(change, distance)] == verdicts


def test_a_mould_must_come_off_and_hold() -> None:
    sound = Mould(ball(), ball(40.0), 1000.0, undercut=0.0, wall=1.3)
    assert {check.verdict for check in check_mould(sound)} == {"pass"}
    faulty = Mould(ball(), joined([ball(), ball(40.0)]), 1000.0, undercut=0.5, wall=0.9)
    found = {check.name: check.verdict for check in check_mould(faulty)}
    assert found == {
        "printable surface of the mould's upper half": "pass",
        "printable surface of the mould's lower half": "fail",
        "mould's undercut": "fail",
        "mould's wall": "warn",
    }


def drilled_plate() -> Drilling:
    """A plate of 60 x 40 x 4 mm, turned, with holes of 2 mm: 6 mm between two of them, one 3 mm from the rim."""
    places = [(-20.0, 0.0), (-12.0, 0.0), (15.0, 16.0)]
    plate = trimesh.creation.box((60.0, 40.0, 4.0))
    for x, y in places:
        drill = trimesh.creation.cylinder(1.0, 10.0, sections=64)
        drill.apply_translation([x, y, 0.0])
        plate = trimesh.boolean.difference([plate, drill], engine="manifold")
    turn = trimesh.transformations.rotation_matrix(0.7, [1.0, 2.0, 0.5])
    plate.apply_transform(turn)
    down = turn[:3, :3] @ [0.0, 0.0, -1.0]
    holes = [DrilledHole(turn[:3, :3] @ [x, y, 2.0], down, 2.0, 4.0) for x, y in places]
    return Drilling(mesh_of(plate), holes, [])


def test_the_wall_beside_a_hole_is_measured() -> None:
    drilling = drilled_plate()
    assert thinnest_beside(drilling) == pytest.approx([6.0, 6.0, 3.0], abs=0.06)
    (check,) = check_holes(drilling, Design())
    assert (check.verdict, check.value) == ("pass", "3.00 mm of wall beside 3 holes")
    assert check.at == pytest.approx(drilling.holes[2].at)
    (check,) = check_holes(drilling, Design(minimum_wall=3.5))
    assert check.verdict == "fail"
    assert list(check_holes(Drilling(drilling.mesh, [], []), Design())) == []
    middle = trimesh.creation.annulus(2.0, 50.0, 4.0)
    alone = Drilling(mesh_of(middle), [DrilledHole(np.array([0, 0, 2.0]), np.array([0, 0, -1.0]), 4.0, 4.0)], [])
    assert thinnest_beside(alone) == pytest.approx([FARTHEST])


@pytest.mark.parametrize("suffix", ["stl", "ply", "obj"])
@pytest.mark.parametrize("frame", ["LPS", "RAS"])
def test_a_file_holds_what_was_written(tmp_path: Path, suffix: str, frame: str) -> None:
    pieces = [ball(), ball(40.0)]
    path = tmp_path / f"implant.{suffix}"
    write_mesh(pieces, path, About(frame=frame))
    check = check_file(path, pieces)
    assert check.verdict == "pass"
    assert path.name in check.value


def test_a_file_that_holds_something_else_is_found(tmp_path: Path) -> None:
    path, whole = tmp_path / "implant.ply", ball(30.0)
    moved = whole.vertices.copy()
    moved[0] *= 1.001
    torn = np.vstack([whole.vertices, whole.vertices[:1] + 1e-3])
    triangles = whole.triangles.copy()
    triangles[0, triangles[0] == triangles[0, 0]] = len(whole.vertices)
    others = {
        "a triangle less": replace(whole, triangles=whole.triangles[1:]),
        "inside out": replace(whole, triangles=whole.triangles[:, ::-1]),
        "elsewhere": ball(30.1),
        "mirrored": Mesh(whole.vertices * [-1.0, -1.0, 1.0], whole.triangles),
        "a vertex moved and torn": Mesh(torn, triangles),
    }
    for what, other in others.items():
        write_mesh(other, path, About())
        assert check_file(path, [whole]).verdict == "fail", what


def test_the_number_counts_iterations() -> None:
    first = Design(name="flap")
    changed = replace(first, gap=0.4)
    assert numbered(first, None, None).number == 1
    # From a saved design: it stays the same one, or becomes the next.
    saved = replace(first, number=4)
    assert numbered(saved, saved, None).number == 4
    assert numbered(replace(saved, gap=0.4), saved, None).number == 5
    # Over what the folder holds.
    assert numbered(first, None, saved).number == 4
    assert numbered(changed, None, saved).number == 5
    assert numbered(replace(changed, number=2), replace(changed, number=2), saved).number == 5
    assert numbered(replace(changed, number=9), replace(changed, number=9), saved).number == 9


@pytest.fixture(scope="module")
def masks() -> tuple[Volume, Volume]:
    """A spherical skull at 1.5 mm and its missing bone."""
    return SphericalSkull().masks(grid_around((0.0, 0.0, 1.0), 80.0, (1.5, 1.5, 1.5), 64.0))


def moved(volume: Volume, levels: int) -> Volume:
    return volume.with_voxels(np.roll(volume.voxels, -levels, axis=0))


def test_masks_of_one_case_are_taken(masks: tuple[Volume, Volume]) -> None:
    skull, defect = masks
    assert check_input(skull, defect) == ()
    wide = skull.with_voxels(skull.voxels | (defect.voxels & (np.arange(skull.voxels.shape[2]) < 33)))
    (warning,) = check_input(wide, defect)
    assert "bone in the skull already" in warning
    speck = defect.voxels.copy()
    speck[np.unravel_index(np.flatnonzero(skull.voxels)[0], speck.shape)] = 1
    assert any("1 specks" in text for text in check_input(skull, defect.with_voxels(speck)))


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("different grids", lambda skull, defect: (skull, defect.cropped((0, 0, 0), (60, 60, 60)), None)),
        ("grey values", lambda skull, defect: (skull, defect.with_voxels(defect.voxels * np.float32(0.5)), None)),
        ("is empty", lambda skull, defect: (skull, defect.with_voxels(defect.voxels * 0), None)),
        (
            "100% of the defect is bone",
            lambda skull, defect: (skull.with_voxels(skull.voxels | defect.voxels), defect, None),
        ),
        ("from any bone", lambda skull, defect: (skull, moved(defect, 24), None)),
        ("outside 0 to 1", lambda skull, defect: (skull, defect, defect.with_voxels(defect.voxels * 255))),
        (
            "confidence and the skull",
            lambda skull, defect: (skull, defect, defect.cropped((0, 0, 0), (60, 60, 60))),
        ),
    ],
)
def test_masks_that_do_not_belong_together_are_refused(
    masks: tuple[Volume, Volume], message: str, change: object
) -> None:
    with pytest.raises(UserError, match=message):
        check_input(*change(*masks))
