"""What a set of cases is like, beside the skulls that its generator learned from.

Size, place and shape of the defects; how near each case comes to a training skull, so that a generator that
only remembers is found out; how far the cases differ from one another, so that one that always makes the
same is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid, read_case
from CranialAugmentationTrainerLib.datasets.file_headers import grid_in_header
from CranialAugmentationTrainerLib.datasets.skull_case import BrokenCase, DataSet
from CranialAugmentationTrainerLib.datasets.synthetic_set import SyntheticSet, is_synthetic_set
from CranialAugmentationTrainerLib.synthesis.case_measures import MEASURES, CaseMasks, measured
from CranialAugmentationTrainerLib.synthesis.likeness import KeptMasks, compared
from CranialReconstructionLib.errors import UserError

Values = npt.NDArray[np.float64]
Report = Callable[[int, int], None]

# Cases, evenly from the whole set, that are compared with one another.
AMONG = 200
# A case remembers a skull if its distance (1 - Dice) to it is below this share of that to the second
# nearest person's (the ratio of Yoon et al. 2023, "Diffusion probabilistic models generalize when they
# fail to memorize"). A plain limit of Dice would call every smooth, average skull remembered.
REMEMBERED = 1.0 / 3.0


@dataclass(frozen=True)
class Nearest:
    """The training skull that a case comes nearest to; Dice of skull and defect together.

    Attributes:
        name: of that skull's case.
        dice: with it.
        second: with the nearest case of another person.
    """

    name: str
    dice: float
    second: float

    @property
    def remembered(self) -> bool:
        """Whether it is, in effect, that skull."""
        return 1.0 - self.dice < REMEMBERED * (1.0 - self.second)


@dataclass(frozen=True, eq=False)
class SetStatistics:
    """One set.

    Attributes:
        name: of the set.
        side: voxels an edge that it was measured on.
        names: of its cases (N).
        measures: by name of ``MEASURES``, (N), nan for a case without a defect.
        nearest: for each case, if there is a reference of two persons or more; for the reference itself
            among its other persons.
        alike, defects_alike: Dice of each pair of up to ``AMONG`` cases: of whole skulls, of defects.
        rejected: cases that quality did not let in, by reason.
        broken: cases that could not be read.
    """

    name: str
    side: int
    names: tuple[str, ...]
    measures: Mapping[str, Values]
    nearest: tuple[Nearest, ...] = ()
    alike: Values = field(default_factory=lambda: np.zeros(0))
    defects_alike: Values = field(default_factory=lambda: np.zeros(0))
    rejected: Mapping[str, int] = field(default_factory=dict)
    broken: tuple[BrokenCase, ...] = ()

    @property
    def diversity(self) -> float:
        """Mean distance (1 - Dice) between whole skulls; nan for a single case."""
        return float(1.0 - self.alike.mean()) if self.alike.size else float("nan")

    @property
    def defect_diversity(self) -> float:
        """Mean distance (1 - Dice) between defects; nan for a single one."""
        return float(1.0 - self.defects_alike.mean()) if self.defects_alike.size else float("nan")

    def quartiles(self, measure: str) -> tuple[float, float, float] | None:
        """Lower quartile, median, upper quartile; None where no case has the measure."""
        values = self.measures[measure]
        known = values[np.isfinite(values)]
        if known.size == 0:
            return None
        low, middle, high = np.percentile(known, (25.0, 50.0, 75.0))
        return float(low), float(middle), float(high)

    def apart_from(self, other: SetStatistics, measure: str) -> float | None:
        """Kolmogorov and Smirnov's distance of a measure's distributions: 0 alike, 1 nothing in common."""
        mine, theirs = (values[np.isfinite(values)] for values in (self.measures[measure], other.measures[measure]))
        return float(stats.ks_2samp(mine, theirs).statistic) if mine.size and theirs.size else None


@dataclass(frozen=True, eq=False)
class Reference:
    """The training skulls that sets are held against.

    Attributes:
        statistics: of themselves.
        people: of whom each case is.
        kept: their whole skulls.
    """

    statistics: SetStatistics
    people: tuple[str, ...]
    kept: KeptMasks


def measure_reference(data: DataSet, side: int, report: Report = lambda done, of: None) -> Reference:
    """Measure the training skulls.

    Raises:
        UserError: no case can be read.
    """
    walk = _Walk(data, side, len(data.cases))
    walk.go(report, lambda masks: None)
    people = tuple(walk.people)
    nearest = tuple(
        _nearest(np.where(np.array(people) == person, -1.0, row), walk.names, people)
        for person, row in zip(people, walk.wholes.dice_among() if len(set(people)) > 2 else (), strict=False)
    )
    return Reference(walk.statistics(nearest), people, walk.wholes)


def measure_set(
    data: DataSet, side: int, reference: Reference | None = None, report: Report = lambda done, of: None
) -> SetStatistics:
    """Measure a set; memory does not grow with it, beyond a few numbers a case.

    Args:
        side: voxels an edge to measure on; that of the reference.
        reference: to find each case's nearest training skull in.
        report: is told of cases done, and of how many.

    Raises:
        UserError: no case can be read.
    """
    walk = _Walk(data, side, AMONG)
    nearest: list[Nearest] = []
    known = reference is not None and len(set(reference.people)) > 1

    def compare(masks: CaseMasks) -> None:
        if reference is not None and known:
            row = reference.kept.dice(compared(masks.whole))
            nearest.append(_nearest(row, reference.statistics.names, reference.people))

    walk.go(report, compare)
    return walk.statistics(tuple(nearest))


def natural_side(data: DataSet, otherwise: int = 64) -> int:
    """Voxels an edge of a synthetic set's own cases; ``otherwise`` for skulls as scanners give them.

    Raises:
        UserError: the set's first case cannot be read.
    """
    first = data.usable().cases[0]
    grid = grid_in_header(first.masks[0])
    if isinstance(grid, str):
        raise UserError(grid, where=str(first.masks[0]), remedy="Make the set again.")
    own = first.labels is not None and grid.same_as(case_grid(grid.shape[0]), tolerance=1e-2)
    return grid.shape[0] if own else otherwise


def statistics_as_json(statistics: SetStatistics, reference: SetStatistics | None = None) -> dict[str, Any]:
    """All figures of a set, for scripts; what is not known is null."""
    quartiles = {name: statistics.quartiles(name) for name in MEASURES}
    best = [near.dice for near in statistics.nearest]
    return {
        "name": statistics.name,
        "cases": len(statistics.names),
        "side": statistics.side,
        "rejected": dict(statistics.rejected),
        "broken": [{"case": case.name, "file": str(case.path), "reason": case.reason} for case in statistics.broken],
        "quartiles": quartiles,
        "ks_distance": {name: statistics.apart_from(reference, name) for name in MEASURES} if reference else None,
        "diversity": _or_null(statistics.diversity),
        "defect_diversity": _or_null(statistics.defect_diversity),
        "nearest_dice": {"median": float(np.median(best)), "highest": float(max(best))} if best else None,
        "remembered": sum(near.remembered for near in statistics.nearest) if best else None,
        "per_case": [_case_as_json(statistics, number) for number in range(len(statistics.names))],
    }


def _case_as_json(statistics: SetStatistics, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {"name": statistics.names[number]}
    row |= {name: _or_null(float(values[number])) for name, values in statistics.measures.items()}
    if statistics.nearest:
        near = statistics.nearest[number]
        row |= {
            "nearest": near.name,
            "nearest_dice": near.dice,
            "second_dice": near.second,
            "remembered": near.remembered,
        }
    return row


def _or_null(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _nearest(row: Values, names: Sequence[str], people: Sequence[str]) -> Nearest:
    best = int(row.argmax())
    others = row[np.array(people) != people[best]]
    return Nearest(names[best], float(row[best]), float(others.max()))


class _Walk:
    """Once through a data set."""

    def __init__(self, data: DataSet, side: int, most_kept: int) -> None:
        self._data = data
        self._side = side
        count = len(data.usable().cases)
        self._keep = set(np.linspace(0, count - 1, min(count, most_kept)).round().astype(int).tolist())
        self._broken = list(data.broken)
        self._rows: list[Mapping[str, float]] = []
        self.names: list[str] = []
        self.people: list[str] = []
        self.wholes, self.defects = KeptMasks(), KeptMasks()

    def go(self, report: Report, visit: Callable[[CaseMasks], None]) -> None:
        """Read and measure every case; ``visit`` sees each."""
        grid = case_grid(self._side)
        for number, case in enumerate(self._data.cases):
            try:
                masks = CaseMasks.from_shares(read_case(case, self._side))
            except UserError as error:
                self._broken.append(BrokenCase(case.name, case.masks[0], error.problem))
                continue
            self._rows.append(measured(masks, grid))
            self.names.append(case.name)
            self.people.append(case.skull)
            visit(masks)
            if number in self._keep:
                self.wholes.add(compared(masks.whole))
                if masks.defect.any():
                    self.defects.add(compared(masks.defect))
            report(number + 1, len(self._data.cases))
        if not self.names:
            raise UserError("no case could be read", where=str(self._data.folder), remedy="Look at its files.")

    def statistics(self, nearest: tuple[Nearest, ...]) -> SetStatistics:
        """Of what was seen."""
        return SetStatistics(
            name=self._data.folder.name or str(self._data.folder),
            side=self._side,
            names=tuple(self.names),
            measures={name: np.array([row.get(name, np.nan) for row in self._rows]) for name in MEASURES},
            nearest=nearest,
            alike=_pairs(self.wholes),
            defects_alike=_pairs(self.defects),
            rejected=rejections(self._data.folder),
            broken=tuple(self._broken),
        )


def rejections(folder: Path) -> Mapping[str, int]:
    """Cases that a synthetic set did not take, by reason; none for any other data."""
    if not is_synthetic_set(folder):
        return {}
    found = Counter(record.rejected for record in SyntheticSet(folder).records().values() if record.rejected)
    return dict(found.most_common())


def _pairs(kept: KeptMasks) -> Values:
    scores = kept.dice_among()
    return np.asarray(scores[np.triu_indices(len(kept), 1)])
