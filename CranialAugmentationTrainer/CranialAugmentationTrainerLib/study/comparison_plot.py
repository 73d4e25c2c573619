"""Box plots of several networks side by side: a row for each figure, a column for each kind of measurement."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from CranialAugmentationTrainerLib.study.comparison import Comparison, Figure
from CranialReconstructionLib.imaging.whole_file import whole_file

# Okabe and Ito's colours, which the colour-blind tell apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442")
ROW, COLUMN, A_NETWORK = 3.0, 3.2, 0.5


def plot_comparison(comparison: Comparison, path: Path) -> None:
    """Write a PNG: boxes are quartiles, whiskers reach to 1.5 of their distance, and every case is a point."""
    rows, columns = len(comparison.figures), len(comparison.kinds)
    width = columns * (COLUMN + A_NETWORK * len(comparison.networks))
    picture = Picture(figsize=(width, ROW * rows), layout="constrained")
    grid = picture.subplots(rows, columns, squeeze=False, sharey="row")
    for row, figure in enumerate(comparison.figures):
        for column, kind in enumerate(comparison.kinds):
            axes = grid[row][column]
            _draw(axes, comparison, kind.name, figure)
            if row == 0:
                axes.set_title(fill(kind.words, 34), fontsize=10)
            if column == 0:
                axes.set_ylabel(f"{figure.label} ({'more' if figure.higher_is_better else 'less'} is better)")
    with whole_file(path) as part:
        picture.savefig(part, dpi=110, format="png")


def _draw(axes: Axes, comparison: Comparison, kind: str, figure: Figure) -> None:
    names = [network.name for network in comparison.networks]
    for place, (name, colour) in enumerate(zip(names, cycle(COLOURS), strict=False), start=1):
        found = [scores[figure.name] for scores in comparison.scores[name][kind].values()]
        values = [float(value) for value in found if value is not None]
        if not values:
            continue
        boxes = axes.boxplot([values], positions=[place], widths=0.55, patch_artist=True, showfliers=False)
        for box in boxes["boxes"]:
            box.set(facecolor=colour, alpha=0.45)
        for median in boxes["medians"]:
            median.set(color="black", linewidth=1.6)
        # Even steps to both sides, so that points of one value can be counted.
        places = [place + 0.36 * ((number * 0.618) % 1.0 - 0.5) for number in range(len(values))]
        axes.scatter(places, values, s=9.0, c=colour, edgecolors="black", linewidths=0.3, zorder=3)
    axes.set_xticks(range(1, len(names) + 1), [fill(name, 16) for name in names], rotation=25, ha="right")
    axes.set_xlim(0.4, len(names) + 0.6)
    axes.grid(axis="y", linewidth=0.4, alpha=0.6)
