"""A decompressive frontotemporoparietal craniectomy, sawn out of a vault.

The outline is drawn on the vault as a surgeon's: from the forehead along the midline, at a distance
from the sagittal sinus, round the parietal bone and down to the floor of the temporal fossa.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import interpolate, ndimage
from skimage.draw import polygon2mask

Field = npt.NDArray[np.float32]

# The bevel ends at this depth, millimetres: no vault is thicker.
DEEPEST_BEVEL = 12.0

# The outline, millimetres along the vault from the middle of the craniectomy: (anterior, superior). Its
# upper edge lies beyond the distance that is kept from the midline, which makes the D.
OUTLINE = (
    (66, 8),
    (60, 34),
    (40, 54),
    (0, 62),
    (-38, 52),
    (-58, 28),
    (-64, -3),
    (-49, -27),
    (-19, -44),
    (18, -53),
    (49, -42),
    (66, -14),
)
# The side of the head that the outline is centred on, degrees above the horizontal and before the ear.
ELEVATION, AZIMUTH = 31.0, 10.0
# Millimetres along the vault per radian about the vault's centre.
VAULT_RADIUS = 84.0
OUTLINE_PIXEL = 0.5
OUTLINE_EXTENT = 120.0


@dataclass(frozen=True)
class Craniectomy:
    """How the bone is sawn (defaults are ours).

    Attributes:
        side: +1 for the patient's right, -1 for the left.
        midline: least distance from the midline, millimetres.
        corner: radius within which the outline turns into the line along the midline, millimetres.
        bevel: angle of the cut against the normal of the vault, wider outside, degrees.
        wobble: standard deviation of the saw's path, millimetres.
        wobble_scale: distance over which the path wobbles, millimetres.
    """

    side: int = 1
    midline: float = 20.0
    corner: float = 3.0
    bevel: float = 9.0
    wobble: float = 1.2
    wobble_scale: float = 7.0


def saw_field(places: Field, depth: Field, plan: Craniectomy, generator: np.random.Generator) -> Field:
    """Distance to the cut in millimetres, positive where the saw takes bone.

    Args:
        places: (3, ...) millimetres (right, anterior, superior) from the vault's centre.
        depth: depth under the outer surface of the vault at those places, millimetres.
        plan: how it is sawn.
        generator: of the wobble; the same state gives the same cut.
    """
    right = plan.side * places[0]
    elevation, azimuth = np.radians(ELEVATION), np.radians(AZIMUTH)
    ahead = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    out = np.array([np.cos(azimuth), np.sin(azimuth), 0.0]) * np.cos(elevation)
    out[2] = np.sin(elevation)
    u, v, w = (
        axis[0] * right + axis[1] * places[1] + axis[2] * places[2] for axis in (ahead, np.cross(out, ahead), out)
    )
    # Equal lengths along the vault from the middle of the craniectomy (azimuthal equidistant).
    across = np.hypot(u, v) + 1e-3
    arc = VAULT_RADIUS * np.arctan2(across, w) / across
    pixels = [(OUTLINE_EXTENT + arc * v) / OUTLINE_PIXEL, (OUTLINE_EXTENT + arc * u) / OUTLINE_PIXEL]
    margin = ndimage.map_coordinates(_outline_distance(plan, generator), pixels, order=1, mode="nearest")
    # The lesser of both distances, rounded where they meet.
    both = -plan.corner * np.logaddexp(-margin / plan.corner, -(right - plan.midline) / plan.corner)
    field: Field = both - np.tan(np.radians(plan.bevel)) * np.clip(depth, 0.0, DEEPEST_BEVEL)
    return field.astype(np.float32)


def _outline_distance(plan: Craniectomy, generator: np.random.Generator) -> Field:
    """Signed distance to the outline, millimetres, positive inside, over (superior, anterior) pixels."""
    points = np.array([*OUTLINE, OUTLINE[0]], dtype=np.float64).T
    spline, _ = interpolate.splprep(points, s=0.0, per=True)
    anterior, superior = interpolate.splev(np.linspace(0.0, 1.0, 720), spline)
    size = round(2.0 * OUTLINE_EXTENT / OUTLINE_PIXEL) + 1
    pixels = (np.stack((superior, anterior), axis=1) + OUTLINE_EXTENT) / OUTLINE_PIXEL
    mask = polygon2mask((size, size), pixels)
    distance = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    wobble = ndimage.gaussian_filter(generator.standard_normal((size, size)), plan.wobble_scale / OUTLINE_PIXEL)
    result: Field = (OUTLINE_PIXEL * distance + plan.wobble * wobble / wobble.std()).astype(np.float32)
    return result
