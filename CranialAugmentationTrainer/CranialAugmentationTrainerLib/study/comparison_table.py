"""A comparison of networks on the terminal."""

from __future__ import annotations

from rich.table import Table

from CranialAugmentationTrainerLib.study.comparison import Comparison


def comparison_table(comparison: Comparison) -> Table:
    """A row for each kind and network: median and quartiles, and the mean, of every figure."""
    table = Table(title=f"Median (quartiles), mean, on {len(comparison.skulls)} {comparison.part} skulls")
    table.add_column("network")
    table.add_column("cases", justify="right")
    for figure in comparison.figures:
        table.add_column(figure.label, justify="right")
    table.add_column("failed", justify="right")
    for kind in comparison.kinds:
        table.add_section()
        table.add_row(f"[i]{kind.words}[/i]")
        for network in comparison.networks:
            lines = [comparison.line(network.name, kind.name, figure.name) for figure in comparison.figures]
            cases = len(comparison.scores[network.name][kind.name])
            best = " (best)" if network.name == comparison.winner else ""
            table.add_row(
                f"  {network.name}{best}", str(cases), *(line.in_words() for line in lines), str(lines[0].failed)
            )
    return table
