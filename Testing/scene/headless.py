"""A scene as the application has it, without the application; and geometries that are not easy."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
from scipy.spatial.transform import Rotation

from CranialReconstructionLib.imaging.volume import Volume

LOGICS = (
    "vtkSlicerSegmentationsModuleLogic",
    "vtkSlicerMarkupsLogic",
    "vtkSlicerVolumesLogic",
    "vtkSlicerModelsLogic",
)


class Application:
    """A scene that lives as long as this does."""

    def __init__(self) -> None:
        self.scene = slicer.vtkMRMLScene()
        self.logic = slicer.vtkMRMLApplicationLogic()
        self.logic.SetMRMLScene(self.scene)
        self._logics = [getattr(slicer, name)() for name in LOGICS]
        # Classes that a module's logic would register, without its default colours, which need an application.
        self.scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
        for logic in self._logics:
            logic.SetMRMLScene(self.scene)
        self.logic.SetModuleLogic("Markups", self._logics[LOGICS.index("vtkSlicerMarkupsLogic")])

    def case(self, name: str) -> Any:
        """A new parameter node."""
        node = self.scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", name)
        node.SetModuleName("CranialReconstruction")
        return node

    def transform(self, matrix: Any) -> Any:
        """A new linear transform node."""
        node = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        return node


def affine(
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> np.ndarray:
    """4x4, RAS mm, turned by angles in degrees; a negative spacing flips an axis."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * np.array(spacing)
    matrix[:3, 3] = origin
    return matrix


GEOMETRIES = {
    "straight": affine(spacing=(1.0, 1.0, 1.0), origin=(-5.0, 3.0, 7.0)),
    "anisotropic": affine(spacing=(0.43, 0.45, 2.5), origin=(-90.123456, 12.3, 800.7)),
    "oblique": affine((12.0, -25.0, 70.0), (0.4, 0.7, 1.3), (101.01, -33.3, 12.0)),
    "flipped": affine((0.0, 0.0, 0.0), (-0.6, -0.6, 1.2), (80.0, 120.0, -40.0)),
    "left-handed": affine((5.0, 0.0, 10.0), (0.6, 0.6, -1.2), (80.0, 120.0, -40.0)),
}


def blob(matrix: np.ndarray, seed: int = 1, shape: tuple[int, int, int] = (9, 11, 13)) -> Volume:
    """A random mask that leaves a border free on some sides only."""
    voxels = (np.random.default_rng(seed).random(shape) > 0.6).astype(np.uint8)
    voxels[:2] = 0
    voxels[:, :, -4:] = 0
    return Volume(voxels, matrix, "blob")
