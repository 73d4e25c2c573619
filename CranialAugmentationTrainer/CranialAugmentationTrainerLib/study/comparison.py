"""What a comparison of networks found, as ``comparison.json`` keeps it; loads no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.training.tables import parse_table
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.whole_file import whole_file

FILE = "comparison.json"
PLOT = "comparison.png"
# Parts of a split whose skulls no network has learned from.
PARTS = ("validation", "test")
# A difference that chance gives less often, after correction, is called one.
LEVEL = 0.05


@dataclass(frozen=True)
class ComparedNetwork:
    """A network that was measured.

    Attributes:
        name: in this comparison.
        run: folder of its run.
        preset: that the run started from.
        side: voxels along each edge of its grid.
        steps: that it learned for.
        training_cases: that it learned from; 0 where the run does not tell.
        data: names of the folders of its data sets.
        augmentation: online, in the run's words.
    """

    name: str
    run: str
    preset: str
    side: int
    steps: int
    training_cases: int
    data: tuple[str, ...]
    augmentation: str


@dataclass(frozen=True)
class Figure:
    """A figure that was measured.

    Attributes:
        name: of the field of ``CaseScores``.
        label: in tables.
        definition: in one line.
        higher_is_better: the better of two is the higher.
    """

    name: str
    label: str
    definition: str
    higher_is_better: bool


@dataclass(frozen=True)
class Kind:
    """A way in which every skull was measured.

    Attributes:
        name: a short word.
        words: what it is, for a person.
    """

    name: str
    words: str


@dataclass(frozen=True)
class Line:
    """One figure of one network over the cases of a kind.

    Attributes:
        network, kind, figure: names.
        count: cases that have the figure.
        failed: cases of the kind in which bone was found where none is missing, or none where some is.
        median, mean: over these cases; None where there are none.
        low, high: quartiles.
    """

    network: str
    kind: str
    figure: str
    count: int
    failed: int
    median: float | None
    mean: float | None
    low: float | None
    high: float | None

    def in_words(self) -> str:
        """Median, quartiles and mean."""
        if self.median is None or self.low is None or self.high is None or self.mean is None:
            return "none"
        digits = 3 if self.median < 10.0 else 1
        low, high = f"{self.low:.{digits}f}", f"{self.high:.{digits}f}"
        return f"{self.median:.{digits}f} ({low}-{high}), {self.mean:.{digits}f}"


@dataclass(frozen=True)
class Difference:
    """Two networks on the same skulls.

    Attributes:
        kind, figure, first, second: names.
        count: skulls; the figures of a skull's cases are averaged, for they are no independent observations.
        median: of first minus second; None where no skull has the figure for both.
        p_value: Wilcoxon signed-rank, two-sided.
        corrected: after Holm, over all pairs of the kind and figure.
    """

    kind: str
    figure: str
    first: str
    second: str
    count: int
    median: float | None
    p_value: float
    corrected: float

    @property
    def beyond_chance(self) -> bool:
        """Whether it is more than chance."""
        return self.corrected < LEVEL


@dataclass(frozen=True)
class Comparison:
    """Several networks measured alike.

    Attributes:
        data: the folder of the skulls.
        part: of the split.
        voxel_mm: edge of the grid that masks were compared on, where a kind does not say otherwise.
        skulls: that were measured.
        networks, kinds, figures: in their order.
        lines: summaries.
        differences: of each pair.
        scores: by network, kind and case: the field of ``CaseScores`` and its value.
        skull_of: the skull of each case.
        winner: name of the network that was best, by ``rule``.
        rule: what best means.
        warnings: what a reader must know, in sentences.
        command: that it was made with.
    """

    data: str
    part: str
    voxel_mm: float
    skulls: tuple[str, ...]
    networks: tuple[ComparedNetwork, ...]
    kinds: tuple[Kind, ...]
    figures: tuple[Figure, ...]
    lines: tuple[Line, ...]
    differences: tuple[Difference, ...]
    scores: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]] = field(repr=False)
    skull_of: Mapping[str, str] = field(repr=False)
    winner: str
    rule: str
    warnings: tuple[str, ...]
    command: str

    def network(self, name: str) -> ComparedNetwork:
        """A network by its name; ``KeyError`` for one that was not compared."""
        return {network.name: network for network in self.networks}[name]

    def line(self, network: str, kind: str, figure: str) -> Line:
        """A summary; ``KeyError`` where there is none."""
        return {(line.network, line.kind, line.figure): line for line in self.lines}[network, kind, figure]

    def verdicts(self, figure: str = "dice") -> tuple[str, ...]:
        """Which differences of a figure are more than chance, in sentences, by kind."""
        label = {entry.name: entry.label for entry in self.figures}[figure]
        better = {entry.name: entry.higher_is_better for entry in self.figures}[figure]
        return tuple(self._verdict(kind, figure, label, better) for kind in self.kinds) if self.differences else ()

    def _verdict(self, kind: Kind, figure: str, label: str, higher: bool) -> str:
        found = [entry for entry in self.differences if (entry.kind, entry.figure) == (kind.name, figure)]
        told = []
        for entry in found:
            if entry.beyond_chance and entry.median is not None:
                ahead = (entry.median > 0) == higher
                best, other = (entry.first, entry.second) if ahead else (entry.second, entry.first)
                by = f"median difference {abs(entry.median):.3f}, p {entry.corrected:.2g}"
                told.append(f"{best} is better than {other} ({by})")
        opening = f"{label}, {kind.words}: "
        if told:
            others = "; all other differences may be chance" if len(told) < len(found) else ""
            return f"{opening}{'; '.join(told)}{others}."
        count = max((entry.count for entry in found), default=0)
        # The smallest p that so many pairs can give, were every skull better with one of the two.
        if len(found) * 2.0 ** (1 - count) >= LEVEL:
            return f"{opening}{count} skulls are too few to tell any difference from chance."
        lowest = min(entry.corrected for entry in found)
        return f"{opening}no difference is more than chance (lowest p {lowest:.2g})."


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write ``comparison.json`` into a folder; its path."""
    path = folder / FILE
    with whole_file(path) as part:
        part.write_text(json.dumps(asdict(comparison), indent=1, allow_nan=False) + "\n")
    return path


def read_comparison(path: Path) -> Comparison:
    """The comparison in a file, or in the folder that holds it.

    Raises:
        UserError: it cannot be read, or is none.
    """
    path = path / FILE if path.is_dir() else path
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"not a comparison of networks ({type(error).__name__}: {error})",
            where=str(path),
            remedy="Make it with `cranial compare-networks`.",
        ) from error
    return parse_table(Comparison, content, str(path))
