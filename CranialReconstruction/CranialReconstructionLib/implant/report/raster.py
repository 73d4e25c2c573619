"""Looking at a mesh along parallel rays, without a graphics card or a display.

Every triangle that faces the viewer is filled row by row, and the nearest one at a pixel stays: exact at any size
of picture, and together with what ``imaging.raycast`` sees of bone from the same camera.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.imaging.raycast import Camera, Sight
from CranialReconstructionLib.implant.mesh import Mesh

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.int64]

# Where the surface turns by more than this an edge stays an edge; below it is smoothed, degrees.
CREASE = 35.0
PIXELS_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class MeshSight:
    """A mesh as seen.

    Attributes:
        sight: which pixels show it, where and how it lies there.
        corners: (N, 3) vertices of the triangle at each of those pixels.
        shares: (N, 3) how much each of them counts there.
    """

    sight: Sight
    corners: Indices
    shares: Floats

    def values(self, at_vertices: Floats) -> Floats:
        """Values (N,) of a map (V,) at the pixels; NaN beside a vertex that has none."""
        return np.einsum("ij,ij->i", at_vertices[self.corners], self.shares)


class MeshScene:
    """A mesh made ready for looking at from any side."""

    def __init__(self, mesh: Mesh) -> None:
        self._vertices, self._triangles = mesh.vertices, mesh.triangles
        self._flat = mesh.normals
        weighted = np.repeat(self._flat * mesh.areas[:, None], 3, axis=0)
        corners = mesh.triangles.ravel()
        smooth = np.stack([np.bincount(corners, axis, len(mesh.vertices)) for axis in weighted.T], axis=1)
        self._smooth: Floats = smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-12)

    def look(self, camera: Camera, pixels: int, extent: float) -> MeshSight:
        """A square picture of ``pixels`` a side that shows ``extent`` mm, as ``BoneScene.look`` takes it."""
        facing = np.flatnonzero(self._flat @ camera.forward < 0.0)
        away = (self._vertices - camera.target) @ np.stack((camera.right, -camera.up, camera.forward), axis=1)
        away[:, :2] = away[:, :2] * (pixels / extent) + pixels / 2.0
        corners = away[self._triangles[facing]]
        nearest = np.full(pixels * pixels, np.inf)
        shown = np.full(pixels * pixels, -1, dtype=np.int64)
        for index, row, column in _filled(corners[:, :, :2], pixels):
            depth = np.einsum("ij,ij->i", _shares(corners[index, :, :2], row, column), corners[index, :, 2])
            pixel = row * pixels + column
            # The last of several assignments to one pixel stays: that of the nearest triangle.
            order = np.argsort(-depth, kind="stable")
            order = order[depth[order] < nearest[pixel[order]]]
            nearest[pixel[order]] = depth[order]
            shown[pixel[order]] = index[order]
        met = np.flatnonzero(shown >= 0)
        triangle = facing[shown[met]]
        shares = _shares(corners[shown[met], :, :2], met // pixels, met % pixels)
        vertices = self._triangles[triangle]
        places = np.einsum("ij,ijk->ik", shares, self._vertices[vertices])
        sight = Sight(
            met=(shown >= 0).reshape(pixels, pixels),
            places=places.astype(np.float32),
            normals=self._normals(triangle, vertices, shares).astype(np.float32),
            depths=nearest[met].astype(np.float32),
            openness=np.ones(len(met), dtype=np.float32),
        )
        return MeshSight(sight, vertices, shares)

    def _normals(self, triangle: Indices, vertices: Indices, shares: Floats) -> Floats:
        """Unit normals (N, 3), smooth over the surface and sharp at its edges."""
        flat = self._flat[triangle]
        smooth = np.einsum("ij,ijk->ik", shares, self._smooth[vertices])
        smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-12)
        bent = np.einsum("ij,ij->i", flat, smooth) < np.cos(np.radians(CREASE))
        return np.where(bent[:, None], flat, smooth)


def _filled(corners: Floats, pixels: int) -> Iterator[tuple[Indices, Indices, Indices]]:
    """Triangle, row and column of the pixels whose middles lie in triangles (T, 3, 2: column, row), in batches."""
    # From here on a whole number is the middle of a pixel.
    x, y = corners[:, :, 0] - 0.5, corners[:, :, 1] - 0.5
    top, bottom = (np.clip(np.ceil(side), 0, pixels).astype(np.int64) for side in (y.min(axis=1), y.max(axis=1)))
    rows = bottom - top
    triangle = np.repeat(np.arange(len(rows)), rows)
    row = _counted(rows) + top[triangle]
    left, right = np.full(len(triangle), np.inf), np.full(len(triangle), -np.inf)
    for one, other in ((0, 1), (1, 2), (2, 0)):
        # Both triangles at an edge walk it from its upper end, and agree on where it is.
        upper = np.where(y[:, one] <= y[:, other], one, other)
        ends = upper[:, None], (one + other - upper)[:, None]
        x0, y0, x1, y1 = (np.take_along_axis(along, end, axis=1)[:, 0] for end in ends for along in (x, y))
        run = (x1 - x0) / np.where(y1 > y0, y1 - y0, 1.0)
        met = (x0 - run * y0)[triangle] + run[triangle] * row
        crossed = (y0[triangle] <= row) & (row < y1[triangle])
        left = np.where(crossed, np.minimum(left, met), left)
        right = np.where(crossed, np.maximum(right, met), right)
    first, last = (np.ceil(np.clip(side, 0, pixels)).astype(np.int64) for side in (left, right))
    count = np.maximum(last - first, 0)
    for batch in _batches(count, PIXELS_AT_ONCE):
        span = np.repeat(np.arange(batch.start, batch.stop), count[batch])
        yield triangle[span], row[span], _counted(count[batch]) + first[span]


def _counted(counts: Indices) -> Indices:
    """0, 1, 2... for each of ``counts``, one after the other."""
    return np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)


def _batches(count: Indices, size: int) -> list[slice]:
    """Runs of spans of about ``size`` pixels together."""
    ends = np.cumsum(count)
    cuts = np.searchsorted(ends, np.arange(size, ends.max(initial=0), size))
    borders = np.unique([0, *cuts, len(count)])
    return [slice(a, b) for a, b in pairwise(borders.tolist())]


def _shares(corners: Floats, row: Indices, column: Indices) -> Floats:
    """How much each corner (N, 3, 2) of a triangle counts at the middle of a pixel (N, 3), 0 to 1."""
    (ax, ay), (bx, by), (cx, cy) = corners.transpose(1, 2, 0)
    x, y = column + 0.5 - ax, row + 0.5 - ay
    bx, by, cx, cy = bx - ax, by - ay, cx - ax, cy - ay
    area = bx * cy - cx * by
    area = np.where(np.abs(area) > 1e-12, area, 1.0)
    of_b = np.clip((x * cy - cx * y) / area, 0.0, 1.0)
    of_c = np.clip((bx * y - x * by) / area, 0.0, 1.0 - of_b)
    return np.stack((1.0 - of_b - of_c, of_b, of_c), axis=1)
