"""The bone around a defect as one part to print, so that the fit can be tried on the desk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.implant.booleans import mesh_of, solid_of
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.meshing import surface_of
from CranialReconstructionLib.implant.refinement import FINENESS, TRIANGLE_BUDGET, simplified, untangled

Points = npt.NDArray[np.float64]

# Blurs the staircase of a mask, in voxels, and leaves the place of its surface.
BLUR = 0.7
# Kept around the block for the blur, in voxels.
AROUND = 4


def host_bone(skull: Volume, defect: Volume, margin: float = 20.0, budget: int = TRIANGLE_BUDGET) -> Mesh:
    """The skull about a defect, cut flat on all sides, with the flat side under it to stand on.

    The block in which bone is kept is aligned with the defect: its depth runs from the head's middle
    through the defect's.

    Args:
        skull: bone (K, J, I), true where there is some; the defect may be filled in it.
        defect: missing bone on the same grid.
        margin: how much bone to keep around the defect, mm.

    Returns:
        One closed shell, RAS, the defect left open in it.

    Raises:
        UserError: the defect is empty, or there is no bone around it.
    """
    if not skull.grid.same_as(defect.grid):
        raise ValueError("skull and defect lie on two grids")
    missing = np.argwhere(defect.voxels > 0)
    if not len(missing):
        raise UserError("the defect is empty", where=defect.name, remedy="Give the missing bone.")
    frame, low, high = _block(skull, defect.grid.ras_of(missing[:, ::-1]), margin)
    near_skull, near_defect = (_around(volume, missing, frame, low, high) for volume in (skull, defect))
    bone = (near_skull.voxels > 0) & ~(near_defect.voxels > 0) & _reached(near_skull.grid, frame, low, high)
    if not bone.any():
        raise UserError("there is no bone around the defect", where=skull.name, remedy="Give a larger margin.")
    field = (0.5 - ndimage.gaussian_filter(bone.astype(np.float32), BLUR)) * min(skull.spacing)
    # Simplified first, since a cut through all of the grid's triangles would take as long as all the rest.
    solid = solid_of(surface_of(near_skull.with_voxels(field))).simplify(FINENESS)
    # Turned as the block, which need not lie along the voxels.
    cut = solid ^ Manifold.cube(tuple(high - low)).translate(tuple(low)).transform(frame)
    parts = cut.decompose()
    if not parts:
        raise UserError("there is no bone around the defect", where=skull.name, remedy="Give a larger margin.")
    return untangled(mesh_of(simplified(max(parts, key=lambda piece: piece.volume()), budget)))


def _block(skull: Volume, missing: Points, margin: float) -> tuple[Points, Points, Points]:
    """The block's axes and origin (3, 4), and its lowest and highest corner in them, mm."""
    middle = missing.mean(axis=0)
    bone = skull.grid.ras_of(np.argwhere(skull.voxels > 0)[::97, ::-1])
    out = middle - bone.mean(axis=0)
    spread = np.linalg.svd(np.cov((missing - middle).T) + 1e-6 * np.eye(3))[0]
    # Of the defect's own axes, that along which it is thinnest is the way out; its sign is the head's.
    out = spread[:, 2] * (1.0 if spread[:, 2] @ out >= 0.0 else -1.0)
    frame = np.stack([spread[:, 0], np.cross(out, spread[:, 0]), out, middle], axis=1)
    local = (missing - middle) @ frame[:, :3]
    return frame, local.min(axis=0) - margin, local.max(axis=0) + margin


def _reached(grid: Grid, frame: Points, low: Points, high: Points) -> npt.NDArray[np.bool_]:
    """The voxels (K, J, I) in the block, or near enough to it for the blur."""
    reached = np.ones(grid.shape, dtype=bool)
    steps, origin = frame[:, :3].T @ grid.ijk_to_ras[:3, :3], frame[:, :3].T @ (grid.ijk_to_ras[:3, 3] - frame[:, 3])
    margin = AROUND * max(grid.spacing)
    for axis in range(3):
        i, j, k = (np.arange(size) * step for size, step in zip(grid.shape[::-1], steps[axis], strict=True))
        across = (k[:, None, None] + j[:, None] + i + origin[axis]).astype(np.float32)
        reached &= (across > low[axis] - margin) & (across < high[axis] + margin)
    return reached


def _around(volume: Volume, missing: npt.NDArray[np.int64], frame: Points, low: Points, high: Points) -> Volume:
    """The voxels that the block reaches, and a few more for the blur."""
    corners = np.stack(np.meshgrid(*np.stack([low, high], axis=1)), axis=-1).reshape(-1, 3)
    kji = volume.grid.ijk_of(corners @ frame[:, :3].T + frame[:, 3])[:, ::-1]
    size = np.array(volume.voxels.shape)
    start = np.clip(np.floor(kji.min(axis=0)).astype(int) - AROUND, 0, missing.min(axis=0))
    stop = np.clip(np.ceil(kji.max(axis=0)).astype(int) + AROUND + 1, missing.max(axis=0) + 1, size)
    return volume.cropped((int(start[0]), int(start[1]), int(start[2])), (int(stop[0]), int(stop[1]), int(stop[2])))
