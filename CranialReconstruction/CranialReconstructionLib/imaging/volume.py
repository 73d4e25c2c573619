"""A voxel array with its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from CranialReconstructionLib.errors import UserError

Array = npt.NDArray[Any]

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Grid:
    """The places of the voxels of a volume.

    Attributes:
        shape: number of voxels along (K, J, I).
        ijk_to_ras: 4x4 affine from voxel indices (i, j, k) to RAS millimetres.
    """

    shape: tuple[int, int, int]
    ijk_to_ras: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        matrix = np.asarray(self.ijk_to_ras, dtype=np.float64)
        if matrix.shape != (4, 4):
            raise ValueError(f"ijk_to_ras must be 4x4, not {matrix.shape}")
        object.__setattr__(self, "ijk_to_ras", matrix)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edge lengths along (I, J, K) in millimetres."""
        i, j, k = np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel in cubic millimetres."""
        return float(abs(np.linalg.det(self.ijk_to_ras[:3, :3])))

    def ras_of(self, ijk: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """RAS millimetres (N, 3) of voxel indices (i, j, k) (N, 3)."""
        points = np.atleast_2d(np.asarray(ijk, dtype=np.float64))
        return points @ self.ijk_to_ras[:3, :3].T + self.ijk_to_ras[:3, 3]

    def ijk_of(self, ras: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Continuous voxel indices (i, j, k) (N, 3) of RAS millimetres (N, 3)."""
        points = np.atleast_2d(np.asarray(ras, dtype=np.float64))
        inverse = np.linalg.inv(self.ijk_to_ras)
        return points @ inverse[:3, :3].T + inverse[:3, 3]

    def cropped(self, start_kji: tuple[int, int, int], shape_kji: tuple[int, int, int]) -> Grid:
        """The sub-grid of ``shape_kji`` voxels that starts at voxel ``start_kji``."""
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] = self.ras_of(np.array(start_kji)[::-1])[0]
        return Grid(shape_kji, matrix)

    def same_as(self, other: Grid, tolerance: float = 1e-3) -> bool:
        """Whether both grids have the same voxels, to ``tolerance`` millimetres at every corner."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape[::-1]])).reshape(3, -1).T
        return bool(np.abs(self.ras_of(corners) - other.ras_of(corners)).max() <= tolerance)


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and where they lie.

    Attributes:
        voxels: array (K, J, I): slice, row, column, as Slicer's ``arrayFromVolume`` gives it.
        ijk_to_ras: 4x4 affine from (i, j, k) to RAS millimetres.
        name: where it came from, for messages.
    """

    voxels: Array
    ijk_to_ras: npt.NDArray[np.float64]
    name: str = "volume"

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3:
            raise UserError(
                f"the image has {self.voxels.ndim} dimensions where 3 are needed",
                where=self.name,
                remedy="Give a single three-dimensional volume.",
            )
        matrix = np.asarray(self.ijk_to_ras, dtype=np.float64)
        if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
            raise UserError(
                "the voxel spacing or orientation is zero or not a number",
                where=self.name,
                remedy="Export the image again with its true geometry.",
            )
        object.__setattr__(self, "ijk_to_ras", matrix)

    @property
    def grid(self) -> Grid:
        """The places of the voxels."""
        k, j, i = self.voxels.shape
        return Grid((k, j, i), self.ijk_to_ras)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edge lengths along (I, J, K) in millimetres."""
        return self.grid.spacing

    def with_voxels(self, voxels: Array) -> Volume:
        """Other voxels in the same place; the shape must be the same."""
        if voxels.shape != self.voxels.shape:
            raise ValueError(f"shape {voxels.shape} does not fit the grid {self.voxels.shape}")
        return replace(self, voxels=voxels)

    def cropped(self, start_kji: tuple[int, int, int], stop_kji: tuple[int, int, int]) -> Volume:
        """The part from ``start_kji`` up to, not including, ``stop_kji`` (a view, in its place)."""
        window = tuple(slice(a, b) for a, b in zip(start_kji, stop_kji, strict=True))
        part = self.voxels[window]
        return Volume(part, self.grid.cropped(start_kji, part.shape).ijk_to_ras, self.name)

    def to_itk(self) -> sitk.Image:
        """The same volume for SimpleITK, whose frame is LPS."""
        voxels = self.voxels.view(np.uint8) if self.voxels.dtype == np.bool_ else self.voxels
        image = sitk.GetImageFromArray(np.ascontiguousarray(voxels))
        set_itk_geometry(image, self.grid)
        return image

    @classmethod
    def from_itk(cls, image: sitk.Image, name: str = "volume") -> Volume:
        """A volume from a three-dimensional SimpleITK image (LPS)."""
        spacing = np.array(image.GetSpacing())
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * spacing
        matrix[:3, 3] = image.GetOrigin()
        return cls(sitk.GetArrayFromImage(image), _LPS_FROM_RAS @ matrix, name)


def set_itk_geometry(image: sitk.Image, grid: Grid) -> None:
    """Put a SimpleITK image where ``grid`` lies. A sheared grid is refused: ITK cannot hold it."""
    matrix = _LPS_FROM_RAS @ grid.ijk_to_ras
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    direction = matrix[:3, :3] / spacing
    if np.abs(direction.T @ direction - np.eye(3)).max() > 1e-3:
        raise UserError(
            "the image axes are not perpendicular (a tilted gantry, perhaps)",
            where="image geometry",
            remedy="Read it from its DICOM folder, where the tilt is corrected, or resample it.",
        )
    u, _, vt = np.linalg.svd(direction)
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection((u @ vt).ravel().tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
