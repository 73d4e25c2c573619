"""A cohort on the terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from CranialReconstructionLib.evaluation.case import CaseScores
from CranialReconstructionLib.evaluation.cohort import METRICS, Cohort, Metric
from CranialReconstructionLib.evaluation.matching import Matching
from CranialReconstructionLib.imaging.whole_file import whole_file

ABSENT = "-"


def scores_table(cohort: Cohort) -> Table:
    """A row for every case, and for several cases the mean, median, spread and worst."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("case", overflow="fold")
    for metric in METRICS:
        table.add_column(metric.label, justify="right", no_wrap=True)
    for name, scores in cohort.cases.items():
        figures = [_figure(getattr(scores, metric.field), metric) for metric in METRICS]
        table.add_row(f"{name} (failed)" if scores.failed else name, *figures)
    if len(cohort.cases) > 1:
        table.add_section()
        summaries = [(metric, cohort.summary(metric)) for metric in METRICS]
        for row in ("mean", "median", "std", "worst"):
            figures = [_figure(getattr(summary, row, None), metric) for metric, summary in summaries]
            table.add_row(row, *figures)
        table.add_row("cases", *[str(summary.count) if summary else "0" for _, summary in summaries])
    return table


def remarks(cohort: Cohort, matching: Matching) -> list[str]:
    """What a reader of the table must know: tolerance, failures, what was left out."""
    tolerances = {f"{scores.surface_tolerance:g}" for scores in cohort.cases.values()}
    lines = [
        f"SDSC at {', '.join(sorted(tolerances))} mm. HD95 pools both directions (AutoImplant), HD95max is "
        "the larger of the two (MONAI)."
    ]
    worst = cohort.summary(METRICS[0])
    if worst is not None and worst.count > 1:
        lines.append(f"Worst {METRICS[0].label}: {worst.worst_case}.")
    for name in cohort.failures:
        empty = "prediction" if cohort.cases[name].prediction_empty else "truth"
        lines.append(f"Failed: {name}, the {empty} is empty; overlaps count as 0, distances are left out.")
    if all(case.skull is None for case in matching.cases):
        lines.append("bDSC is left out: it needs the defective skull (--skull).")
    elif matching.without_skull:
        lines.append(f"No skull, so no bDSC: {', '.join(matching.without_skull)}.")
    if matching.without_prediction:
        lines.append(f"No prediction, not counted: {', '.join(matching.without_prediction)}.")
    if matching.without_truth:
        lines.append(f"No truth, not counted: {', '.join(matching.without_truth)}.")
    return lines


def as_json(cohort: Cohort, matching: Matching) -> dict[str, Any]:
    """The definitions, every case, the summaries, the failures and the names without a partner."""
    summaries = {metric.field: cohort.summary(metric) for metric in METRICS}
    return {
        "definitions": {metric.field: metric.definition for metric in METRICS},
        "cases": {name: asdict(scores) for name, scores in cohort.cases.items()},
        "summary": {name: asdict(summary) if summary else None for name, summary in summaries.items()},
        "failures": list(cohort.failures),
        "without_prediction": list(matching.without_prediction),
        "without_truth": list(matching.without_truth),
        "without_skull": list(matching.without_skull),
    }


def write_json(cohort: Cohort, matching: Matching, path: Path) -> None:
    """Write ``as_json`` to ``path``.

    Raises:
        UserError: it cannot be written.
    """
    _write(json.dumps(as_json(cohort, matching), indent=2, allow_nan=False) + "\n", path)


def write_csv(cohort: Cohort, path: Path) -> None:
    """Write a row for every case to ``path``; an empty cell where a figure has no value.

    Raises:
        UserError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [field.name for field in fields(CaseScores)]
    writer.writerow(["case", *columns])
    for name, scores in cohort.cases.items():
        writer.writerow([name, *(getattr(scores, column) for column in columns)])
    _write(text.getvalue(), path)


def _figure(value: float | None, metric: Metric) -> str:
    if value is None:
        return ABSENT
    return f"{value:.4f}" if metric.higher_is_better else f"{value:.3f}"


def _write(text: str, path: Path) -> None:
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
