"""Matrices between nodes and the world."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from CranialReconstructionLib.errors import UserError

Matrix = npt.NDArray[np.float64]


def to_world(node: Any) -> Matrix:
    """From a transformable node's own coordinates to the world's (4x4, RAS mm).

    Raises:
        UserError: a transform above it is not linear.
    """
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    if not transform.IsTransformToWorldLinear():
        raise UserError(
            f"the transform {transform.GetName()!r} above it is not linear",
            where=node.GetName(),
            remedy="Harden that transform on it first, in the Transforms or the Data module.",
        )
    matrix = vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return array_of(matrix)


def array_of(matrix: vtkMatrix4x4) -> Matrix:
    """VTK's matrix as an array (4, 4)."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def vtk_matrix(array: Matrix) -> vtkMatrix4x4:
    """An array (4, 4) as VTK's matrix."""
    matrix = vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, dtype=np.float64).ravel().tolist())
    return matrix
