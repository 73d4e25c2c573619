"""How large defects are and where they lie: those that are drawn beside those of a real set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes

from CranialReconstructionLib.imaging.volume import Grid
from CranialReconstructionLib.imaging.whole_file import whole_file

COLOURS = ("#18909c", "#d2691e", "#5a4fa2", "#8a8a8a")


@dataclass(frozen=True)
class DefectPlace:
    """Size and place of one defect.

    Attributes:
        millilitres: its volume.
        middle: its centre of mass, millimetres (R, A, S) from the vault's centre.
    """

    millilitres: float
    middle: tuple[float, float, float]

    @property
    def from_top(self) -> float:
        """Degrees between the vertex and the defect's middle, seen from the vault's centre."""
        right, anterior, superior = self.middle
        return float(np.degrees(np.arctan2(np.hypot(right, anterior), superior)))

    @property
    def turn(self) -> float:
        """Radians from the patient's right, through anterior, to the defect's middle, seen from above."""
        return float(np.arctan2(self.middle[1], self.middle[0]))


def measure_defect(defect: torch.Tensor, grid: Grid) -> DefectPlace | None:
    """Size and place of a defect (K, J, I) on a canonical head grid; None where there is none."""
    voxels = (defect > 0.5).nonzero()
    if len(voxels) == 0:
        return None
    right, anterior, superior = grid.ras_of(voxels.double().mean(0).flip(0).numpy())[0]
    return DefectPlace(len(voxels) * grid.voxel_volume / 1000.0, (float(right), float(anterior), float(superior)))


def plot_defects(sets: Mapping[str, Sequence[DefectPlace]], path: Path) -> None:
    """Write a PNG: volumes as histograms, places as the vault seen from above (front up, right at the right).

    Args:
        sets: up to four sets by name, such as what was drawn and a real set.
    """
    figure = Figure(figsize=(11.0, 5.0), layout="constrained")
    _draw_sizes(figure.add_subplot(1, 2, 1), sets)
    places = figure.add_subplot(1, 2, 2, projection="polar")
    if not isinstance(places, PolarAxes):
        raise TypeError(f"matplotlib gave {type(places).__name__} for polar axes")
    _draw_places(places, sets)
    with whole_file(path) as part:
        figure.savefig(part, dpi=130, format="png")


def _draw_sizes(axes: Axes, sets: Mapping[str, Sequence[DefectPlace]]) -> None:
    largest = max((one.millilitres for places in sets.values() for one in places), default=1.0)
    bins = np.linspace(0.0, 1.02 * largest, 26).tolist()
    for (name, places), colour in zip(sets.items(), COLOURS, strict=False):
        volumes = [one.millilitres for one in places]
        median = f"{np.median(volumes):.0f} ml" if volumes else "none"
        shares = np.full(len(volumes), 1.0 / max(len(volumes), 1))
        label = f"{name}: {len(volumes)}, median {median}"
        axes.hist(volumes, bins, weights=shares, histtype="step", linewidth=2.0, color=colour, label=label)
    axes.set(xlabel="volume of the defect, ml", ylabel="share of the set", title="Size")
    axes.legend(frameon=False)


def _draw_places(axes: PolarAxes, sets: Mapping[str, Sequence[DefectPlace]]) -> None:
    for (name, places), colour in zip(sets.items(), COLOURS, strict=False):
        turns, angles = [one.turn for one in places], [one.from_top for one in places]
        axes.scatter(turns, angles, s=9.0, alpha=0.55, color=colour, label=name, linewidths=0.0)
    axes.set_rlim(0.0, 120.0)
    axes.set_rgrids([30.0, 60.0, 90.0], ["30°", "60°", "90°"])
    axes.set_thetagrids([0.0, 90.0, 180.0, 270.0], ["right", "front", "left", "back"])
    axes.set_title("Place, degrees from the vertex")
