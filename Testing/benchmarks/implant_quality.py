"""Whether the implants of a data set can be printed and inserted, judged by other readers than those that made them.

    python Testing/benchmarks/implant_quality.py --data SKULLFIX --split Resources/Training/split.json --work FOLDER

makes the implant of every case with the default design, from the true defect or (``--defects reconstructed``)
from the one that the shipped model finds, each with the command line in a process of its own. What is in the
work folder already is not made again. Failures are listed by case, each with a picture in FOLDER/failures.
The time is meant for an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from mesh_judges import share_in_bone, surface_verdicts
from rich.console import Console
from rich.table import Table
from timed_run import timed

from CranialAugmentationTrainerLib.datasets.paired_skulls import PairedSkull, find_paired_skulls
from CranialAugmentationTrainerLib.datasets.split import Split
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.picture import draw_case
from CranialReconstructionLib.implant.design import Design

# What is asked of every case besides a sound surface.
MOST_SECONDS, MOST_GIGABYTES = 15.0, 3.0
MOST_IN_BONE = 0.0
VOLUME_KEPT = 0.01
GAP_ERROR = 0.1
COMMAND = Path(sys.executable).with_name("cranial")


@dataclass(frozen=True)
class Result:
    """One case.

    Attributes:
        verdicts: criterion -> whether it is met.
        figures: measure, with its unit -> value.
        refused: what the command said where it wrote nothing.
        warned: checks of the command's own that did not pass.
    """

    verdicts: dict[str, bool]
    figures: dict[str, float] = field(default_factory=dict)
    refused: str = ""
    warned: tuple[str, ...] = ()

    @property
    def failures(self) -> list[str]:
        """What is not as it must be."""
        return [self.refused] if self.refused else [name for name, met in self.verdicts.items() if not met]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--defects", choices=("true", "reconstructed"), default="true")
    parser.add_argument("--part", choices=("validation", "test", "development"), default="development")
    parser.add_argument("--cases", help="only these, as in 004,016")
    options = parser.parse_args()
    results: dict[str, Result] = {}
    for case in _cases(options):
        path = options.work / options.defects / f"{case.name}.json"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            result = measured(case, options.work, options.defects)
            path.write_text(json.dumps(asdict(result), indent=1) + "\n")
        results[case.name] = Result(**json.loads(path.read_text()))
        told = "; ".join(results[case.name].failures) or "passes"
        print(f"{case.name}: {told}", file=sys.stderr)
        picture = options.work / "failures" / f"{case.name}-{options.defects}.png"
        if results[case.name].failures and not picture.is_file():
            picture.parent.mkdir(parents=True, exist_ok=True)
            draw_case(read_volume(case.defective), read_volume(_defect(case, options.work, options.defects)), picture,
                      f"{case.name}, {options.defects} defect: {told}")  # fmt: skip
    _print(results, f"{len(results)} cases, {options.defects} defects, default design, {os.cpu_count()} cores")
    return 0


def measured(case: PairedSkull, work: Path, defects: str) -> Result:
    """Make the implant of one case and judge its files."""
    folder = work / defects / case.name
    command = ["implant", "--skull", case.defective, "--defect", _defect(case, work, defects), "-o", folder]
    run = timed([COMMAND, *command, "--format", "stl,3mf", "--no-report", "--force"])
    if not (folder / "report.json").is_file():
        return Result({}, refused=run.said)
    report = json.loads((folder / "report.json").read_text())
    verdicts: dict[str, bool] = {}
    figures = {"wall time, s": run.seconds, "processor time, s": run.busy, "memory, GB": run.gigabytes}
    parts = report["implants"]
    skull = read_volume(case.defective)
    for number, part in enumerate(parts, start=1):
        stem = folder / ("implant" if len(parts) == 1 else f"implant-{number}")
        judged = surface_verdicts(stem.with_suffix(".stl"), stem.with_suffix(".3mf"), Design().triangle_budget)
        in_bone = share_in_bone(stem.with_suffix(".stl"), skull, np.array(part["axis_ras"]))
        judged |= {
            "inserted without collision": in_bone <= MOST_IN_BONE,
            f"95 % of the gap within {GAP_ERROR:g} mm": part["gap"]["error"] <= GAP_ERROR,
            "volume kept within 1 %": abs(part["decimation_volume_change"]) <= VOLUME_KEPT,
        }
        for name, met in judged.items():
            verdicts[name] = verdicts.get(name, True) and met
        measures = {
            "gap, mean, mm": part["gap"]["mean"],
            "gap error, 95 %, mm": part["gap"]["error"],
            "walls moved off the gap, %": 100.0 * part["gap"]["relieved"],
            "surface in bone on the way in, %": 100.0 * in_bone,
            "triangles": float(sum(part["triangles"])),
            "decimation, Hausdorff, mm": part["decimation_hausdorff_mm"],
            "decimation, volume, %": 100.0 * abs(part["decimation_volume_change"]),
            "undercut, ml": part["undercut_ml"],
        }
        for name, value in measures.items():
            figures[name] = max(figures.get(name, value), value)
    verdicts[f"{MOST_SECONDS:g} s on the clock"] = run.seconds <= MOST_SECONDS
    verdicts[f"{MOST_GIGABYTES:g} GB"] = run.gigabytes <= MOST_GIGABYTES
    checks = [check for part in parts for check in part["checks"]]
    verdicts["checks of the command"] = all(check["verdict"] != "fail" for check in checks)
    warned = tuple(f"{check['name']}: {check['value']}" for check in checks if check["verdict"] != "pass")
    return Result(verdicts, figures, warned=warned)


def _cases(options: argparse.Namespace) -> list[PairedSkull]:
    split = Split.read(options.split)
    skulls = {
        "validation": split.validation,
        "test": split.test,
        "development": (*split.train, *split.validation, *split.test),
    }[options.part]
    wanted = options.cases.split(",") if options.cases else None
    return [
        case
        for case in find_paired_skulls(options.data)
        if case.skull in skulls and (wanted is None or case.name in wanted)
    ]


def _defect(case: PairedSkull, work: Path, defects: str) -> Path:
    """The true missing bone, or that which the shipped model finds, made if it is not there."""
    if defects == "true":
        return case.implant
    folder = work / "reconstructions" / case.name
    if not (folder / "defect.nrrd").is_file():
        run = timed([COMMAND, "reconstruct", case.defective, "-o", folder])
        if not (folder / "defect.nrrd").is_file():
            raise SystemExit(f"{case.name} was not reconstructed: {run.said}")
    return folder / "defect.nrrd"


def _print(results: dict[str, Result], title: str) -> None:
    console = Console(width=120)
    made = [result for result in results.values() if not result.refused]
    met = Table("criterion", title=title)
    met.add_column("met by", justify="right")
    met.add_row("an implant is made", f"{len(made)} of {len(results)}")
    for name in dict.fromkeys(name for result in made for name in result.verdicts):
        met.add_row(name, f"{sum(result.verdicts[name] for result in made)} of {len(results)}")
    console.print(met)
    measures = Table("measure")
    for heading in ("median", "95 %", "largest"):
        measures.add_column(heading, justify="right")
    for name in dict.fromkeys(name for result in made for name in result.figures):
        values = [result.figures[name] for result in made]
        shown = np.percentile(values, (50.0, 95.0, 100.0))
        measures.add_row(name, *(f"{value:.4g}" for value in shown))
    console.print(measures)
    for name, result in results.items():
        if result.failures:
            console.print(f"{name} FAILS: {'; '.join(result.failures)}")
        if result.warned:
            console.print(f"{name} warns: {'; '.join(result.warned)}", style="dim")


if __name__ == "__main__":
    sys.exit(main())
