"""One picture of a skull and its missing bone, for a report and for a first look."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from CranialReconstructionLib.imaging.head_grid import HeadPlacement, place_head
from CranialReconstructionLib.imaging.pooling import pooled
from CranialReconstructionLib.imaging.raycast import BoneScene, Camera, Sight
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.imaging.whole_file import whole_file

Vector = npt.NDArray[np.float64]

PANEL = 520
MARGIN = 14
FOOTER = 64
PICTURE_SIZE = (2 * PANEL + 3 * MARGIN, 2 * PANEL + 3 * MARGIN + FOOTER)
# Rays to a side of a panel, which is made smaller to smooth its edges.
RAYS = 640
# What is shown of an adult's head: this far round the middle of the vault and this far below it, mm.
AROUND, BELOW = 135.0, 110.0
# The head's longest side fills this share of a panel.
FILL = 0.84
SCENE_SPACING = 0.95
# The mask's steps are smoothed away by about its voxel size, between these, mm.
SMOOTHING = (0.85, 1.5)

BONE = np.array([236.0, 224.0, 200.0])
MISSING = np.array([24.0, 146.0, 196.0])
BACKGROUND = (19, 22, 27)
PANEL_TOP, PANEL_BOTTOM = np.array([46.0, 51.0, 60.0]), np.array([28.0, 31.0, 38.0])
TEXT = (226, 229, 233)
FAINT_TEXT = (146, 153, 163)
NOTICE = "Research use only"

RIGHT, ANTERIOR, SUPERIOR = np.eye(3)


@dataclass(frozen=True, eq=False)
class _Panel:
    title: str
    camera: Camera
    left_mark: str
    right_mark: str


def draw_case(skull: Volume, defect: Volume, path: Path, caption: str | None = None) -> None:
    """Write a PNG that shows ``skull`` in the colour of bone and ``defect`` in an accent colour.

    Seen from the front, from the side of the defect, from above, and straight at the defect, in
    orthographic views with one scale. As a viewer faces the patient, the patient's right is at the
    left of the front view. Needs no display.

    Args:
        skull: mask (K, J, I), bone above zero.
        defect: mask on the same grid, missing bone above zero; it may be empty.
        path: the PNG to write, beside which a temporary file is made first.
        caption: a line for the foot of the picture.

    Raises:
        UserError: the skull is empty, or the file cannot be written.
        ValueError: the grids differ.
    """
    if not skull.grid.same_as(defect.grid):
        raise ValueError("skull and defect must lie on one grid")
    missing = defect.voxels > 0
    whole = skull.with_voxels((skull.voxels > 0) | missing)
    place = place_head(whole)
    low, high = shown_part(whole, place)
    target, extent = (low + high) / 2.0, float((high - low).max()) / FILL
    tint = Tint(whole, skull.with_voxels(missing))
    smoothing = float(np.clip(1.2 * max(skull.spacing), *SMOOTHING))
    scene = BoneScene(tint.whole, smoothing)
    panels = _panels(target, defect_direction(defect, place.centre))

    def rendered(panel: _Panel) -> Image.Image:
        sight = scene.look(panel.camera, RAYS, extent)
        colours = BONE + tint.at(sight)[:, None] * (MISSING - BONE)
        picture = Image.fromarray(shaded(sight, panel.camera, colours, (PANEL_TOP, PANEL_BOTTOM)))
        return picture.resize((PANEL, PANEL), Image.Resampling.LANCZOS)

    picture = Image.new("RGB", PICTURE_SIZE, BACKGROUND)
    draw = ImageDraw.Draw(picture)
    with ThreadPoolExecutor(len(panels)) as pool:
        for number, image in enumerate(pool.map(rendered, panels)):
            left = MARGIN + (number % 2) * (PANEL + MARGIN)
            top = MARGIN + (number // 2) * (PANEL + MARGIN)
            picture.paste(image, (left, top))
            _label(draw, panels[number], left, top)
    volume = np.count_nonzero(missing) * skull.grid.voxel_volume / 1000.0
    _foot(draw, volume, extent, caption)
    with whole_file(path) as part:
        picture.save(part, format="PNG", compress_level=4)


def shown_part(whole: Volume, place: HeadPlacement) -> tuple[Vector, Vector]:
    """Lower and upper corner, RAS mm, of the head that is shown: bone near the vault, not the neck."""
    kji = np.argwhere(whole.voxels[::4, ::4, ::4]) * 4
    away = whole.grid.ras_of(kji[:, ::-1]) - place.centre
    near = away[(np.linalg.norm(away, axis=1) < AROUND * place.scale) & (away[:, 2] > -BELOW * place.scale)]
    near = near if len(near) else away
    return near.min(axis=0) + place.centre, near.max(axis=0) + place.centre


def defect_direction(defect: Volume, centre: Vector) -> Vector | None:
    """Unit vector from the middle of the vault to the middle of the defect; None if it is empty."""
    kji = np.argwhere(defect.voxels[::2, ::2, ::2] > 0) * 2
    if len(kji) == 0:
        kji = np.argwhere(defect.voxels > 0)
    if len(kji) == 0:
        return None
    away = defect.grid.ras_of(kji[:, ::-1]) - centre
    # Averaging directions, not places, so that a large cap's own depth does not count.
    mean = (away / np.linalg.norm(away, axis=1, keepdims=True)).mean(axis=0)
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0.1 else SUPERIOR


def _panels(target: Vector, defect: Vector | None) -> list[_Panel]:
    on_left = defect is not None and defect[0] < 0.0
    side = -RIGHT if on_left else RIGHT
    front = _Panel("Front", Camera(target, -ANTERIOR, SUPERIOR), "R", "L")
    above = _Panel("Top", Camera(target, -SUPERIOR, ANTERIOR), "L", "R")
    if on_left:
        lateral = _Panel("Left side", Camera(target, -side, SUPERIOR), "A", "P")
    else:
        lateral = _Panel("Right side", Camera(target, -side, SUPERIOR), "P", "A")
    if defect is None:
        oblique = (RIGHT + ANTERIOR + 0.6 * SUPERIOR) / np.linalg.norm([1.0, 1.0, 0.6])
        return [front, lateral, above, _Panel("Three quarters", facing_camera(target, oblique), "", "")]
    return [front, lateral, above, _Panel("Facing the missing bone", facing_camera(target, defect), "", "")]


def facing_camera(target: Vector, outward: Vector) -> Camera:
    """A camera that looks from ``outward`` at ``target``, the vertex up where there is a choice."""
    upright = SUPERIOR if abs(outward[2]) < 0.95 else ANTERIOR
    up = upright - (upright @ outward) * outward
    return Camera(target, -outward, up / np.linalg.norm(up))


class Tint:
    """How much of the bone at a place is missing bone, 0 to 1; between the two over about a millimetre.

    Attributes:
        whole: share of bone, missing or not, in voxels of about ``SCENE_SPACING``.
    """

    def __init__(self, whole: Volume, defect: Volume) -> None:
        self.whole = pooled(whole, SCENE_SPACING)
        self._defect = pooled(defect, SCENE_SPACING) if defect.voxels.any() else None

    def at(self, sight: Sight) -> Vector:
        """The share (N,) just below the places (N, 3) that the rays met."""
        if self._defect is None:
            return np.zeros(len(sight.places))
        below = sight.places - 0.6 * sight.normals
        missing, bone = (
            ndimage.map_coordinates(field.voxels, field.grid.ijk_of(below).T[::-1], order=1)
            for field in (self._defect, self.whole)
        )
        share = missing / np.maximum(bone, 0.1)
        return np.asarray(np.clip(2.0 * share - 0.5, 0.0, 1.0))


def shaded(
    sight: Sight, camera: Camera, colours: npt.NDArray[np.floating], background: tuple[Vector, Vector]
) -> npt.NDArray[np.uint8]:
    """A picture (rows, columns, 3): a key light from the upper left, light from all around, a soft gloss.

    Args:
        colours: (N, 3), 0 to 255, of what the rays met.
        background: its colours at the top and at the bottom.
    """
    facing = -sight.normals @ camera.forward
    key = -0.45 * camera.right + 0.55 * camera.up - 0.8 * camera.forward
    key /= np.linalg.norm(key)
    lit = np.maximum(sight.normals @ key, 0.0)
    halfway = (key - camera.forward) / np.linalg.norm(key - camera.forward)
    gloss = np.maximum(sight.normals @ halfway, 0.0) ** 30
    around = np.clip(1.25 * sight.openness - 0.15, 0.0, 1.0) ** 1.3
    away = np.clip(1.0 - np.maximum(sight.depths, 0.0) / 170.0, 0.25, 1.0)
    light = around * away * (0.20 + 0.22 * np.maximum(facing, 0.0) + 0.66 * lit)
    shine = 26.0 * gloss * around
    rows, columns = sight.met.shape
    fade = np.linspace(0.0, 1.0, rows)[:, None]
    top, bottom = background
    image = np.repeat((top + fade * (bottom - top))[:, None, :], columns, axis=1)
    image[sight.met] = light[:, None] * colours + shine[:, None]
    return np.asarray(np.clip(image, 0.0, 255.0).astype(np.uint8))


def _label(draw: ImageDraw.ImageDraw, panel: _Panel, left: int, top: int) -> None:
    draw.text((left + 14, top + 10), panel.title, TEXT, ImageFont.load_default(20))
    marks = ImageFont.load_default(18)
    middle = top + PANEL // 2
    draw.text((left + 14, middle), panel.left_mark, FAINT_TEXT, marks, anchor="lm")
    draw.text((left + PANEL - 14, middle), panel.right_mark, FAINT_TEXT, marks, anchor="rm")


def _foot(draw: ImageDraw.ImageDraw, volume: float, extent: float, caption: str | None) -> None:
    """The legend, a scale of five centimetres, the caption and the notice."""
    width, height = PICTURE_SIZE
    font, small = ImageFont.load_default(18), ImageFont.load_default(14)
    upper, lower = height - FOOTER + 6, height - 22
    text = f"Missing bone {volume:.1f} ml" if volume > 0 else "No missing bone"
    x = MARGIN
    for colour, name in ((BONE, "Skull"), (MISSING, text)):
        draw.rectangle((x, upper - 8, x + 16, upper + 8), tuple(int(c) for c in colour))
        draw.text((x + 24, upper), name, TEXT, font, anchor="lm")
        x += 24 + int(draw.textlength(name, font)) + 28
    bar = round(50.0 * PANEL / extent)
    draw.line((width - MARGIN - bar, upper, width - MARGIN, upper), TEXT, 3)
    draw.text((width - MARGIN - bar - 10, upper), "50 mm", TEXT, small, anchor="rm")
    draw.text((width - MARGIN, lower), NOTICE, FAINT_TEXT, small, anchor="rm")
    if caption:
        room = width - 3 * MARGIN - draw.textlength(NOTICE, small)
        draw.text((MARGIN, lower), _shortened(draw, caption, small, room), FAINT_TEXT, small, anchor="lm")


def _shortened(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float
) -> str:
    line = " ".join(text.split())
    if draw.textlength(line, font) <= room:
        return line
    while line and draw.textlength(line + "…", font) > room:
        line = line[:-1]
    return line.rstrip() + "…"
