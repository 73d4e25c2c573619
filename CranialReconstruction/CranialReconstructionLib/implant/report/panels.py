"""One picture of a report: a square view with directions and a scale."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from CranialReconstructionLib.imaging.picture import shaded
from CranialReconstructionLib.imaging.raycast import Camera, Sight
from CranialReconstructionLib.implant.report.document import Picture

Floats = npt.NDArray[np.floating]

PANEL = 480
# Rays to a side of a panel, which is made smaller to smooth its edges.
RAYS = 720
PAPER = np.full(3, 255.0)
FAINT = (104, 110, 118)
MARGIN = 10
COMPRESSION = 4  # of PNG files: more is slow and saves little
SCALES = (5.0, 10.0, 20.0, 50.0)  # lengths that a scale may have, mm
SCALE_SHARE = 0.3  # of the panel's width that it may take
# The patient's sides by the axes of RAS, as letters on a panel and as words under it.
LETTERS = ("RL", "AP", "SI")
WORDS = (("right", "left"), ("front", "back"), ("above", "below"))


def lit(sight: Sight, camera: Camera, colours: Floats) -> Image.Image:
    """What was seen, shaded so that its shape reads."""
    return Image.fromarray(shaded(sight, camera, colours, (PAPER, PAPER)))


def coloured(sight: Sight, camera: Camera, colours: Floats) -> Image.Image:
    """What was seen, shaded so little that its colours read."""
    light = 0.72 + 0.28 * np.clip(-sight.normals @ camera.forward, 0.0, 1.0)
    pixels = np.full((*sight.met.shape, 3), 255.0)
    pixels[sight.met] = light[:, None] * colours
    return Image.fromarray(pixels.astype(np.uint8))


def dotted(picture: Image.Image, camera: Camera, extent: float, places: Floats, colours: Floats) -> Image.Image:
    """The picture with a dot of its colour (N, 3) at each of the RAS places (N, 3)."""
    scale = picture.width / extent
    away = places - camera.target
    x, y = away @ camera.right * scale + picture.width / 2.0, picture.height / 2.0 - away @ camera.up * scale
    draw, radius = ImageDraw.Draw(picture), picture.width / 110.0
    for column, row, colour in zip(x.tolist(), y.tolist(), colours.astype(int).tolist(), strict=True):
        draw.ellipse((column - radius, row - radius, column + radius, row + radius), tuple(colour))
    return picture


def panel(picture: Image.Image, camera: Camera, extent: float, title: str, description: str) -> Picture:
    """A panel of the report: the view made smaller, with the patient's sides at its edges and a scale."""
    small = picture.resize((PANEL, PANEL), Image.Resampling.LANCZOS)
    draw, font = ImageDraw.Draw(small), ImageFont.load_default(17)
    middle, end = PANEL // 2, PANEL - MARGIN
    for direction, place, anchor in (
        (camera.right, (end, middle), "rm"),
        (-camera.right, (MARGIN, middle), "lm"),
        (camera.up, (middle, MARGIN), "ma"),
        (-camera.up, (middle, end), "md"),
    ):
        axis, side = side_of(direction)
        draw.text(place, LETTERS[axis][side], FAINT, font, anchor=anchor, stroke_width=2, stroke_fill="white")
    length = max((scale for scale in SCALES if scale <= SCALE_SHARE * extent), default=SCALES[0])
    width = round(length * PANEL / extent)
    draw.line((end - width, end, end, end), FAINT, 2)
    small_font = ImageFont.load_default(14)
    middle_of_it = (end - width // 2, end - 6)
    draw.text(middle_of_it, f"{length:g} mm", FAINT, small_font, anchor="md", stroke_width=2, stroke_fill="white")
    return encoded(small, title, description)


def encoded(picture: Image.Image, title: str, description: str) -> Picture:
    """The picture as a report holds it."""
    png = BytesIO()
    picture.save(png, "PNG", compress_level=COMPRESSION)
    return Picture(png.getvalue(), picture.size, title, description)


def side_of(direction: Floats) -> tuple[int, int]:
    """Along which axis of RAS a direction goes most, and 0 for its positive side or 1 for the other."""
    axis = int(np.argmax(np.abs(direction)))
    return axis, int(direction[axis] < 0.0)
