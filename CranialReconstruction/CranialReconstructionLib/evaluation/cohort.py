"""Many cases: averages, the worst, the failures, and a paired test between two cohorts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.evaluation.case import CaseScores, evaluate_case
from CranialReconstructionLib.evaluation.matching import CaseFiles
from CranialReconstructionLib.evaluation.surface_distance import SURFACE_TOLERANCE_MM
from CranialReconstructionLib.imaging.files import read_volume


@dataclass(frozen=True)
class Metric:
    """A figure of ``CaseScores``.

    Attributes:
        field: its name in ``CaseScores``.
        label: its name in tables.
        definition: what it is, in one line.
        higher_is_better: the worst case is the lowest, otherwise the highest.
    """

    field: str
    label: str
    definition: str
    higher_is_better: bool


METRICS = (
    Metric("dice", "DSC", "Dice of the missing bone", True),
    Metric("boundary_dice", "bDSC", "Dice within 10 mm of the defective skull (AutoImplant)", True),
    Metric("surface_dice", "SDSC", "area-weighted surface Dice at the stated tolerance", True),
    Metric(
        "hausdorff95_pooled",
        "HD95 mm",
        "95th percentile of both directed border distance sets pooled, mm (AutoImplant)",
        False,
    ),
    Metric(
        "hausdorff95_directed",
        "HD95max mm",
        "larger of the two directed 95th percentiles of border distances, mm (MONAI)",
        False,
    ),
    Metric("mean_surface_distance", "MSD mm", "mean symmetric surface distance of borders, mm", False),
)


@dataclass(frozen=True)
class Summary:
    """One metric over the cases in which it has a value.

    Attributes:
        count: number of these cases.
        mean: their mean.
        median: their median.
        std: sample standard deviation; ``None`` for a single case.
        worst: the worst value.
        worst_case: the name of the case that has it.
    """

    count: int
    mean: float
    median: float
    std: float | None
    worst: float
    worst_case: str


@dataclass(frozen=True)
class Cohort:
    """The figures of many cases.

    Attributes:
        cases: scores by the name of the case.
    """

    cases: Mapping[str, CaseScores]

    @property
    def failures(self) -> tuple[str, ...]:
        """Cases with an empty prediction or an empty truth, but not both.

        They count as 0 in the averages of the overlaps. Their distances have no value and are left out
        of the averages, so a mean distance is to be read with the number of failures beside it.
        """
        return tuple(name for name, scores in self.cases.items() if scores.failed)

    def values(self, metric: Metric) -> dict[str, float]:
        """The metric of every case that has it, by name."""
        values = {name: getattr(scores, metric.field) for name, scores in self.cases.items()}
        return {name: value for name, value in values.items() if value is not None}

    def summary(self, metric: Metric) -> Summary | None:
        """Mean, median, spread and worst of ``metric``; ``None`` when no case has it."""
        values = self.values(metric)
        if not values:
            return None
        figures = np.array(list(values.values()))
        choose = min if metric.higher_is_better else max
        worst_case = choose(values, key=lambda name: values[name])
        return Summary(
            count=len(values),
            mean=float(figures.mean()),
            median=float(np.median(figures)),
            std=float(figures.std(ddof=1)) if len(figures) > 1 else None,
            worst=values[worst_case],
            worst_case=worst_case,
        )


def evaluate_cohort(
    cases: Iterable[CaseFiles],
    surface_tolerance: float = SURFACE_TOLERANCE_MM,
    on_case: Callable[[str], None] = lambda name: None,
) -> Cohort:
    """Read and evaluate every case, one in memory at a time.

    Args:
        cases: from ``match_cases``.
        surface_tolerance: of the surface Dice, in millimetres.
        on_case: called with the name of every case that is done.

    Raises:
        UserError: a file cannot be read, or a case's volumes do not fit together.
    """
    scores = {}
    for case in cases:
        scores[case.name] = evaluate_case(
            read_volume(case.prediction),
            read_volume(case.truth),
            None if case.skull is None else read_volume(case.skull),
            surface_tolerance,
        )
        on_case(case.name)
    return Cohort(scores)


@dataclass(frozen=True)
class PairedTest:
    """Two methods compared on the same cases.

    Attributes:
        count: cases in which both have the metric.
        median_difference: of first minus second.
        p_value: two-sided; below 0.01 the field speaks of a difference.
    """

    count: int
    median_difference: float
    p_value: float


def paired_wilcoxon(first: Cohort, second: Cohort, metric: Metric) -> PairedTest:
    """Wilcoxon signed-rank test of ``metric``, paired by the name of the case; see ``paired_test``.

    Raises:
        UserError: no case is in both.
    """
    return paired_test(first.values(metric), second.values(metric), metric.label)


def paired_test(first: Mapping[str, float], second: Mapping[str, float], label: str) -> PairedTest:
    """Wilcoxon signed-rank test of figures, paired by name.

    Names that only one of them has are left out. Two methods that agree in every case have a p of 1.

    Args:
        label: of the figures, for errors.

    Raises:
        UserError: no name is in both.
    """
    names = sorted(first.keys() & second.keys())
    if not names:
        raise UserError(
            f"no case has a {label} in both cohorts",
            where="paired test",
            remedy="Evaluate both methods on the same cases, under the same names.",
        )
    differences = np.array([first[name] - second[name] for name in names])
    p_value = float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0
    return PairedTest(len(names), float(np.median(differences)), p_value)
