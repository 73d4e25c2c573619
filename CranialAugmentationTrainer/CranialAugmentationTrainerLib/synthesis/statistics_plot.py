"""Sets side by side in one picture: size, shape and place of the defects, and likeness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.projections.polar import PolarAxes

from CranialAugmentationTrainerLib.synthesis.case_measures import MEASURES
from CranialAugmentationTrainerLib.synthesis.set_statistics import SetStatistics
from CranialReconstructionLib.imaging.whole_file import whole_file

# Okabe and Ito's colours, which the colour-blind tell apart; the reference is black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a800", "#8a8a8a")
BINS = 24


@dataclass(frozen=True)
class Look:
    """How a set is drawn: matplotlib's words."""

    colour: str
    line: Literal["-", "--", ":"] = "-"
    mark: Literal["o", "^", "s"] = "o"


REFERENCE = Look("#000000")
# More sets than colours differ by their lines and marks.
LOOKS = (
    *(Look(colour) for colour in COLOURS),
    *(Look(colour, "--", "^") for colour in COLOURS),
    *(Look(colour, ":", "s") for colour in COLOURS),
)


def plot_statistics(sets: Sequence[SetStatistics], reference: SetStatistics | None, path: Path) -> None:
    """Write a PNG of the sets and, in black, their reference."""
    shown = [*zip(sets, cycle(LOOKS), strict=False), *([(reference, REFERENCE)] if reference else [])]
    figure = Figure(figsize=(15.0, 8.5), layout="constrained")
    for place, name in enumerate(("defect_ml", "extent_mm", "compactness"), start=1):
        values = [(statistics.measures[name], look) for statistics, look in shown]
        _draw_distribution(figure.add_subplot(2, 3, place), values, MEASURES[name][0])
    places = figure.add_subplot(2, 3, 4, projection="polar")
    if not isinstance(places, PolarAxes):
        raise TypeError(f"matplotlib gave {type(places).__name__} for polar axes")
    # The reference lies under the sets.
    _draw_places(places, shown[::-1])
    near = [(np.array([one.dice for one in statistics.nearest]), look) for statistics, look in shown]
    _draw_distribution(figure.add_subplot(2, 3, 5), near, "Dice with the nearest training skull")
    alike = [(statistics.alike, look) for statistics, look in shown]
    _draw_distribution(figure.add_subplot(2, 3, 6), alike, "Dice of two cases of the set")
    keys = [
        Line2D(
            [],
            [],
            color=look.colour,
            linestyle=look.line,
            marker=look.mark,
            linewidth=2.0,
            label=f"{statistics.name} ({len(statistics.names)})",
        )
        for statistics, look in shown
    ]
    if reference:
        keys[-1].set_label(f"{reference.name} ({len(reference.names)}), reference")
    figure.legend(handles=keys, loc="outside upper center", ncols=5, frameon=False)
    with whole_file(path) as part:
        figure.savefig(part, dpi=120, format="png")


def _draw_distribution(axes: Axes, values: Sequence[tuple[npt.NDArray[np.float64], Look]], label: str) -> None:
    known = [(one[np.isfinite(one)], look) for one, look in values]
    everything = np.concatenate([one for one, _ in known])
    axes.set(xlabel=label, ylabel="share of the set")
    if everything.size == 0:
        axes.text(0.5, 0.5, "not known", ha="center", va="center", transform=axes.transAxes)
        return
    low, high = float(everything.min()), float(everything.max())
    margin = 0.02 * (high - low) or 0.5
    bins = np.linspace(low - margin, high + margin, BINS + 1).tolist()
    for one, look in known:
        if one.size:
            shares = np.full(one.size, 1.0 / one.size)
            axes.hist(one, bins, weights=shares, histtype="step", color=look.colour, linestyle=look.line, linewidth=1.8)


def _draw_places(axes: PolarAxes, shown: Sequence[tuple[SetStatistics, Look]]) -> None:
    """The vault seen from above, front up."""
    for statistics, look in shown:
        measures = statistics.measures
        turns = np.arctan2(measures["anterior_mm"], measures["right_mm"])
        axes.scatter(
            turns, measures["from_top"], s=10.0, alpha=0.5, color=look.colour, marker=look.mark, linewidths=0.0
        )
    axes.set_rlim(0.0, 120.0)
    axes.set_rgrids([30.0, 60.0, 90.0], ["30°", "60°", "90°"])
    axes.set_thetagrids([0.0, 90.0, 180.0, 270.0], ["right", "front", "left", "back"])
    axes.set_title("Middle of the defect, degrees from the vertex")
