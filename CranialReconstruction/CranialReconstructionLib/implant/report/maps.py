"""What is shown in colour on an implant, as one value a vertex."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.wall_thickness import wall_thickness

# Bone farther from the implant than this has no say about its fit, mm.
BONE_WITHIN = 3.0

Values = npt.NDArray[np.float64]


def thickness_map(mesh: Mesh) -> Values:
    """Millimetres of material (V,) under each vertex: of the walls under its triangles the thinnest.

    NaN where no other side of a wall lies opposite, as on a bevel's edge (``wall_thickness``).
    """
    thinnest = np.full(len(mesh.vertices), np.inf)
    # Along an edge the triangles of one side look across the sheet, those of the other along it.
    np.fmin.at(thinnest, mesh.triangles.ravel(), np.repeat(wall_thickness(mesh), 3))
    return np.where(np.isfinite(thinnest), thinnest, np.nan)


def fit_map(mesh: Mesh, bone: Volume) -> Values:
    """Millimetres (V,) from each vertex to the nearest bone, negative in bone; NaN beyond 3 mm.

    Args:
        mesh: RAS millimetres.
        bone: (K, J, I) signed millimetres to the bone, negative inside, as ``Solid.bone``; beyond its border
            nothing is known, and NaN.
    """
    kji = bone.grid.ijk_of(mesh.vertices)[:, ::-1]
    distance = ndimage.map_coordinates(bone.voxels.astype(np.float64), kji.T, order=1, cval=np.nan)
    return np.where(distance <= BONE_WITHIN, distance, np.nan)
