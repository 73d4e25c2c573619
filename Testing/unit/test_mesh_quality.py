"""Flaws put into meshes on purpose are found, counted and placed; sound solids pass."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from CranialReconstructionLib.implant.booleans import difference, intersection, solid_of, union
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_quality import examine
from CranialReconstructionLib.implant.self_intersection import self_intersections
from CranialReconstructionLib.implant.wall_thickness import at_vertices, wall_thickness


def _mesh(solid: trimesh.Trimesh) -> Mesh:
    return Mesh(np.array(solid.vertices, dtype=np.float64), np.array(solid.faces, dtype=np.int64))


def _sphere(radius: float = 10.0, at: tuple[float, float, float] = (0.0, 0.0, 0.0), subdivisions: int = 3) -> Mesh:
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    ball.apply_translation(at)
    return _mesh(ball)


def _box(size: tuple[float, float, float], at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    block = trimesh.creation.box(extents=size)
    block.apply_translation(at)
    return _mesh(block)


def _together(*meshes: Mesh) -> Mesh:
    """Side by side in one mesh, whatever they do to each other."""
    shifts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.triangles + shift for mesh, shift in zip(meshes, shifts, strict=True)]),
    )


def _plate(wedge: float) -> Mesh:
    """A long prism with a triangle as its section, ``wedge`` degrees at one edge."""
    height = 40.0 * np.tan(np.radians(wedge))
    return _mesh(
        trimesh.convex.convex_hull(
            [(x, y, z) for x in (0.0, 30.0) for y, z in ((0.0, 0.0), (40.0, 0.0), (40.0, height))]
        )
    )


@pytest.mark.parametrize(
    ("solid", "volume"),
    [
        (_sphere(), 4.0 / 3.0 * np.pi * 1000.0),
        (_mesh(trimesh.creation.torus(12.0, 3.0, 96, 48)), 2.0 * np.pi**2 * 12.0 * 9.0),
        (_box((4.0, 5.0, 6.0)), 120.0),
    ],
)
def test_sound_solids_pass_and_are_measured(solid: Mesh, volume: float) -> None:
    quality = examine(solid)
    assert quality.sound
    assert quality.volume == pytest.approx(volume, rel=0.02)
    assert quality.area == pytest.approx(trimesh.Trimesh(solid.vertices, solid.triangles).area)
    assert quality.extent == pytest.approx(tuple(np.ptp(solid.vertices, axis=0)))
    assert quality.triangles == len(solid.triangles)
    assert quality.sharp_edges == 0.0


def test_a_hole_is_an_open_surface() -> None:
    ball = _sphere()
    quality = examine(Mesh(ball.vertices, ball.triangles[1:]))
    assert quality.open_edges == 3
    assert not quality.watertight
    assert not quality.solid
    assert not quality.sound


def test_cubes_that_touch_in_an_edge_are_not_two_manifold_once_in_a_file() -> None:
    quality = examine(_together(_box((2.0, 2.0, 2.0)), _box((2.0, 2.0, 2.0), at=(2.0, 2.0, 0.0))))
    assert quality.crowded_edges == 1
    assert quality.watertight
    assert not quality.two_manifold


def test_cubes_that_touch_in_a_corner_make_a_bow_tie() -> None:
    quality = examine(_together(_box((2.0, 2.0, 2.0)), _box((2.0, 2.0, 2.0), at=(2.0, 2.0, 2.0))))
    assert quality.bow_tie_vertices == 1
    assert quality.crowded_edges == 0
    assert quality.shells == 2
    assert quality.intersections == 0
    assert not quality.two_manifold


def test_inside_out_and_single_turned_triangles_are_found() -> None:
    ball = _sphere()
    inside_out = examine(Mesh(ball.vertices, ball.triangles[:, ::-1]))
    assert inside_out.two_manifold
    assert inside_out.inward_shells == 1
    assert not inside_out.outward
    turned = ball.triangles.copy()
    turned[5] = turned[5, ::-1]
    assert examine(Mesh(ball.vertices, turned)).turned_edges == 3


def test_a_void_counts_as_a_shell_turned_inwards() -> None:
    inner = _sphere(5.0)
    quality = examine(_together(_sphere(), Mesh(inner.vertices, inner.triangles[:, ::-1])))
    assert (quality.shells, quality.inward_shells) == (2, 1)
    assert not quality.sound


def test_spheres_put_together_without_a_boolean_intersect_where_they_cross() -> None:
    first, second = _sphere(), _sphere(at=(8.0, 0.0, 0.0))
    quality = examine(_together(first, second))
    assert quality.intersections > 50
    assert np.abs(quality.intersection_places[:, 0] - 4.0).max() < 1.5
    assert np.abs(np.hypot(*quality.intersection_places[:, 1:].T) - np.sqrt(100.0 - 16.0)).max() < 1.5
    mended = examine(union([first, second]))
    assert mended.sound
    assert mended.shells == 1


def test_self_intersections_agree_with_a_plain_test_of_all_pairs() -> None:
    rng = np.random.default_rng(2)
    corners = rng.uniform(0.0, 4.0, (60, 1, 3)) + rng.normal(0.0, 0.8, (60, 3, 3)) * rng.choice(
        [0.2, 1.0, 3.0], (60, 1, 1)
    )
    mesh = Mesh(corners.reshape(-1, 3), np.arange(180).reshape(-1, 3))
    found = {(min(a, b), max(a, b)) for a, b in self_intersections(mesh).tolist()}
    assert found == {(a, b) for a in range(60) for b in range(a + 1, 60) if _cross(corners[a], corners[b])}
    assert len(found) > 20


def _cross(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether an edge of one triangle passes through the other, by Cramer's rule."""
    for own, other in ((first, second), (second, first)):
        for start, end in zip(own, np.roll(own, -1, axis=0), strict=True):
            system = np.stack([other[1] - other[0], other[2] - other[0], start - end], axis=1)
            u, v, t = np.linalg.solve(system, start - other[0])
            if u >= 0.0 and v >= 0.0 and u + v <= 1.0 and 0.0 <= t <= 1.0:
                return True
    return False


def test_triangles_over_each_other_in_one_plane_intersect_and_beside_each_other_do_not() -> None:
    def flat(x: float) -> list[tuple[float, float, float]]:
        return [(x, 0.0, 0.0), (x + 2.0, 0.0, 0.0), (x, 2.0, 0.0)]

    triangles = np.arange(6).reshape(2, 3)
    assert len(self_intersections(Mesh(np.array(flat(0.0) + flat(0.5)), triangles))) == 1
    assert len(self_intersections(Mesh(np.array(flat(0.0) + flat(2.0)), triangles))) == 0


def test_a_neighbour_folded_flat_onto_its_neighbour_is_an_intersection() -> None:
    vertices = np.array([(0.0, 0, 0), (2, 0, 0), (0, 2, 0), (0.5, 0.6, 0), (2, 2, 0)])
    assert len(self_intersections(Mesh(vertices, np.array([(0, 1, 2), (2, 1, 3)])))) == 1
    assert len(self_intersections(Mesh(vertices, np.array([(0, 1, 2), (2, 1, 4)])))) == 0


def test_a_spike_through_the_triangle_that_shares_its_vertex_is_found() -> None:
    vertices = np.array([(0.0, 0, 0), (4, 0, 0), (0, 4, 0), (1, 1, 1), (1, 1, -1), (2, 1, 1), (1, 2, 1)])
    assert len(self_intersections(Mesh(vertices, np.array([(0, 1, 2), (0, 3, 4)])))) == 1
    assert len(self_intersections(Mesh(vertices, np.array([(0, 1, 2), (0, 5, 6)])))) == 0


def test_degenerate_triangles_are_counted() -> None:
    box = _box((2.0, 2.0, 2.0))
    a, b, c = box.triangles[0]
    middle = 0.5 * (box.vertices[a] + box.vertices[b])
    vertices = np.concatenate([box.vertices, [middle]])
    split = [[len(box.vertices), b, c], [a, len(box.vertices), c], [a, b, len(box.vertices)]]
    quality = examine(Mesh(vertices, np.concatenate([box.triangles[1:], split])))
    assert quality.watertight
    assert quality.degenerate_triangles == 1


@pytest.mark.parametrize(("wedge", "sharp"), [(30.0, 30.0), (60.0, 0.0)])
def test_sharp_edges_are_measured_along_them(wedge: float, sharp: float) -> None:
    # A right-angled section: 30 degrees of material at one long edge, 60 at another.
    quality = examine(_plate(wedge) if wedge == 30.0 else _box((30.0, 20.0, 10.0)))
    assert quality.sharp_edges == pytest.approx(sharp)


def test_walls_are_as_thick_as_they_were_made() -> None:
    hollow = difference(
        _sphere(20.0, subdivisions=4), _sphere(17.0, subdivisions=4), _box((60.0, 60.0, 30.0), (0, 0, -15))
    )
    wall = examine(hollow).wall
    assert wall is not None
    assert wall.percentiles == pytest.approx((3.0, 3.0, 3.0), abs=0.05)
    assert wall.thinnest == pytest.approx(3.0, abs=0.05)
    thinned = difference(hollow, _box((4.0, 4.0, 4.0), (0.0, 0.0, 17.6)))
    wall = examine(thinned).wall
    assert wall is not None
    assert wall.thinnest == pytest.approx(0.25, abs=0.08)
    assert np.linalg.norm(wall.place - [0.0, 0.0, 19.9]) < 3.0


def test_thin_spots_count_by_the_connected_square_millimetre() -> None:
    def pitted(side: float) -> float:
        pits = [_box((side, side, 4.0), (x, y, 2.6)) for x in (-7.5, -2.5, 2.5, 7.5) for y in (-5.0, 0.0, 5.0)]
        surface = solid_of(difference(_box((24.0, 18.0, 3.0)), *pits)).refine_to_length(0.4).to_mesh64()
        wall = examine(Mesh(np.array(surface.vert_properties), np.array(surface.tri_verts, dtype=np.int64))).wall
        assert wall is not None
        return wall.thinnest

    # Twelve pits that leave 2.1 mm: each too small to be a wall, though together larger than one.
    assert pitted(0.7) == pytest.approx(3.0, abs=0.05)
    assert pitted(1.2) == pytest.approx(2.1, abs=0.05)


def test_a_wedge_is_no_wall() -> None:
    assert np.isnan(wall_thickness(_plate(60.0))).any()
    box = _box((30.0, 20.0, 10.0))
    assert sorted(set(np.round(wall_thickness(box), 6))) == [10.0, 20.0, 30.0]
    assert np.isfinite(at_vertices(box, wall_thickness(box))).all()


def test_booleans_keep_closed_forms() -> None:
    one, other = _box((4.0, 4.0, 4.0)), _box((4.0, 4.0, 4.0), at=(2.0, 0.0, 0.0))
    assert union([one, other]).volume == pytest.approx(96.0)
    assert intersection(one, other).volume == pytest.approx(32.0)
    assert difference(one, other).volume == pytest.approx(32.0)
    assert examine(difference(one, _sphere(1.5, at=(2.0, 0.0, 0.0)))).sound


def test_no_solid_is_made_of_an_open_surface() -> None:
    ball = _sphere()
    with pytest.raises(ValueError, match="not a solid"):
        solid_of(Mesh(ball.vertices, ball.triangles[1:]))
