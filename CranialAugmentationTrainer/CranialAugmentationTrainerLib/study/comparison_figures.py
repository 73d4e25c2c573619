"""Scores of several networks as summaries, paired tests, and a winner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from CranialAugmentationTrainerLib.study.comparison import Difference, Figure, Line
from CranialAugmentationTrainerLib.study.grid_measuring import ANYWHERE, OWN, averaged
from CranialReconstructionLib.evaluation.case import CaseScores
from CranialReconstructionLib.evaluation.cohort import METRICS, Cohort, Metric, PairedTest, paired_test

# Of the metrics, those that networks are compared by; the first decides.
COMPARED = tuple(metric for metric in METRICS if metric.field in ("dice", "boundary_dice", "hausdorff95_pooled"))
FIGURES = tuple(Figure(metric.field, metric.label, metric.definition, metric.higher_is_better) for metric in COMPARED)
RULE = "highest mean DSC with cuts all over the vault, then with own defects; a failed case counts as 0"

ByKind = Mapping[str, Mapping[str, CaseScores]]


def summaries(scores: Mapping[str, ByKind]) -> Iterator[Line]:
    """Median, mean and quartiles of every figure, by network and kind."""
    for network, kinds in scores.items():
        for kind, found in kinds.items():
            cohort = Cohort(found)
            for metric in COMPARED:
                values = list(cohort.values(metric).values())
                low, median, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist() if values else (None, None, None)
                mean = float(np.mean(values)) if values else None
                failed = len(cohort.failures)
                yield Line(network, kind, metric.field, len(values), failed, median, mean, low, high)


def differences(scores: Mapping[str, ByKind], skull_of: Mapping[str, str]) -> Iterator[Difference]:
    """Every pair of networks, paired by skull; p values corrected after Holm within a kind and figure."""
    for kind in next(iter(scores.values())):
        for metric in COMPARED:
            pairs = list(combinations(scores, 2))
            tests = [_test(scores[first][kind], scores[second][kind], metric, skull_of) for first, second in pairs]
            corrected = holm([test.p_value if test else 1.0 for test in tests])
            for (first, second), test, p_value in zip(pairs, tests, corrected, strict=True):
                count, median = (test.count, test.median_difference) if test else (0, None)
                p_alone = test.p_value if test else 1.0
                yield Difference(kind, metric.field, first, second, count, median, p_alone, p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the k-th smallest of n is multiplied by n - k + 1, and none falls below a smaller.

    S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def winner(scores: Mapping[str, ByKind]) -> tuple[str, str]:
    """The network that does best, and by what rule."""

    def figures(name: str) -> list[float]:
        found = [scores[name].get(kind, {}) for kind in (ANYWHERE, OWN)]
        return [float(np.mean([case.dice for case in cases.values()])) if cases else 0.0 for cases in found]

    return max(scores, key=figures), RULE


def _test(
    first: Mapping[str, CaseScores], second: Mapping[str, CaseScores], metric: Metric, skull_of: Mapping[str, str]
) -> PairedTest | None:
    """Of the cases that have the figure for both; None where there are none."""
    found = [Cohort(scores).values(metric) for scores in (first, second)]
    common = sorted(found[0].keys() & found[1].keys())
    if not common:
        return None
    means = [averaged({name: figures[name] for name in common}, skull_of.__getitem__) for figures in found]
    return paired_test(means[0], means[1], metric.label)
