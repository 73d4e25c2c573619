"""Random rotation, scaling, flip and smooth deformation of a head, and warps towards other heads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from CranialReconstructionLib.reconstruction.head_frame import HeadFrame


@dataclass(frozen=True)
class SpatialRange:
    """How far a head may be moved. Defaults are ours, between W24's basic and heavy (table 1).

    Attributes:
        rotation: largest angle about each axis, degrees.
        scale: smallest and largest magnification, drawn once for all axes.
        stretch: further magnification of single axes, as a share.
        translation: largest shift along each axis, millimetres.
        flip: probability of a sagittal flip.
        bend: standard deviation of the smooth deformation, millimetres.
        knots: distance between its control points, millimetres.
    """

    rotation: float = 14.0
    scale: tuple[float, float] = (0.88, 1.1)
    stretch: float = 0.05
    translation: float = 8.0
    flip: float = 0.5
    bend: float = 2.0
    knots: float = 48.0


@dataclass(frozen=True)
class SpatialTransform:
    """What was drawn: where in the original head each place of the new head comes from.

    Attributes:
        frame: the head grid that the displacements fill.
        matrix: (3, 3), new place to original place.
        shift: (3,), millimetres.
        bend: (3, k, j, i), millimetres, on control points that fill the frame's box.
        towards: (3, k, j, i) displacement, millimetres, that warps the head towards another, or None.
    """

    frame: HeadFrame
    matrix: torch.Tensor
    shift: torch.Tensor
    bend: torch.Tensor
    towards: torch.Tensor | None = None

    def source(self, places: torch.Tensor) -> torch.Tensor:
        """Original places (K, J, I, 3) of new ``places`` (K, J, I, 3), millimetres."""
        bent = places + self.frame.sample(self.bend, places).movedim(0, -1)
        moved = bent @ self.matrix.T + self.shift
        if self.towards is None:
            return moved
        return moved + self.frame.sample(self.towards, moved).movedim(0, -1)


def draw_spatial(
    extent: SpatialRange,
    frame: HeadFrame,
    generator: torch.Generator,
    towards: torch.Tensor | None = None,
) -> SpatialTransform:
    """Draw a transform; the same generator state gives the same one."""

    def uniform(low: float, high: float, n: int = 1) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    rotation = torch.eye(3)
    for axis, angle in enumerate(uniform(-extent.rotation, extent.rotation, 3)):
        rotation = rotation @ rotation_about(axis, math.radians(float(angle)))
    magnification = uniform(*extent.scale) * (1.0 + uniform(-extent.stretch, extent.stretch, 3))
    if float(torch.rand(1, generator=generator)) < extent.flip:
        magnification[0] = -magnification[0]
    shift = uniform(-extent.translation, extent.translation, 3)
    knots = [max(2, round(edge / extent.knots)) for edge in frame.box.size[::-1]]
    bend = extent.bend * torch.randn(1, 3, *knots, generator=generator)
    smooth = functional.interpolate(bend, scale_factor=4, mode="trilinear", align_corners=False)
    smooth = functional.avg_pool3d(functional.pad(smooth, (2,) * 6, mode="replicate"), 5, stride=1)
    return SpatialTransform(frame, rotation / magnification, shift, smooth[0], towards)


def rotation_about(axis: int, angle: float) -> torch.Tensor:
    """The rotation (3, 3) about an axis by an angle in radians."""
    c, s = math.cos(angle), math.sin(angle)
    matrix = torch.eye(3)
    a, b = [other for other in range(3) if other != axis]
    matrix[a, a] = matrix[b, b] = c
    matrix[a, b], matrix[b, a] = -s, s
    return matrix
