"""Colours for values: perceptually even, told apart by colour-blind eyes and in a grey print."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw, ImageFont

Floats = npt.NDArray[np.floating]

# Anchors of viridis (S. van der Walt and N. Smith, CC0), dark to light.
EVEN = (
    "#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26",
    "#fde725",
)  # fmt: skip
# Ours, for values about zero: blue below, orange above, alike in lightness on both sides.
ABOUT_ZERO = ("#173f7a", "#3f76b5", "#93b7d8", "#e9e9e6", "#efb27a", "#cf7327", "#85420a")
UNKNOWN = (176.0, 179.0, 184.0)

STEPS = (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0)  # between ticks
MOST_TICKS = 5

BAR_SIZE = (960, 104)
_BAR_EDGE, _BAR_TOP, _BAR_BOTTOM = 60, 34, 62
_INK, _FAINT = (28, 32, 38), (92, 98, 106)


@dataclass(frozen=True)
class ColourScale:
    """From values to colours; beyond its ends the colour stays.

    Attributes:
        low, high: values at the ends.
        unit: of the values.
        anchors: colours at even distances from ``low`` to ``high``.
        marks: values of note, and their names.
        below: a colour for values under ``low``, and what it means; None for that at ``low``.
    """

    low: float
    high: float
    unit: str
    anchors: tuple[str, ...] = EVEN
    marks: tuple[tuple[float, str], ...] = ()
    below: tuple[str, str] | None = None

    def colours(self, values: Floats) -> Floats:
        """Colours (N, 3), 0 to 255, of values (N,); grey where they are NaN."""
        table = np.array([ImageColor.getrgb(anchor) for anchor in self.anchors], dtype=np.float64)
        share = (values - self.low) / (self.high - self.low)
        places = np.linspace(0.0, 1.0, len(table))
        colours = np.stack([np.interp(share, places, channel) for channel in table.T], axis=1)
        if self.below:
            colours[values < self.low] = ImageColor.getrgb(self.below[0])
        colours[np.isnan(values)] = UNKNOWN
        return colours

    def bar(self) -> Image.Image:
        """The scale as a picture with its unit, ticks and marks."""
        picture = Image.new("RGB", BAR_SIZE, "white")
        draw = ImageDraw.Draw(picture)
        font = ImageFont.load_default(22)
        left, right = _BAR_EDGE + (170 if self.below else 0), BAR_SIZE[0] - _BAR_EDGE - 30
        values = np.linspace(self.low, self.high, right - left)
        row = self.colours(values).astype(np.uint8)
        picture.paste(Image.fromarray(np.repeat(row[None], _BAR_BOTTOM - _BAR_TOP, axis=0)), (left, _BAR_TOP))
        draw.rectangle((left - 1, _BAR_TOP - 1, right, _BAR_BOTTOM), outline=_FAINT)
        if self.below:
            colour, meaning = self.below
            draw.rectangle((8, _BAR_TOP - 1, 36, _BAR_BOTTOM), colour, _FAINT)
            draw.text((46, (_BAR_TOP + _BAR_BOTTOM) // 2), meaning, _INK, font, anchor="lm")
        step = next((step for step in STEPS if (self.high - self.low) / step <= MOST_TICKS), STEPS[-1])
        for value in np.arange(np.ceil(self.low / step - 1e-6), self.high / step + 1e-6).round() * step:
            x = self._column(float(value), left, right)
            draw.line((x, _BAR_BOTTOM, x, _BAR_BOTTOM + 7), _FAINT, 2)
            draw.text((x, _BAR_BOTTOM + 10), f"{value + 0.0:.4g}", _INK, font, anchor="ma")
        draw.text((right + 14, (_BAR_TOP + _BAR_BOTTOM) // 2), self.unit, _INK, font, anchor="lm")
        for value, name in self.marks:
            x = self._column(value, left, right)
            draw.polygon(((x - 7, _BAR_TOP - 10), (x + 7, _BAR_TOP - 10), (x, _BAR_TOP - 1)), _INK)
            near_end = x > 0.75 * right
            draw.text((x - 12 if near_end else x + 12, 4), name, _INK, font, anchor="ra" if near_end else "la")
        return picture

    def _column(self, value: float, left: int, right: int) -> int:
        share = float(np.clip((value - self.low) / (self.high - self.low), 0.0, 1.0))
        return round(left + share * (right - 1 - left))
