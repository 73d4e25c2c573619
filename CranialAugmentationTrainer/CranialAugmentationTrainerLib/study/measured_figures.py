"""What a comparison measured of one run, as the manifest of its package tells it; loads no torch."""

from __future__ import annotations

from pathlib import Path

from CranialAugmentationTrainerLib.study.comparison import Comparison
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.manifest import Figure


def measured_figures(comparison: Comparison, run: Path) -> tuple[Figure, ...]:
    """Means by kind and figure, those with the finest resolution first.

    Raises:
        UserError: the run was not compared.
    """
    place = str(run.resolve())
    network = next((entry for entry in comparison.networks if entry.run == place), None)
    if network is None:
        raise UserError(
            "the comparison has not measured this run",
            where=str(run),
            remedy=f"It measured {', '.join(entry.name for entry in comparison.networks)}.",
        )
    skulls = f"{len(comparison.skulls)} {comparison.part} skulls"
    return tuple(
        Figure(figure.label, round(line.mean, 4), f"{skulls}, {kind.words}", comparison.command)
        for kind in reversed(comparison.kinds)
        for figure in comparison.figures
        if (line := comparison.line(network.name, kind.name, figure.name)).mean is not None
    )
