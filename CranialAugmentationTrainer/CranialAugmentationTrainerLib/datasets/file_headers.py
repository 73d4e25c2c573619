"""Whether the files of a case can be read and lie on one grid, told by their headers alone.

A data set has hundreds of volumes of 100 million voxels; its reader opens each of them, and reads none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from CranialAugmentationTrainerLib.datasets.skull_case import BrokenCase, SkullCase
from CranialReconstructionLib.imaging.volume import Grid

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def checked_case(case: SkullCase) -> SkullCase | BrokenCase:
    """The case, or what is wrong with its files: missing, empty, no volume, or not on one grid."""
    grids: list[Grid] = []
    for path in case.masks:
        header = grid_in_header(path)
        if isinstance(header, str):
            return BrokenCase(case.name, path, header)
        if grids and not header.same_as(grids[0], tolerance=1e-2):
            return BrokenCase(case.name, path, f"it lies on another grid than {case.masks[0].name}")
        grids.append(header)
    return case


def grid_in_header(path: Path) -> Grid | str:
    """The grid that a NRRD, NIfTI or MetaImage file states, or why there is none."""
    if not path.is_file():
        return "the file is missing"
    if path.stat().st_size == 0:
        return "the file is empty"
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    warnings = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return "its header cannot be read"
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(warnings)
    if reader.GetDimension() != 3:
        return f"it has {reader.GetDimension()} dimensions where 3 are needed"
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(reader.GetDirection()).reshape(3, 3) * np.array(reader.GetSpacing())
    matrix[:3, 3] = reader.GetOrigin()
    i, j, k = reader.GetSize()
    return Grid((k, j, i), _LPS_FROM_RAS @ matrix)
