"""From a stack of parallel slices, each at its own place, to a volume on a straight and even grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Array, Volume

Vector = npt.NDArray[np.float64]

# Slice positions are written with one decimal at worst, so this far off the even line is rounding.
EVEN_WITHIN = 0.1
# A slice that lies less than this share of a pixel beside the straight line is not moved.
STRAIGHT_WITHIN = 0.05
# Slices are missing where a gap is both this many times the usual one and longer than this, in mm.
# Shorter gaps, and the step from thin to thick slices in old head protocols, are interpolated.
MISSING_TIMES = 3.0
MISSING_LENGTH = 5.0


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Parallel slices of one size, in any order.

    Attributes:
        pixels: (K, J, I), one slice after the other.
        positions: (K, 3) RAS millimetres of the centre of each slice's first pixel.
        along_i: RAS unit vector along which the column index i grows.
        along_j: RAS unit vector along which the row index j grows.
        spacing: pixel edge lengths along (I, J) in millimetres.
    """

    pixels: Array
    positions: Vector
    along_i: Vector
    along_j: Vector
    spacing: tuple[float, float]

    @property
    def normal(self) -> Vector:
        """The unit vector across the slices, right-handed with the two in them."""
        return np.cross(self.along_i, self.along_j)

    def in_order(self) -> SliceStack:
        """The same slices, sorted along their normal."""
        order = np.argsort(self.positions @ self.normal, kind="stable")
        if (order == np.arange(len(order))).all():
            return self
        return SliceStack(self.pixels[order], self.positions[order], self.along_i, self.along_j, self.spacing)


@dataclass(frozen=True, eq=False)
class StraightVolume:
    """What came of a stack.

    Attributes:
        volume: voxels of the stack's type on a grid with perpendicular axes and one slice distance.
        tilt_degrees: how far the stack leaned away from the normal of its slices (0 for none).
        warnings: what was done to the slices, for the user.
    """

    volume: Volume
    tilt_degrees: float
    warnings: tuple[str, ...]


def straighten(stack: SliceStack, name: str) -> StraightVolume:
    """The stack as a volume.

    A tilted gantry stacks the slices along a line that is not their normal. Each slice is moved in its
    own plane to where it was taken, by cubic convolution, in a frame that holds them all (filled with the
    stack's lowest value). Uneven slices are then interpolated linearly between their two neighbours
    onto the 25th percentile of the gaps, so that thin slices are kept and thick ones are divided.
    A stack that is straight and even comes back voxel for voxel.

    Raises:
        UserError: fewer than three slices, two at one place, slices missing (a gap of more than
            ``MISSING_TIMES`` the usual one and over ``MISSING_LENGTH`` mm), slices that lie beside
            each other.
    """
    if len(stack.positions) < 3:
        raise UserError(
            f"the series has {len(stack.positions)} slices, which is no volume",
            where=name,
            remedy="Give the folder of the axial head CT series.",
        )
    stack = stack.in_order()
    heights = (stack.positions - stack.positions[0]) @ stack.normal
    gaps = np.diff(heights)
    if gaps.min() < 1e-3:
        raise UserError(
            "two different slices of the series lie at the same place",
            where=name,
            remedy="Export one reconstruction (one kernel, one time) of the series alone.",
        )
    usual = float(np.percentile(gaps, 25))
    if gaps.max() > max(MISSING_TIMES * usual, MISSING_LENGTH):
        raise UserError(
            f"slices are missing: a gap of {gaps.max():.1f} mm where {usual:.1f} mm are usual, "
            f"after slice {int(gaps.argmax()) + 1} of {len(heights)}",
            where=name,
            remedy="Export the whole series again.",
        )
    warnings: list[str] = []
    offsets = _in_plane_offsets(stack)
    tilt = 0.0
    if np.abs(offsets - offsets[0]).max() > STRAIGHT_WITHIN:
        tilt = _tilt_degrees(offsets, heights, stack.spacing)
        stack = _moved_in_plane(stack, offsets, name)
        warnings.append(f"the gantry was tilted by {tilt:.1f} degrees; the slices were moved straight")
    distance = float(heights[-1]) / (len(heights) - 1)
    voxels = stack.pixels
    if np.abs(heights - distance * np.arange(len(heights))).max() > EVEN_WITHIN:
        distance = usual
        voxels = _interpolated(stack.pixels, heights, distance)
        warnings.append(
            f"the slices are {gaps.min():.2f} to {gaps.max():.2f} mm apart; "
            f"the image was interpolated to {distance:.2f} mm"
        )
    matrix = np.eye(4)
    matrix[:3, 0] = stack.along_i * stack.spacing[0]
    matrix[:3, 1] = stack.along_j * stack.spacing[1]
    matrix[:3, 2] = stack.normal * distance
    matrix[:3, 3] = stack.positions[0]
    return StraightVolume(Volume(voxels, matrix, name), tilt, tuple(warnings))


def _in_plane_offsets(stack: SliceStack) -> Vector:
    """(K, 2) pixels along (J, I) by which each slice lies beside the first one's normal."""
    moved = stack.positions - stack.positions[0]
    in_plane = np.stack([stack.along_j / stack.spacing[1], stack.along_i / stack.spacing[0]], axis=1)
    return np.asarray(moved @ in_plane)


def _tilt_degrees(offsets: Vector, heights: Vector, spacing: tuple[float, float]) -> float:
    slopes = np.polyfit(heights, offsets * np.array([spacing[1], spacing[0]]), 1)[0]
    return float(np.degrees(np.arctan(np.linalg.norm(slopes))))


def _moved_in_plane(stack: SliceStack, offsets: Vector, name: str) -> SliceStack:
    """The slices in one frame, each by the whole and the fraction of a pixel that it lies off."""
    first = np.floor(offsets.min(axis=0)).astype(int)
    margin = np.ceil(offsets.max(axis=0)).astype(int) - first
    size = np.array(stack.pixels.shape[1:])
    if (margin > size).any():
        raise UserError(
            "the slices lie beside each other instead of above each other",
            where=name,
            remedy="Export the axial head CT series alone.",
        )
    frame = size + margin
    moved = np.full((len(offsets), *frame), stack.pixels.min(), dtype=stack.pixels.dtype)
    for target, source, offset in zip(moved, stack.pixels, offsets - first, strict=True):
        whole = np.floor(offset).astype(int)
        fraction = offset - whole
        # One pixel more where there is a fraction, so that it has somewhere to go.
        moving = source.astype(np.float32)
        for axis in np.flatnonzero(fraction > 0):
            grown = np.pad(moving, [(0, int(axis == 0)), (0, int(axis == 1))], mode="edge")
            moving = ndimage.correlate1d(grown, _shift_weights(fraction[axis]), int(axis), mode="nearest")
        rows, columns = moving.shape
        window = target[whole[0] : whole[0] + rows, whole[1] : whole[1] + columns]
        # Beside metal and at the edge of the circle a cubic overshoots what was measured.
        window[:] = _as_type(np.clip(moving, source.min(), source.max()), stack.pixels.dtype)
    # The frame begins at the lowest whole offset, above the first slice.
    origin_shift = first[0] * stack.spacing[1] * stack.along_j + first[1] * stack.spacing[0] * stack.along_i
    heights = (stack.positions - stack.positions[0]) @ stack.normal
    positions = stack.positions[0] + origin_shift + heights[:, None] * stack.normal
    return SliceStack(moved, positions, stack.along_i, stack.along_j, stack.spacing)


def _shift_weights(fraction: float) -> Vector:
    """Weights of the pixels -2 to 2 that move an image by ``fraction``, 0 to 1, of a pixel.

    Cubic convolution: Keys, IEEE Trans. ASSP 29 (1981) 1153, a = -1/2.
    """
    distance = np.abs(np.arange(-2, 3) + fraction)
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1.0
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4.0 * distance + 2.0
    return np.where(distance <= 1.0, near, np.where(distance < 2.0, far, 0.0))


def _interpolated(pixels: Array, heights: Vector, distance: float) -> Array:
    """Linear between neighbouring slices, at every ``distance`` millimetres from the first slice on."""
    wanted = np.arange(0.0, heights[-1] + 0.5 * distance, distance)
    result = np.empty((len(wanted), *pixels.shape[1:]), dtype=pixels.dtype)
    for target, height in zip(result, np.minimum(wanted, heights[-1]), strict=True):
        below = min(int(np.searchsorted(heights, height, side="right")) - 1, len(heights) - 2)
        share = np.float32((height - heights[below]) / (heights[below + 1] - heights[below]))
        target[:] = _as_type(pixels[below] * (1 - share) + pixels[below + 1] * share, pixels.dtype)
    return result


def _as_type(values: Array, dtype: np.dtype[Any]) -> Array:
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
