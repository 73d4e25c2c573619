"""Reconstruction networks held against each other, and the best one handed to Cranial Reconstruction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from CranialAugmentationTrainerLib.datasets.synthetic_set import is_synthetic_set
from CranialAugmentationTrainerLib.scene.comparison_table import Which, show_tables
from CranialAugmentationTrainerLib.scene.plot_nodes import Column
from CranialAugmentationTrainerLib.study.comparison import FILE, PLOT, Comparison, read_comparison
from CranialAugmentationTrainerLib.workflow.event_file import identity
from CranialAugmentationTrainerLib.workflow.run_watch import WatchedRun
from CranialReconstructionLib.errors import UserError

METHOD = "reconstruction"
COMMAND = "compare-networks"
INSTALL_COMMAND = "package-network"
# What a package of that name may hold besides what it is called after.
_NO_NAME = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True)
class ComparisonOrder:
    """What is to be compared.

    Attributes:
        runs: folders of runs of ``reconstruction``.
        data: a data set with the skulls.
        part: of the runs' split, "validation" or "test".
        own_resolution: whether the skulls' files are reconstructed too.
        split: whose skulls are measured; None for those that the runs kept apart.
        cache: of resampled skulls; None for a folder beside the results.
    """

    runs: tuple[Path, ...]
    data: Path
    part: str = "validation"
    own_resolution: bool = False
    split: Path | None = None
    cache: Path | None = None

    def words(self, folder: Path) -> list[str]:
        """The command line, without ``cranial``, that puts the results into a folder.

        Raises:
            UserError: fewer than two runs, or no data.
        """
        if len(self.runs) < 2:
            raise UserError(
                "fewer than two networks are chosen", where="comparison", remedy="Tick two finished runs or more."
            )
        # An empty path of a panel is the current folder.
        if self.data == Path() or not self.data.is_dir():
            raise UserError(
                "there is no such folder of skulls", where=str(self.data), remedy="Choose the folder of a data set."
            )
        if folder == Path():
            raise UserError("no folder is chosen for the results", where="comparison", remedy="Choose one.")
        options = [("--data", self.data), ("--split", self.split), ("--cache", self.cache), ("--output", folder)]
        words = [COMMAND, *(str(run.absolute()) for run in self.runs), "--part", self.part]
        words += [word for name, path in options if path is not None for word in (name, str(path.absolute()))]
        return [*words, *(["--own-resolution"] if self.own_resolution else [])]


@dataclass(frozen=True)
class InstallOrder:
    """A network that becomes a model of Cranial Reconstruction.

    Attributes:
        run: its folder.
        name: of the model: lower-case letters, digits, dots, dashes, underscores.
        licence: of the weights; they carry that of the data.
        data: what it was trained on, in words.
        figures: a comparison that measured it.
        replace: whether an installed model of that name gives way.
    """

    run: Path
    name: str
    licence: str
    data: str
    figures: Path | None = None
    replace: bool = False

    def words(self, package: Path) -> list[str]:
        """The command line, without ``cranial``, that makes the package in a folder and installs it.

        Raises:
            UserError: something is not told.
        """
        for value, what, remedy in (
            (self.name, "a name", "Give one, such as skulls-and-vae."),
            (self.licence, "a licence", "Give the one that the data have, such as CC-BY-NC-SA-4.0."),
            (self.data, "a word on the training data", "Say what the network was trained on."),
        ):
            if not value.strip():
                raise UserError(f"the model has no {what.partition(' ')[2]}", where="comparison", remedy=remedy)
        if self.name != plain_name(self.name):
            raise UserError(
                f"a model cannot be called {self.name!r}",
                where="comparison",
                remedy=f"Use lower-case letters, digits, dots, dashes and underscores: {plain_name(self.name)}.",
            )
        words = [INSTALL_COMMAND, str(self.run.absolute()), "--output", str(package.absolute())]
        words += ["--name", self.name, "--licence", self.licence, "--data", self.data, "--install"]
        words += ["--figures", str(self.figures.absolute())] if self.figures is not None else []
        return [*words, *(["--force"] if self.replace else [])]


def comparable(runs: Sequence[WatchedRun]) -> tuple[WatchedRun, ...]:
    """The finished runs of reconstruction networks."""
    return tuple(run for run in runs if run.method == METHOD and run.state == "done")


def plain_name(words: str) -> str:
    """Words as a model may be called."""
    return _NO_NAME.sub("-", words.lower()).strip("-._") or "model"


def proposed_folders(runs: Sequence[WatchedRun]) -> tuple[Path, Path]:
    """A data set to measure some runs on, the first real one that they learned from, and a folder for the results."""
    real = (folder for run in runs for folder in run.data if not is_synthetic_set(folder))
    return next(real, Path()), runs[0].folder.parent / "comparison" if runs else Path()


class ComparisonFolder:
    """The results in a folder, read again only when they have changed.

    Attributes:
        found: as of the last look; None as long as there is nothing.
        problem: why what is there cannot be read.
    """

    def __init__(self) -> None:
        self.found: Comparison | None = None
        self.problem = ""
        self._mark: tuple[object, ...] = ()

    def look(self, folder: Path) -> bool:
        """Look again; whether anything has changed. Costs one question to the system where nothing has."""
        mark = (folder, identity(folder / FILE))
        if mark == self._mark:
            return False
        self._mark, self.found, self.problem = mark, None, ""
        if folder != Path() and mark[1] is not None:
            try:
                self.found = read_comparison(folder)
            except UserError as error:
                self.problem = error.problem
        return True


@dataclass(frozen=True)
class ComparisonRow:
    """One network measured in one way, as texts.

    Attributes:
        network: its name; about: more of it, several lines.
        best: whether it is the winner.
        kind: a short word; measured: what that means.
        figures: median, quartiles and mean of each.
        cases, failed: how many.
    """

    network: str
    about: str
    best: bool
    kind: str
    measured: str
    figures: tuple[str, ...]
    cases: str
    failed: str


def rows_of(comparison: Comparison) -> tuple[ComparisonRow, ...]:
    """A row for each kind and network."""
    rows = []
    for kind in comparison.kinds:
        for network in comparison.networks:
            lines = [comparison.line(network.name, kind.name, figure.name) for figure in comparison.figures]
            learned = (
                f"{network.training_cases} cases of {', '.join(network.data)}, augmentation {network.augmentation}"
            )
            rows.append(
                ComparisonRow(
                    network.name,
                    f"{network.run}\nLearned from {learned}, {network.steps} steps",
                    network.name == comparison.winner,
                    kind.name,
                    kind.words,
                    tuple(line.in_words() for line in lines),
                    str(len(comparison.scores[network.name][kind.name])),
                    str(lines[0].failed),
                )
            )
    return tuple(rows)


def names_best_first(comparison: Comparison) -> tuple[str, ...]:
    """The networks, the winner first."""
    others = [network.name for network in comparison.networks if network.name != comparison.winner]
    return comparison.winner, *others


def results_of(folder: Path) -> Path:
    """The figures of a comparison."""
    return folder / FILE


def plot_of(folder: Path) -> Path:
    """The box plots of a comparison."""
    return folder / PLOT


def show_comparison(trainer: Any, folder: Path, comparison: Comparison) -> dict[Which, Any]:
    """Put a comparison into the scene, as tables of summaries and of cases; the nodes."""
    tables: dict[Which, dict[str, Column]] = {
        "summary": summary_columns(comparison),
        "cases": case_columns(comparison),
    }
    return show_tables(trainer, str(folder), folder.name, tables)


def summary_columns(comparison: Comparison) -> dict[str, Column]:
    """A row for each kind, network and figure."""
    words = {kind.name: kind.words for kind in comparison.kinds}
    labels = {figure.name: figure.label for figure in comparison.figures}
    lines = comparison.lines
    return {
        "network": [line.network for line in lines],
        "measured on": [words[line.kind] for line in lines],
        "figure": [labels[line.figure] for line in lines],
        "cases": np.array([line.count for line in lines], dtype=float),
        "failed": np.array([line.failed for line in lines], dtype=float),
        "median": _numbers([line.median for line in lines]),
        "mean": _numbers([line.mean for line in lines]),
        "lower quartile": _numbers([line.low for line in lines]),
        "upper quartile": _numbers([line.high for line in lines]),
    }


def case_columns(comparison: Comparison) -> dict[str, Column]:
    """A row for each kind, case and network; NaN where a figure has no value."""
    words = {kind.name: kind.words for kind in comparison.kinds}
    rows = [
        (network, words[kind], case, figures)
        for network, kinds in comparison.scores.items()
        for kind, cases in kinds.items()
        for case, figures in cases.items()
    ]
    return {
        "network": [row[0] for row in rows],
        "measured on": [row[1] for row in rows],
        "case": [row[2] for row in rows],
        "skull": [comparison.skull_of[row[2]] for row in rows],
        **{figure.label: _numbers([row[3][figure.name] for row in rows]) for figure in comparison.figures},
    }


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
