"""Where an implant's rim is so sharp that it chips, or cuts what lies over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import perimeter_crofton

from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.design import Vector

# Degrees of material at an edge below which it is sharp.
SHARP = 30.0
# Millimetres inwards from the rim between which its angle is read.
READ_FROM, READ_TO = 1.0, 2.0
# Share of the minimum wall from which a sheet is a sheet, however far from its rim, and no edge that runs out.
SHEET = 0.9


@dataclass(frozen=True)
class SharpRim:
    """The rim of a body, seen along its axis.

    Attributes:
        length: of the rim, millimetres.
        share: of it that has an edge under 30 degrees which runs out thinner than the minimum wall, 0 to 1.
        sharpest: where the sharpest of them is, RAS millimetres; None without one.
    """

    length: float
    share: float
    sharpest: Vector | None


def sharp_rim(field: Volume, wall: float) -> SharpRim:
    """How much of a body's rim is sharp, from its thickness a millimetre inwards.

    Args:
        field: signed millimetres (K, J, I), negative inside, isotropic, K along the axis.
        wall: the least thickness of the body, millimetres.
    """
    spacing = field.spacing[0]
    share = np.clip(0.5 - field.voxels / np.float32(spacing), 0.0, 1.0)
    thickness = share.sum(axis=0) * spacing
    # The border runs half a voxel inside the first column without material.
    inwards = ndimage.distance_transform_edt(thickness > 0.0, sampling=spacing) - 0.5 * spacing
    band = (inwards >= READ_FROM) & (inwards <= READ_TO)
    slim = thickness < np.minimum(inwards * np.tan(np.radians(SHARP)), SHEET * wall)
    length = float(perimeter_crofton(thickness > 0.0)) * spacing
    sharp = np.argwhere(band & slim)
    place = None
    if len(sharp):
        j, i = sharp[np.argmin((thickness / np.maximum(inwards, spacing))[band & slim])]
        level = float(np.average(np.arange(len(share)), weights=share[:, j, i]))
        right, anterior, superior = field.grid.ras_of([i, j, level])[0].tolist()
        place = (right, anterior, superior)
    return SharpRim(length, len(sharp) / max(int(band.sum()), 1), place)
