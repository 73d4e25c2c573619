"""What a user should know about a head CT before trusting the skull in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.imaging.volume import Volume

# Slices thicker or further apart than this (mm) cost accuracy: from 2.4 to 4.8 mm about 0.8 mm of mean
# deviation (device filings).
WIDEST_SLICE_DISTANCE = 1.5
LEAST_METAL_VOLUME = 20.0
# Bone of this area, mm2, on a face of the image has been cut by it.
LEAST_CUT_AREA = 100.0
# From the skull base to the vertex, millimetres; a newborn's is about as high.
LEAST_SKULL_HEIGHT = 90.0

_FACES = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))


def slice_warnings(scan: Volume) -> list[str]:
    """Voxels too long for an implant that fits."""
    longest = max(scan.spacing)
    if longest <= WIDEST_SLICE_DISTANCE:
        return []
    return [f"The slices are {longest:.2f} mm apart; above {WIDEST_SLICE_DISTANCE} mm an implant fits less well."]


def metal_warnings(metal: npt.NDArray[np.bool_], ct: Volume) -> list[str]:
    """Metal that hangs on to the skull: plates, fillings, and their streaks, which may feign bone."""
    volume = float(np.count_nonzero(metal)) * ct.grid.voxel_volume
    if volume < LEAST_METAL_VOLUME:
        return []
    return [f"There are {volume / 1000.0:.2f} ml of metal on the skull: look at the bone around it."]


def cut_warnings(skull: npt.NDArray[np.bool_], ct: Volume) -> list[str]:
    """Faces of the image that cut the skull; below, where every head is cut, only a low scan counts."""
    found = []
    spacing = np.array(ct.spacing[::-1])
    for axis in range(3):
        toward = ct.ijk_to_ras[:3, 2 - axis]
        main = int(np.abs(toward).argmax())
        area = ct.grid.voxel_volume / spacing[axis]
        for at_end in (False, True):
            face = _FACES[main][int((toward[main] > 0) == at_end)]
            plane = np.take(skull, -1 if at_end else 0, axis=axis)
            if np.count_nonzero(plane) * area < LEAST_CUT_AREA:
                continue
            if face != "inferior":
                found.append(f"The {face} border of the image cuts the skull.")
            else:
                bone = np.flatnonzero(skull.any(axis=tuple({0, 1, 2} - {axis})))
                height = float((bone[-1] - bone[0] + 1) * spacing[axis])
                if height < LEAST_SKULL_HEIGHT:
                    found.append(f"The image holds only the upper {height:.0f} mm of the skull.")
    return found
