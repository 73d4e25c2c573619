"""The wall of a skull, seen along rays from the middle of its vault."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.imaging.volume import Volume

Points = npt.NDArray[np.float64]

# Bone nearer or farther than this from the middle of the vault is not an adult's vault; smaller
# heads scale both.
SHORTEST_RAY = 35.0
LONGEST_RAY = 128.0
RAY_STEP = 0.75


def ray_directions(gap: float, lowest: float) -> Points:
    """Unit vectors about ``gap`` radians apart, spread evenly (Fibonacci), with S above ``lowest``."""
    count = int(4.0 * np.pi / gap**2)
    index = np.arange(count) + 0.5
    superior = 1.0 - 2.0 * index / count
    turn = np.pi * (1.0 + 5.0**0.5) * index
    across = np.sqrt(1.0 - superior**2)
    directions = np.stack([across * np.cos(turn), across * np.sin(turn), superior], axis=1)
    return directions[superior > lowest]


def ray_radii(scale: float) -> Points:
    """The distances in mm at which a ray samples a head of ``scale``."""
    return np.arange(SHORTEST_RAY, LONGEST_RAY, RAY_STEP) * scale


def occupancy_at(bone: Volume, places: Points) -> npt.NDArray[np.float32]:
    """Occupancy at RAS ``places`` (..., 3), linearly interpolated, zero outside ``bone``."""
    ijk = bone.grid.ijk_of(places.reshape(-1, 3)).T
    values = ndimage.map_coordinates(bone.voxels, ijk[::-1], order=1, mode="constant", output=np.float32)
    return np.asarray(values).reshape(places.shape[:-1])


def outermost(profiles: npt.NDArray[np.float32], radii: Points) -> Points:
    """Where each ray's profile (N, R) last falls through one half, mm (N,); nan where it never does."""
    inside = profiles[:, :-1] > 0.5
    last = inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    rows = np.arange(len(last))
    here, after = profiles[rows, last], profiles[rows, last + 1]
    share = np.clip((here - 0.5) / np.maximum(here - after, 1e-3), 0.0, 1.0)
    found = radii[last] + share * (radii[last + 1] - radii[last])
    return np.where(inside.any(axis=1), found, np.nan)
