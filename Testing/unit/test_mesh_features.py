"""Holes, pieces, mould and host bone on a cap of a spherical shell."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from manifold3d import Manifold
from spherical_skull import SphericalSkull, grid_around

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.booleans import intersection, mesh_of, solid_of
from CranialReconstructionLib.implant.design import CutPlane, Design, Hole, PerfusionHoles
from CranialReconstructionLib.implant.holes import Drilling, drill
from CranialReconstructionLib.implant.host_bone import host_bone
from CranialReconstructionLib.implant.making import make_implants
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_quality import examine
from CranialReconstructionLib.implant.mould import MouldShape, mould_of
from CranialReconstructionLib.implant.pieces import split

OUTER, INNER = 70.0, 66.0
RIM = 30.0  # radius of the cap's outer rim across the axis
AXIS = (0.0, 0.0, -1.0)


def _cap(tilt: float = 0.0, rim: float = RIM) -> Mesh:
    """A cap of a shell in a cone from the middle, its axis ``tilt`` degrees from S towards R."""
    half_angle = np.arcsin(rim / OUTER)
    cone = Manifold.cylinder(80.0, 0.0, float(80.0 * np.tan(half_angle)), 160)
    cap = (Manifold.sphere(OUTER, 200) - Manifold.sphere(INNER, 200)) ^ cone
    return mesh_of(cap.rotate((0.0, tilt, 0.0)))


def _drill(cap: Mesh, axis: tuple[float, float, float], design: Design) -> Drilling:
    return drill([cap], [axis], design)[0]


def _axis(tilt: float) -> tuple[float, float, float]:
    angle = np.radians(tilt)
    return (-float(np.sin(angle)), 0.0, -float(np.cos(angle)))


@pytest.mark.parametrize("tilt", [0.0, 35.0])
def test_perfusion_holes_are_radial_in_their_pattern_and_inside_the_margin(tilt: float) -> None:
    cap = _cap(tilt)
    pattern = PerfusionHoles(diameter=2.0, pitch=10.0, margin=5.0)
    result = _drill(cap, _axis(tilt), Design(perfusion=pattern))
    places = np.array([hole.at for hole in result.holes])
    # As many as a disc holds from whose edge the margin is gone: counted on the lattice itself.
    rows, columns = np.mgrid[-5:6, -8:9]
    lattice = np.hypot(columns + 0.5 * rows, np.sqrt(0.75) * rows) * pattern.pitch
    assert len(result.holes) == int((lattice < RIM - pattern.margin - 0.5 * pattern.diameter).sum())
    assert {hole.reason[:7] for hole in result.skipped} == {"the rim"}
    assert np.allclose(np.linalg.norm(places, axis=1), OUTER, atol=0.05)
    for hole in result.holes:
        assert np.degrees(np.arccos(min(1.0, float(-hole.direction @ hole.at) / np.linalg.norm(hole.at)))) < 2.0
        assert hole.depth == pytest.approx(OUTER - INNER, abs=0.05)
    between = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e3 * np.eye(len(places))
    assert between.min() >= pattern.pitch - 1e-6
    away = np.arccos(np.clip(places @ -np.array(_axis(tilt)) / OUTER, -1.0, 1.0))
    assert (2.0 * OUTER * np.sin(0.5 * (np.arcsin(RIM / OUTER) - away))).min() >= 6.0 - 0.1


def test_each_hole_takes_a_cylinder_and_leaves_a_sound_solid_with_as_many_handles() -> None:
    cap = _cap()
    result = _drill(cap, AXIS, Design(perfusion=PerfusionHoles()))
    assert examine(result.mesh).sound
    removed = (cap.volume - result.mesh.volume) / len(result.holes)
    assert removed == pytest.approx(np.pi * 1.0**2 * (OUTER - INNER), rel=0.01)
    judge = trimesh.Trimesh(result.mesh.vertices, result.mesh.triangles)
    assert judge.is_volume
    assert judge.euler_number == 2 - 2 * len(result.holes)


def test_a_single_hole_goes_to_the_nearest_place_and_the_pattern_makes_room() -> None:
    towards = np.array([0.2, 0.1, 1.0]) / np.linalg.norm([0.2, 0.1, 1.0])
    single = Hole(tuple(90.0 * towards), diameter=3.0)
    result = _drill(_cap(), AXIS, Design(holes=(single,), perfusion=PerfusionHoles()))
    assert np.allclose(result.holes[0].at, OUTER * towards, atol=0.5)
    assert result.holes[0].diameter == 3.0
    for hole in result.holes[1:]:
        assert np.linalg.norm(hole.at - result.holes[0].at) >= 1.0 + 1.5 + 1.5 - 1e-6


def test_holes_without_a_place_are_refused_with_the_reason() -> None:
    edge = (RIM - 1.0, 0.0, np.sqrt(OUTER**2 - (RIM - 1.0) ** 2))
    with pytest.raises(UserError, match=r"hole 1: the rim is"):
        _drill(_cap(), AXIS, Design(holes=(Hole(edge),)))
    with pytest.raises(UserError, match=r"hole 2: .*between two holes"):
        _drill(_cap(), AXIS, Design(holes=(Hole((0.0, 0.0, 70.0)), Hole((3.0, 0.0, 70.0)))))
    with pytest.raises(UserError, match="no perfusion hole fits"):
        _drill(_cap(), AXIS, Design(perfusion=PerfusionHoles(margin=40.0)))


def test_a_bevel_that_undercuts_the_hole_is_noticed_below_the_surface() -> None:
    # Walls that slant 45 degrees inwards: on the outer surface there is room to the rim, below there is not.
    slanted = solid_of(_cap()) ^ Manifold.cylinder(20.0, 24.0, 44.0, 160).translate((0.0, 0.0, 58.0))
    assert _drill(_cap(), AXIS, Design(holes=(Hole((27.0, 0.0, 64.6)),))).holes
    with pytest.raises(UserError, match="to the edge"):
        _drill(mesh_of(slanted), AXIS, Design(holes=(Hole((27.0, 0.0, 64.6)),)))


def test_a_step_in_the_outer_surface_counts_as_an_edge_of_what_stands_out() -> None:
    # A flange 1.2 mm high takes hold of a plate; its edge, at x = 0, leans by 30 degrees.
    plate = Manifold.cube((40.0, 40.0, 4.0)).translate((-20.0, -20.0, 0.0))
    raised = Manifold.cube((21.0, 40.0, 5.2)).translate((-1.0, -20.0, 0.0))
    leaning = np.array([np.cos(np.radians(30.0)), 0.0, -np.sin(np.radians(30.0))])
    body = mesh_of(plate + raised.trim_by_plane(leaning.tolist(), float(leaning @ [0.0, 0.0, 4.0])))
    assert _drill(body, AXIS, Design(holes=(Hole((4.0, 0.0, 5.2)),))).holes
    with pytest.raises(UserError, match="to the edge"):
        _drill(body, AXIS, Design(holes=(Hole((2.2, 0.0, 5.2)),)))


def test_each_single_hole_goes_through_the_piece_that_it_lies_on() -> None:
    cap = _cap()
    pieces = split(cap, (CutPlane((5.0, 0.0, 70.0), (1.0, 0.0, 0.0), 0.2),))
    wanted = [(x, 0.0, float(np.sqrt(OUTER**2 - x**2))) for x in (-15.0, 15.0, -5.0)]
    drilled = drill(pieces, [AXIS, AXIS], Design(holes=tuple(Hole(place) for place in wanted)))
    found = {tuple(np.sign([hole.at[0] - 5.0 for hole in part.holes])) for part in drilled}
    assert found == {(-1.0, -1.0), (1.0,)}
    for part, piece in zip(drilled, pieces, strict=True):
        assert examine(part.mesh).sound
        assert part.mesh.volume < piece.volume


def test_a_piece_without_room_for_the_pattern_goes_without() -> None:
    big, small = _cap(), _cap(tilt=90.0, rim=5.0)
    drilled = drill([big, small], [AXIS, _axis(90.0)], Design(perfusion=PerfusionHoles()))
    assert drilled[0].holes
    assert not drilled[1].holes
    assert drilled[1].skipped


def test_no_holes_change_nothing() -> None:
    cap = _cap()
    assert _drill(cap, AXIS, Design()).mesh is cap


def test_pieces_add_up_to_the_implant_without_the_cut() -> None:
    cap = _cap()
    exact = split(cap, [CutPlane((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), gap=0.0)])
    assert sum(piece.volume for piece in exact) == pytest.approx(cap.volume, rel=1e-5)
    cuts = [CutPlane((5.0, 0.0, 0.0), (2.0, 0.0, 0.0), gap=0.4), CutPlane((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), gap=0.4)]
    pieces = split(cap, cuts)
    assert len(pieces) == 4
    assert pieces[0].volume >= pieces[-1].volume
    assert all(examine(piece, walls=False).sound for piece in pieces)
    for axis, at in ((0, 5.0), (1, 0.0)):
        low = min(np.abs(piece.vertices[:, axis] - at).min() for piece in pieces)
        assert low == pytest.approx(0.2, abs=2e-3)
    kerf = (
        sum(intersection(cap, _slab(axis, at, 0.4)).volume for axis, at in ((0, 5.0), (1, 0.0)))
        - intersection(cap, _slab(0, 5.0, 0.4), _slab(1, 0.0, 0.4)).volume
    )
    assert cap.volume - sum(piece.volume for piece in pieces) == pytest.approx(kerf, rel=0.01)


def _slab(axis: int, at: float, width: float) -> Mesh:
    size, corner = np.full(3, 200.0), np.full(3, -100.0)
    size[axis], corner[axis] = width, at - 0.5 * width
    return mesh_of(Manifold.cube(tuple(size)).translate(tuple(corner)))


def test_a_cut_beside_the_implant_is_refused() -> None:
    with pytest.raises(UserError, match=r"cut 1: the plane misses"):
        split(_cap(), [CutPlane((50.0, 0.0, 0.0), (1.0, 0.0, 0.0))])


def _bench(tilt: float, spacing: float = 0.4, reach: float = 24.0) -> tuple[Volume, np.ndarray, np.ndarray, np.ndarray]:
    """An empty grid about the cap's place, K out of the head, and its millimetres along the axis' own frame."""
    count = int(2.0 * reach / spacing)
    k, j, i = np.indices((count, count, count)).astype(np.float32)
    x, y, z = ((part - 0.5 * (count - 1)) * spacing for part in (i, j, k))
    angle = np.radians(tilt)
    turn = np.array([[np.cos(angle), 0.0, np.sin(angle)], [0.0, 1.0, 0.0], [-np.sin(angle), 0.0, np.cos(angle)]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn * spacing
    matrix[:3, 3] = turn @ (np.array([0.0, 0.0, INNER]) - 0.5 * (count - 1) * spacing)
    return Volume(np.zeros((count,) * 3, dtype=np.float32), matrix, "body"), x, y, z


def _cap_body(tilt: float, rim: float = 18.0) -> Volume:
    """The same cap as a field."""
    bench, x, y, z = _bench(tilt)
    z = z + INNER
    radius, half_angle = np.sqrt(x**2 + y**2 + z**2), np.arcsin(rim / OUTER)
    cone = np.hypot(x, y) * np.cos(half_angle) - z * np.sin(half_angle)
    return bench.with_voxels(np.clip(np.maximum(np.maximum(radius - OUTER, INNER - radius), cone), -3.0, 3.0))


@pytest.mark.parametrize("tilt", [0.0, 35.0])
def test_the_mould_closes_around_the_implant_and_opens_along_the_axis(tilt: float) -> None:
    cap, axis = _cap(tilt, rim=18.0), np.array(_axis(tilt))
    mould = mould_of(_cap_body(tilt))
    assert mould.cavity_volume == pytest.approx(cap.volume, rel=0.01)
    assert mould.undercut < 0.005
    # Half of the block's wall of 8 mm, less a pin of 2.5 mm and its play.
    assert mould.wall == pytest.approx(4.0 - 2.7)
    implant, upper, lower = solid_of(cap), solid_of(mould.upper), solid_of(mould.lower)
    for half in (mould.upper, mould.lower):
        assert examine(half, walls=False).sound
    # Cubic millimetres over some 4,000 square millimetres of common surface: a few micrometres.
    assert (upper ^ lower).volume() < 20.0
    for half, way in ((upper, -1.0), (lower, 1.0)):
        assert (half ^ implant).volume() < 20.0
        # Nothing of a half is behind the implant: it comes off.
        assert all((half.translate(tuple(way * far * axis)) ^ implant).volume() < 20.0 for far in (0.5, 4.0))
    # Nothing but the sprue, the vents and the play of the pins is missing between the halves and the block.
    closed = (upper + lower + implant).volume()
    block = (Manifold.hull(upper + lower)).volume()
    channels = block - closed
    assert 100.0 < channels < 0.03 * block


def test_a_bay_in_the_rim_is_left_open_so_that_the_mould_comes_off() -> None:
    # A bar with a slot 4 mm high and 5 mm deep in its side, all along its 30 mm.
    bench, x, y, z = _bench(0.0)
    bar = np.maximum(np.maximum(np.abs(x) - 15.0, np.abs(y) - 10.0), np.abs(z) - 6.0)
    slot = np.maximum(np.abs(y - 10.0) - 5.0, np.abs(z) - 2.0)
    whole, bayed = (mould_of(bench.with_voxels(np.clip(part, -3.0, 3.0))) for part in (bar, np.maximum(bar, -slot)))
    assert whole.undercut == 0.0
    assert bayed.undercut == pytest.approx(30.0 * 5.0 * 4.0 / 1000.0, rel=0.1)
    assert bayed.cavity_volume == pytest.approx(whole.cavity_volume, rel=0.01)
    assert examine(bayed.upper, walls=False).sound


@pytest.mark.parametrize("spacing", [0.7, 1.0])
def test_the_mould_of_a_real_rim_is_sound(spacing: float) -> None:
    shell = SphericalSkull(hole_radius=22.0).masks(grid_around((0.0, 0.0, 1.0), 80.0, (spacing,) * 3, 40.0))
    (implant,), _ = make_implants(*shell, Design(mould=True))
    assert [check.name for check in implant.checks if "mould" in check.name and check.verdict != "pass"] == []


def test_pins_have_play_and_keep_to_the_block() -> None:
    body = _cap_body(0.0)
    loose, tight = mould_of(body, MouldShape(play=0.2)), mould_of(body, MouldShape(play=0.0))
    assert loose.lower.volume == pytest.approx(tight.lower.volume, rel=1e-3)
    # Four rings around the shafts, as wide as the play.
    rings = tight.upper.volume - loose.upper.volume
    assert 4 * 2.0 * np.pi * 2.5 * 0.2 * 4.0 * 0.6 < rings < 4 * 2.0 * np.pi * 2.5 * 0.2 * 4.0 * 2.0
    with pytest.raises(UserError, match="pins do not fit"):
        MouldShape(pin_radius=5.0)
    with pytest.raises(UserError, match="not within 6 to 40"):
        MouldShape(wall=1.0)


def test_the_host_bone_has_the_defect_and_the_margin_and_stands_flat() -> None:
    edge = 1.0
    k, j, i = np.indices((75, 150, 150)).astype(np.float32) * edge
    matrix = np.diag([-edge, -edge, edge, 1.0])
    x, y, z = i - 74.5, j - 74.5, k
    radius = np.sqrt(x**2 + y**2 + z**2)
    shell = (radius < OUTER) & (radius > INNER - 2.0)
    gone = shell & (np.hypot(x, y) < 20.0) & (z > 0.0)
    skull, defect = Volume(shell, matrix, "skull"), Volume(gone, matrix, "defect")
    part = host_bone(skull, defect, margin=15.0)
    quality = examine(part, walls=False)
    assert quality.sound
    # 35 mm to every side of the middle, to half a voxel, and as round or square as the block.
    assert quality.extent[0] == pytest.approx(70.0, abs=4.0)
    # Nothing of it is where the defect is, and the shell is there beside it.
    middle = np.array([-74.5, -74.5, 0.0])
    assert (np.hypot(*(part.vertices - middle)[:, :2].T)).min() > 19.0
    assert np.abs(np.linalg.norm(part.vertices - middle, axis=1) - 67.0).max() < 3.6
    # The flat cuts: much of the surface lies in the block's faces.
    sides = part.areas[(np.abs(part.normals).max(axis=1) > 0.99999)]
    assert sides.sum() > 500.0


def test_a_host_bone_needs_a_defect() -> None:
    skull = Volume(np.ones((8, 8, 8), dtype=bool), np.eye(4), "skull")
    with pytest.raises(UserError, match="the defect is empty"):
        host_bone(skull, skull.with_voxels(np.zeros((8, 8, 8), dtype=bool)))
    with pytest.raises(UserError, match="no bone around"):
        host_bone(skull, skull)
