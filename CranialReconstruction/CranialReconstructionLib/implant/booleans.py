"""Solid arithmetic on meshes that keeps them two-manifold (manifold3d)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from manifold3d import Error, Manifold, Mesh64

from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_quality import is_two_manifold
from CranialReconstructionLib.implant.self_intersection import self_intersections

# Cuts leave edges far below what any printer or single precision keeps; those shorter than this go, mm.
SHORTEST_EDGE = 5e-5
CLEANINGS = (1e-3, 3e-3, 1e-2, 3e-2)  # mm


def solid_of(mesh: Mesh) -> Manifold:
    """The solid that a closed mesh bounds (RAS, mm).

    Raises:
        ValueError: the mesh is not an oriented two-manifold; ``mesh_quality.examine`` says where.
    """
    solid = Manifold(
        Mesh64(
            vert_properties=np.ascontiguousarray(mesh.vertices, dtype=np.float64),
            tri_verts=np.ascontiguousarray(mesh.triangles, dtype=np.uint64),
        )
    )
    if solid.status() != Error.NoError:
        raise ValueError(f"not a solid: {solid.status()}")
    return solid


def mesh_of(solid: Manifold) -> Mesh:
    """The surface of a solid, without edges too short for a file."""
    surface = solid.simplify(SHORTEST_EDGE).to_mesh64()
    return Mesh(np.array(surface.vert_properties[:, :3], dtype=np.float64), np.array(surface.tri_verts, dtype=np.int64))


def clean_mesh_of(solid: Manifold) -> Mesh:
    """The surface of a solid, without the needles along cuts that reach through their neighbours.

    Simplified by no more than that takes, and never by more than the last of ``CLEANINGS``.
    """
    mesh = mesh_of(solid)
    for tolerance in CLEANINGS:
        # A file keeps single precision, in which two vertices of a cut can fall together.
        if is_two_manifold(mesh) and not len(self_intersections(mesh)):
            break
        mesh = mesh_of(solid.simplify(tolerance))
    return mesh


def union(meshes: Sequence[Mesh]) -> Mesh:
    """What lies in any of the meshes."""
    result = Manifold()
    for mesh in meshes:
        result = result + solid_of(mesh)
    return mesh_of(result)


def difference(mesh: Mesh, *others: Mesh) -> Mesh:
    """What lies in ``mesh`` and in none of the others."""
    result = solid_of(mesh)
    for other in others:
        result = result - solid_of(other)
    return mesh_of(result)


def intersection(mesh: Mesh, *others: Mesh) -> Mesh:
    """What lies in all of the meshes."""
    result = solid_of(mesh)
    for other in others:
        result = result ^ solid_of(other)
    return mesh_of(result)
