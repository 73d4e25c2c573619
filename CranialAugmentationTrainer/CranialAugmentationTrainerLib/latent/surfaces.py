"""The surfaces of a generated case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.datasets.synthetic_set import DEFECT_LABEL, SKULL_LABEL
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.export.about import About
from CranialReconstructionLib.implant.export.ply import write_ply
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.meshing import surface_of

Shares = npt.NDArray[np.float32]
LABELS = {"skull": SKULL_LABEL, "defect": DEFECT_LABEL}


def case_surfaces(shares: Shares, labels: npt.NDArray[np.uint8], threshold: float = 0.5) -> dict[str, Mesh]:
    """Surfaces of skull and missing bone, where there are any, in RAS millimetres.

    They follow the generator's shares, far below a voxel, and hold the components that post-processing kept.

    Args:
        shares: (2, K, J, I) as decoded.
        labels: (K, J, I), post-processed.
    """
    grid = case_grid(labels.shape[0])
    found = {}
    for channel, (name, label) in zip(shares, LABELS.items(), strict=True):
        kept = labels == label
        if kept.any():
            # What was taken away stays away: only the kept voxels, and the air around them, count.
            near = ndimage.binary_dilation(kept, iterations=1)
            inside = np.where(kept, np.maximum(channel, threshold + 1e-3), np.minimum(channel, threshold - 1e-3))
            field = np.where(near, inside, 0.0).astype(np.float32)
            found[name] = surface_of(Volume(threshold - field, grid.ijk_to_ras, name))
    return found


def write_surfaces(surfaces: dict[str, Mesh], folder: Path, name: str) -> list[Path]:
    """Write ``NAME-skull.ply`` and ``NAME-defect.ply`` into ``folder``."""
    paths = []
    for part, mesh in surfaces.items():
        paths.append(folder / f"{name}-{part}.ply")
        write_ply(mesh, paths[-1], About(f"{part} {name}", comments=("made by a generator",)))
    return paths
