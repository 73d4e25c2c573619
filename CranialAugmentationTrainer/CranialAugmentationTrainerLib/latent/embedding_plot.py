"""The picture of a latent space: every case a point, sources told apart by colour and by mark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from CranialAugmentationTrainerLib.latent.embedding import Points
from CranialReconstructionLib.imaging.whole_file import whole_file

# Okabe and Ito's colours, which the colour-blind tell apart; marks tell them apart in grey.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#000000")
MARKS = ("o", "^", "s", "D", "v", "P", "X")
NAMES = {"tsne": "t-SNE", "umap": "UMAP"}


def plot_embedding(points: Points, sources: Sequence[str], method: str, path: Path) -> None:
    """Write a PNG of places (N, 2), each of a source."""
    figure = Figure(figsize=(7.5, 7.0), layout="constrained")
    axes = figure.add_subplot()
    kinds = np.array(sources)
    for kind, colour, mark in zip(dict.fromkeys(sources), cycle(COLOURS), cycle(MARKS), strict=False):
        own = points[kinds == kind]
        label = f"{kind} ({len(own)})"
        axes.scatter(own[:, 0], own[:, 1], s=26.0, c=colour, marker=mark, alpha=0.75, linewidths=0.0, label=label)
    # Neither method gives its axes a unit.
    axes.set(xticks=[], yticks=[], title=f"Latent space, {NAMES.get(method, method)}")
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(loc="best")
    with whole_file(path) as part:
        figure.savefig(part, dpi=130, format="png")
