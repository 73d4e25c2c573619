"""A registered pair in 3D: the head that was moved, the one it was moved towards, and what came of it.

The warp's local change of volume, the determinant of its Jacobian, colours the result: 1 where nothing changed, 0 and
below where the warp folds over and bone is turned inside out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkFiltersCore import vtkAppendPolyData

from CranialAugmentationTrainerLib.datasets.case_grid import read_labels
from CranialAugmentationTrainerLib.scene.label_surfaces import surfaces_of_masks
from CranialAugmentationTrainerLib.scene.plot_nodes import attribute_name, new_node, owned
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.scene.colours import Colour
from CranialReconstructionLib.scene.surfaces import ColourMap, colour_by

CHANGE = ColourMap("volume change", "Local volume", 0.0, 2.0, "about_zero")
ROLES = ("moving", "fixed", "warped")
COLOURS: dict[str, Colour] = {
    "moving": (0.812, 0.451, 0.153),
    "fixed": (0.475, 0.690, 0.835),
    "warped": (0.945, 0.894, 0.765),
}
# What the result is compared with is seen through.
OPACITY = {"moving": 0.35, "fixed": 0.35, "warped": 1.0}

_PAIR, _ROLE = attribute_name("Pair"), attribute_name("Role")


@dataclass(frozen=True)
class PairFiles:
    """A pair on disk: label volumes (1 skull, 2 missing bone), and the determinant on the warped one's grid."""

    moving: Path
    fixed: Path
    warped: Path
    determinant: Path | None = None


@dataclass(frozen=True, eq=False)
class ShownPair:
    """A pair in the scene.

    Attributes:
        models: by role.
        folded: share of the warped surface's points where the warp folds; None where that is not known.
    """

    models: dict[str, Any]
    folded: float | None


def show_pair(trainer: Any, files: PairFiles, key: str, name: str) -> ShownPair:
    """Show a pair, or another in the models that are there.

    Args:
        trainer: the parameter node.
        files: of the pair.
        key: that its models are found by again; pairs of the same key take turns in them.
        name: of new models.

    Raises:
        UserError: a file cannot be read, or the determinant lies on another grid.
    """
    labels = {role: read_labels(getattr(files, role)) for role in ROLES}
    surfaces = {role: _whole(*masks) for role, masks in labels.items()}
    folded = None
    if files.determinant is not None:
        determinant = read_volume(files.determinant)
        if not determinant.grid.same_as(labels["warped"][0].grid, tolerance=1e-2):
            raise UserError(
                "it lies on another grid than the warped head",
                where=str(files.determinant),
                remedy="Write the pair again.",
            )
        folded = _mark(surfaces["warped"], determinant)
    models = {}
    for role, surface in surfaces.items():
        models[role] = _model(trainer, key, role, f"{name} {role}")
        models[role].SetAndObserveMesh(surface)
    colour_by(models["warped"], CHANGE if folded is not None else None)
    return ShownPair(models, folded)


def pair_models(trainer: Any) -> list[Any]:
    """The models of all pairs that are in the scene."""
    return list(owned(trainer, "vtkMRMLModelNode", _PAIR))


def _whole(skull: Volume, defect: Volume) -> vtkPolyData:
    """Skull and missing bone in one surface."""
    joined = vtkAppendPolyData()
    for part in surfaces_of_masks(skull, defect).values():
        joined.AddInputData(part)
    joined.Update()
    return joined.GetOutput()


def _mark(surface: vtkPolyData, determinant: Volume) -> float:
    """Give the points the values of the determinant; the share of them at which it is not above 0."""
    if surface.GetNumberOfPoints() == 0:
        return 0.0
    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64)
    places = determinant.grid.ijk_of(points).T[::-1]
    values: npt.NDArray[np.float32] = ndimage.map_coordinates(
        determinant.voxels.astype(np.float32), places, order=1, mode="nearest"
    )
    scalars = numpy_to_vtk(values, deep=True)
    scalars.SetName(CHANGE.scalar)
    surface.GetPointData().AddArray(scalars)
    return float((values <= 0.0).mean())


def _model(trainer: Any, key: str, role: str, name: str) -> Any:
    for model in owned(trainer, "vtkMRMLModelNode", _PAIR):
        if (model.GetAttribute(_PAIR), model.GetAttribute(_ROLE)) == (key, role):
            return model
    model = new_node(trainer, "vtkMRMLModelNode", name, Pair=key, Role=role)
    model.CreateDefaultDisplayNodes()
    model.GetDisplayNode().SetColor(COLOURS[role])
    model.GetDisplayNode().SetOpacity(OPACITY[role])
    return model
