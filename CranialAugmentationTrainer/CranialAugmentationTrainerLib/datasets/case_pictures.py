"""Nine cases of data sets in one picture: bone as it would lie there, what is missing in a colour of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from CranialAugmentationTrainerLib.datasets.case_grid import read_masks
from CranialAugmentationTrainerLib.datasets.skull_case import BrokenCase, SkullCase
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import place_head
from CranialReconstructionLib.imaging.picture import (
    ANTERIOR,
    BACKGROUND,
    BONE,
    FAINT_TEXT,
    MISSING,
    PANEL_BOTTOM,
    PANEL_TOP,
    RIGHT,
    SUPERIOR,
    TEXT,
    Tint,
    defect_direction,
    facing_camera,
    shaded,
    shown_part,
)
from CranialReconstructionLib.imaging.raycast import BoneScene
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.imaging.whole_file import whole_file

SHOWN = 9
COLUMNS = 3
# Pixels of a view, between views, and of the line below them; rays to a side of a view.
VIEW, GAP, FOOTER, RAYS = 300, 8, 34, 420
FILL = 0.9
# Millimetres of the voxels that are drawn, and the share of bone that counts in them: thin bone must not vanish.
FINE, LEVEL = 1.2, 0.4
# Of coarser voxels, by which their steps are smoothed.
SMOOTHED = 0.6
SMOOTHING = (0.9, 1.6)
# From where a head is seen whose defect does not say: its right, in front and a little above.
OBLIQUE = (RIGHT + ANTERIOR + 0.6 * SUPERIOR) / np.linalg.norm([1.0, 1.0, 0.6])
# How much of the way a view turns from there to face the defect.
TURN = 0.65

Picture = npt.NDArray[np.uint8]


def evenly_chosen(cases: Sequence[SkullCase], count: int = SHOWN) -> list[SkullCase]:
    """``count`` cases spread evenly over all of them, in their order; fewer where there are fewer."""
    shown = min(count, len(cases))
    places = [round(number * (len(cases) - 1) / max(1, shown - 1)) for number in range(shown)]
    return [cases[place] for place in places]


def draw_cases(
    cases: Sequence[SkullCase], path: Path, tell: Callable[[int, int], None] = lambda done, of: None
) -> list[BrokenCase]:
    """Write a PNG of up to nine cases, three in a row.

    Args:
        tell: is called with the cases that were drawn, and of how many.

    Returns:
        Cases whose files turned out to be damaged or empty; their places say so.
    """
    broken: list[BrokenCase] = []
    rows = max(1, -(-len(cases) // COLUMNS))
    size = (COLUMNS * (VIEW + GAP) + GAP, rows * (VIEW + GAP) + GAP + FOOTER)
    picture = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(picture)
    # One reads while another one draws.
    with ThreadPoolExecutor(2) as pool:
        for number, (case, drawn) in enumerate(zip(cases, pool.map(_drawn, cases), strict=True)):
            place = GAP + number % COLUMNS * (VIEW + GAP), GAP + number // COLUMNS * (VIEW + GAP)
            if isinstance(drawn, BrokenCase):
                broken.append(drawn)
                draw.rectangle((*place, place[0] + VIEW, place[1] + VIEW), tuple(int(part) for part in PANEL_BOTTOM))
                middle = place[0] + VIEW // 2, place[1] + VIEW // 2
                draw.text(middle, "cannot be shown", FAINT_TEXT, ImageFont.load_default(16), anchor="mm")
            else:
                picture.paste(drawn, place)
            draw.text((place[0] + 10, place[1] + 8), case.name, TEXT, ImageFont.load_default(15))
            tell(number + 1, len(cases))
    _legend(draw, size)
    with whole_file(path) as part:
        picture.save(part, format="PNG", compress_level=4)
    return broken


def view_of(skull: Volume, defect: Volume) -> Image.Image:
    """A square picture of a head, turned towards its defect; masks on one grid.

    Raises:
        UserError: there is no bone.
    """
    skull, defect = _finer(skull), _finer(defect)
    missing = defect.voxels > 0
    whole = skull.with_voxels((skull.voxels > 0) | missing)
    place = place_head(whole)
    low, high = shown_part(whole, place)
    extent = float(np.linalg.norm(high - low)) / np.sqrt(2.0) / FILL
    camera = facing_camera((low + high) / 2.0, _view_point(defect_direction(defect, place.centre)))
    tint = Tint(whole, skull.with_voxels(missing))
    sight = BoneScene(tint.whole, float(np.clip(1.2 * max(skull.spacing), *SMOOTHING))).look(camera, RAYS, extent)
    colours = BONE + tint.at(sight)[:, None] * (MISSING - BONE)
    image = Image.fromarray(shaded(sight, camera, colours, (PANEL_TOP, PANEL_BOTTOM)))
    return image.resize((VIEW, VIEW), Image.Resampling.LANCZOS)


def _drawn(case: SkullCase) -> Image.Image | BrokenCase:
    try:
        return view_of(*read_masks(case))
    except UserError as error:
        return BrokenCase(case.name, case.masks[0], error.problem)


def _finer(mask: Volume) -> Volume:
    """The mask in voxels of about a millimetre, between which rays find a surface; generators' are of several."""
    factors = [max(1, round(size / FINE)) for size in mask.spacing]
    if max(factors) == 1:
        return mask
    # A step from voxel to voxel is no shape of the head's.
    shares: npt.NDArray[np.float32] = ndimage.gaussian_filter((mask.voxels > 0).astype(np.float32), SMOOTHED)
    for axis, factor in enumerate(factors[::-1]):
        shares = _between(shares, axis, factor)
    matrix = mask.ijk_to_ras.copy()
    matrix[:3, :3] /= factors
    matrix[:3, 3] = mask.grid.ras_of([(1.0 / factor - 1.0) / 2.0 for factor in factors])[0]
    return Volume((shares > LEVEL).astype(np.uint8), matrix, mask.name)


def _between(shares: npt.NDArray[np.float32], axis: int, factor: int) -> npt.NDArray[np.float32]:
    """``factor`` voxels for each one along an axis, linearly; the first of them begins before its middle."""
    size = shares.shape[axis]
    places = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0.0, size - 1.0)
    below = np.floor(places).astype(int)
    part = (places - below).astype(np.float32).reshape([-1 if other == axis else 1 for other in range(3)])
    return shares.take(below, axis) * (1.0 - part) + shares.take(np.minimum(below + 1, size - 1), axis) * part


def _view_point(defect: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
    """Where the viewer stands: so that the defect is seen, and the head still looks like one."""
    if defect is None:
        return OBLIQUE
    start = OBLIQUE * np.array([-1.0 if defect[0] < 0 else 1.0, 1.0, 1.0])
    between = (1.0 - TURN) * start + TURN * defect
    length = float(np.linalg.norm(between))
    return between / length if length > 0.1 else defect


def _legend(draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    font = ImageFont.load_default(15)
    left, middle = GAP + 2, size[1] - FOOTER // 2 - 1
    for colour, name in ((BONE, "Skull"), (MISSING, "Missing bone")):
        draw.rectangle((left, middle - 7, left + 14, middle + 7), tuple(int(part) for part in colour))
        draw.text((left + 22, middle), name, TEXT, font, anchor="lm")
        left += 22 + int(draw.textlength(name, font)) + 26
