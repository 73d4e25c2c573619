"""A written implant as others see it: trimesh and manifold3d on the file, and bone met on its way in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import trimesh
from manifold3d import Error, Manifold, Mesh
from scipy import ndimage

from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.mesh_file import read_mesh
from CranialReconstructionLib.implant.mesh_quality import examine

Places = npt.NDArray[np.float64]

# The mask's staircase is smoothed by this many voxels; bone is where the share is above one half.
SMOOTHING = 0.7
# Millimetres by which the implant is moved out of the head, step by step, until it is free.
STEP, WAY = 0.5, 40.0
# Share of the volume by which two files of one implant may differ.
SAME_VOLUME = 1e-4


def surface_verdicts(stl: Path, three_mf: Path, budget: int) -> dict[str, bool]:
    """What must hold of both files of one implant, by whom it is judged."""
    first, second = (_read(path) for path in (stl, three_mf))
    solids = [_solid(mesh) for mesh in (first, second)]
    own = examine(read_mesh(stl), walls=False)
    return {
        "watertight (trimesh)": bool(first.is_watertight and second.is_watertight),
        "windings agree (trimesh)": bool(first.is_winding_consistent and second.is_winding_consistent),
        "outward normals (trimesh: volume above 0)": bool(first.volume > 0.0 and second.volume > 0.0),
        "one shell (trimesh)": bool(first.body_count == 1 and second.body_count == 1),
        "two-manifold (manifold3d)": all(solid.status() == Error.NoError for solid in solids),
        "one shell (manifold3d)": all(len(solid.decompose()) == 1 for solid in solids),
        "two-manifold (own)": own.two_manifold,
        "no self-intersection (own)": own.intersections == 0,
        "no flat triangles (own)": own.degenerate_triangles == 0,
        "triangles within the budget": len(first.faces) <= budget,
        "STL and 3MF hold the same": len(first.faces) == len(second.faces)
        and bool(abs(first.volume - second.volume) <= SAME_VOLUME * abs(first.volume)),
    }


def share_in_bone(stl: Path, skull: Volume, axis: Places) -> float:
    """Largest share of an implant's surface that lies in bone while it moves out of the head.

    Args:
        stl: in LPS, as ``cranial implant`` writes it by itself.
        skull: mask of the bone.
        axis: unit vector from outside to inside, RAS.
    """
    mesh = _read(stl)
    places = np.concatenate([mesh.vertices, mesh.triangles_center]) * [-1.0, -1.0, 1.0]
    low = np.minimum(places.min(axis=0), (places - WAY * axis).min(axis=0))
    high = np.maximum(places.max(axis=0), (places - WAY * axis).max(axis=0))
    share = _smooth_around(skull, low, high)
    at = share.grid.ijk_of(places)[:, ::-1].T
    step = (np.linalg.inv(share.ijk_to_ras[:3, :3]) @ (-STEP * axis))[::-1, None]
    met = [
        float((ndimage.map_coordinates(share.voxels, at + number * step, order=1) > 0.5).mean())
        for number in range(round(WAY / STEP) + 1)
    ]
    return max(met)


def _read(path: Path) -> trimesh.Trimesh:
    mesh = trimesh.load_mesh(path)
    if isinstance(mesh, trimesh.Scene):
        mesh = mesh.to_mesh()
    # Vertices at one place are one, as in every reader of STL.
    mesh.merge_vertices()
    return mesh


def _solid(mesh: trimesh.Trimesh) -> Manifold:
    return Manifold(
        Mesh(
            vert_properties=np.ascontiguousarray(mesh.vertices, dtype=np.float32),
            tri_verts=np.ascontiguousarray(mesh.faces, dtype=np.uint32),
        )
    )


def _smooth_around(skull: Volume, low: Places, high: Places) -> Volume:
    """The share of bone, 0 to 1, in a box given in RAS millimetres."""
    corners = np.stack(np.meshgrid(*np.stack([low, high], axis=1)), axis=-1).reshape(-1, 3)
    kji = skull.grid.ijk_of(corners)[:, ::-1]
    start = np.clip(np.floor(kji.min(axis=0)).astype(int) - 3, 0, np.array(skull.voxels.shape) - 1)
    stop = np.clip(np.ceil(kji.max(axis=0)).astype(int) + 4, start + 1, skull.voxels.shape)
    part = skull.cropped((int(start[0]), int(start[1]), int(start[2])), (int(stop[0]), int(stop[1]), int(stop[2])))
    return part.with_voxels(ndimage.gaussian_filter((part.voxels > 0).astype(np.float32), SMOOTHING))
