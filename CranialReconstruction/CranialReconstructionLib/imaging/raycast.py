"""Looking at bone along parallel rays, without a graphics card or a display.

Every voxel of the surface is thrown on the picture, and the nearest one at a pixel says where its ray
starts, just before the bone. From there the ray walks until the smoothed occupancy rises through one
half, found far below the voxel's size, so that shading is smooth. A ray that grazes past the voxel
goes on to the next one behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.imaging.volume import Grid, Volume

Points = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# A surface's slope is measured over this many times the smoothing, to either side.
SLOPE_REACH = 1.6
# A ray starts this far before a voxel's centre, walks by this, and gives up after so many steps, mm.
BEFORE = 1.0
STRIDE = 0.7
STEPS = 6
LAYERS = 5
# Pixels in a cell of the map of nearest voxels: cells are about as large as voxels.
CELL = 2
AIR_VOXELS = 4  # on every side of the bone, for the slopes there
COARSE = 4  # voxels in a cell of the map of shade
AIR_CELLS = 4  # of that map on every side of the bone: what shades there is air
# Light from all around is blocked by bone within about this far, mm.
SHADE_REACH = 9.0


@dataclass(frozen=True, eq=False)
class Camera:
    """Where a picture is taken from; all vectors RAS.

    Attributes:
        target: the place in the middle of the picture, mm (3,).
        forward: unit vector from the viewer to the target (3,).
        up: unit vector to the picture's upper edge (3,), perpendicular to ``forward``.
    """

    target: npt.NDArray[np.float64]
    forward: npt.NDArray[np.float64]
    up: npt.NDArray[np.float64]

    @property
    def right(self) -> npt.NDArray[np.float64]:
        """Unit vector to the picture's right edge (3,)."""
        return np.cross(self.forward, self.up)


@dataclass(frozen=True, eq=False)
class Sight:
    """What the rays of a picture met.

    Attributes:
        met: which pixels (rows, columns, from the top left) show bone; N of them.
        places: where (N, 3), RAS mm.
        normals: unit normals towards air (N, 3), RAS.
        depths: mm beyond the plane through the camera's target, away from the viewer (N,).
        openness: share of the surroundings that is air, 0 to 1 (N,).
    """

    met: Mask
    places: Points
    normals: Points
    depths: Points
    openness: Points


class BoneScene:
    """Bone made ready for looking at from any side.

    Args:
        occupancy: share of bone, 0 to 1, in voxels of about 0.5 to 1 mm.
        smoothing: standard deviation of the Gaussian that takes the voxels' steps away, mm.
    """

    def __init__(self, occupancy: Volume, smoothing: float = 0.85) -> None:
        voxels = np.pad(occupancy.voxels, AIR_VOXELS)
        self._fine = ndimage.gaussian_filter(voxels, smoothing / np.array(occupancy.spacing[::-1]), truncate=2.0)
        self._grid = occupancy.grid.cropped((-AIR_VOXELS,) * 3, self._fine.shape)
        self._slope_reach = SLOPE_REACH * smoothing
        self._to_kji = np.linalg.inv(self._grid.ijk_to_ras)[:3][::-1].astype(np.float32)
        self._surface = _surface_voxels(self._fine, self._grid)
        shape = np.array(self._fine.shape)
        cells = -(-shape // COARSE)
        padded = np.pad(self._fine, [(0, int(p)) for p in cells * COARSE - shape])
        means = padded.reshape(cells[0], COARSE, cells[1], COARSE, cells[2], COARSE).mean(axis=(1, 3, 5))
        reach = 0.5 * SHADE_REACH / (COARSE * np.array(self._grid.spacing[::-1]))
        self._crowding = ndimage.gaussian_filter(np.pad(means, AIR_CELLS), reach, mode="constant")

    def look(self, camera: Camera, pixels: int, extent: float) -> Sight:
        """A square picture of ``pixels`` (an even number) a side that shows ``extent`` mm."""
        offsets = (np.arange(pixels, dtype=np.float32) + 0.5 - pixels / 2) * np.float32(extent / pixels)
        x, y = np.meshgrid(offsets, -offsets)
        origins = _plane(camera, x.ravel(), y.ravel())
        forward = camera.forward.astype(np.float32)
        nearest = _NearestVoxels(self._surface, camera, pixels // CELL, extent)
        depths = np.full(len(origins), np.nan, dtype=np.float32)
        beyond = np.full((pixels // CELL) ** 2, -np.inf, dtype=np.float32)
        cells = np.arange(len(beyond)).reshape(pixels // CELL, -1)
        cell_of = np.repeat(np.repeat(cells, CELL, axis=0), CELL, axis=1).ravel()
        rays = np.arange(len(origins))
        for _ in range(LAYERS):
            first = nearest.depths(beyond)
            starts = first[cell_of[rays]]
            rays, starts = rays[np.isfinite(starts)], starts[np.isfinite(starts)]
            depths[rays] = self._walk(origins[rays], forward, starts - BEFORE)
            rays = rays[np.isnan(depths[rays])]
            beyond[:] = np.inf
            beyond[cell_of[rays]] = first[cell_of[rays]] + np.float32(STEPS * STRIDE - 2.0 * BEFORE)
        met = np.isfinite(depths)
        places = origins[met] + depths[met, None] * forward
        normals = self._normals(places, forward)
        crowding = self._sample(self._crowding, places + 0.5 * SHADE_REACH * normals, COARSE)
        return Sight(met.reshape(pixels, pixels), places, normals, depths[met], 1.0 - crowding)

    def _walk(self, origins: Points, forward: Points, starts: Points) -> Points:
        """The depth in mm at which each ray enters bone, soon after its start; nan where it does not."""
        found = np.full(len(origins), np.nan, dtype=np.float32)
        active = np.arange(len(origins))
        depth, before = starts, self._sample(self._fine, origins + starts[:, None] * forward, 1)
        # A ray that starts in bone has come out of a surface that faces away: it goes on.
        for _ in range(STEPS):
            depth = depth + np.float32(STRIDE)
            here = self._sample(self._fine, origins[active] + depth[:, None] * forward, 1)
            enters = (before <= 0.5) & (here > 0.5)
            share = (here[enters] - 0.5) / (here[enters] - before[enters])
            found[active[enters]] = depth[enters] - share * np.float32(STRIDE)
            active, depth, before = active[~enters], depth[~enters], here[~enters]
        return found

    def _normals(self, places: Points, forward: Points) -> Points:
        slopes = [
            self._sample(self._fine, places - axis, 1) - self._sample(self._fine, places + axis, 1)
            for axis in np.float32(self._slope_reach) * np.eye(3, dtype=np.float32)
        ]
        slope = np.stack(slopes, axis=1)
        length = np.linalg.norm(slope, axis=1, keepdims=True)
        return np.where(length > 1e-3, slope / np.maximum(length, 1e-3), -forward)

    def _kji(self, places: Points, step: int) -> Points:
        fine = places @ self._to_kji[:, :3].T + self._to_kji[:, 3]
        return fine if step == 1 else (fine - 0.5 * (step - 1)) / np.float32(step) + AIR_CELLS

    def _sample(self, field: Points, places: Points, step: int) -> Points:
        return np.asarray(
            ndimage.map_coordinates(field, self._kji(places, step).T, order=1, mode="constant", output=np.float32)
        )


def _plane(camera: Camera, x: Points, y: Points) -> Points:
    """RAS mm of picture coordinates (mm to the right, mm up) on the plane through the target."""
    places = camera.target + x[:, None] * camera.right + y[:, None] * camera.up
    return np.asarray(places, dtype=np.float32)


class _NearestVoxels:
    """Which voxel of a surface is nearest to the viewer, cell by cell of a picture."""

    def __init__(self, surface: tuple[Points, Points], camera: Camera, cells: int, extent: float) -> None:
        places, normals = surface
        facing = normals @ camera.forward.astype(np.float32) < 0.1
        away = places[facing] - camera.target.astype(np.float32)
        column = np.floor((away @ camera.right.astype(np.float32)) * (cells / extent) + cells / 2)
        row = np.floor((away @ -camera.up.astype(np.float32)) * (cells / extent) + cells / 2)
        shown = (row >= 1) & (row < cells - 1) & (column >= 1) & (column < cells - 1)
        depth = (away @ camera.forward.astype(np.float32))[shown]
        cell = (row * cells + column)[shown].astype(np.int64)
        # The last of several assignments to one cell stays: that of the nearest voxel.
        farthest_first = np.argsort(-depth)
        self._depth, self._cell = depth[farthest_first], cell[farthest_first]
        self._cells = cells

    def depths(self, beyond: Points) -> Points:
        """Depth in mm of the nearest voxel that is deeper than ``beyond`` in each cell; else inf.

        A voxel counts in the cells round its own too, so that a surface has no gaps.
        """
        least = ndimage.minimum_filter(beyond.reshape(self._cells, -1), 3).ravel()
        useful = self._depth > least[self._cell]
        depth, home = self._depth[useful], self._cell[useful]
        layers = np.full((9, self._cells**2), np.inf, dtype=np.float32)
        steps = (row * self._cells + column for row in (-1, 0, 1) for column in (-1, 0, 1))
        for layer, step in zip(layers, steps, strict=True):
            cell = home + step
            behind = depth > beyond[cell]
            layer[cell[behind]] = depth[behind]
        return np.asarray(layers.min(axis=0))


def _surface_voxels(occupancy: Points, grid: Grid) -> tuple[Points, Points]:
    """Bone voxels beside air: their places (N, 3), RAS mm, and unit normals towards air (N, 3)."""
    bone = occupancy > 0.5
    bone[[0, -1]] = bone[:, [0, -1]] = bone[:, :, [0, -1]] = False
    inner = bone.copy()
    for axis in range(3):
        inner &= np.roll(bone, 1, axis) & np.roll(bone, -1, axis)
    flat = np.flatnonzero(bone & ~inner)
    values, strides = occupancy.ravel(), (1, occupancy.shape[2], occupancy.shape[1] * occupancy.shape[2])
    slope = np.stack([values[flat - stride] - values[flat + stride] for stride in strides], axis=1)
    outward = slope @ np.linalg.inv(grid.ijk_to_ras[:3, :3])
    ijk = np.stack(np.unravel_index(flat, occupancy.shape)[::-1], axis=1)
    length = np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
    return grid.ras_of(ijk).astype(np.float32), (outward / length).astype(np.float32)
