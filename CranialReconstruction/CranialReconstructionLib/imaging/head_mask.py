"""The head in a coarse CT: everything inside the skin, without table, head rest, tubes and wires.

Constants of this file are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from CranialReconstructionLib.imaging.distance import distance_to
from CranialReconstructionLib.imaging.volume import Array

Mask = npt.NDArray[np.bool_]

# Air cavities of the head reach the open air through necks narrower than twice this, millimetres.
NECK_RADIUS = 3.0
# What is thinner than twice this, millimetres, is cut off the head: shells, tubes, wires, ears.
OPENING_RADIUS = 6.0
# Nostrils, ear canals and the mouth up to twice this wide count as inside.
CLOSING_RADIUS = 8.0
# Gives back what the blocks of the coarse grid shave off the skin, and the bridge of the nose.
MARGIN = 3.0


@dataclass(frozen=True)
class HeadMask:
    """Masks (K, J, I) on the grid of the coarse CT that they were made of.

    Attributes:
        head: the head and, where the scan holds them, neck and shoulders; its air cavities included.
        open_air: the air around the head.
    """

    head: Mask
    open_air: Mask


def find_head(voxels: Array, spacing: tuple[float, float, float], skin_level: float) -> HeadMask:
    """The head in a CT (K, J, I) of about 2.5 mm, spacing in millimetres.

    The body is what exceeds ``skin_level``; the head is the part of its opening that holds the point
    deepest in the body: the brain, since a table is flat. What the border of the image cuts counts
    as going on behind it. An empty mask comes back if there is no body.
    """
    body = voxels > skin_level
    solid = body | _cavities(~body, spacing)
    depth = distance_to(~solid, spacing)
    parts, _ = ndimage.label(depth > OPENING_RADIUS)
    deepest = parts.ravel()[depth.argmax()]
    if deepest == 0:
        return HeadMask(np.zeros_like(body), ~body)
    # Dilations add up: the opening's and the closing's are one.
    grown = distance_to(parts == deepest, spacing) <= OPENING_RADIUS + CLOSING_RADIUS
    closed = distance_to(~grown, spacing) > CLOSING_RADIUS
    surroundings = _open_parts(~closed)
    head = distance_to(~surroundings, spacing) <= MARGIN
    return HeadMask(head, surroundings & ~body)


def _cavities(air: Mask, spacing: tuple[float, float, float]) -> Mask:
    """Sinuses and airways: without them the wall of a sinus would be thin enough to be cut off."""
    roomy = distance_to(~air, spacing) > NECK_RADIUS
    enclosed = roomy & ~_open_parts(roomy)
    return air & (distance_to(enclosed, spacing) <= NECK_RADIUS)


def _open_parts(air: Mask) -> Mask:
    """The parts of the air around the head; a windpipe or sinus cut by one face is none."""
    labels, _ = ndimage.label(air)
    is_open = [False]
    for box in ndimage.find_objects(labels):
        faces = sum((part.start == 0) + (part.stop == size) for part, size in zip(box, air.shape, strict=True))
        is_open.append(faces >= 2)
    return np.array(is_open)[labels]
