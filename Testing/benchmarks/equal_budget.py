"""What each augmentation is worth at equal budget: one small network, trained the same number of steps on each.

    python Testing/benchmarks/equal_budget.py DATA OUT --split Resources/Training/split.json
        [--synthetic NAME=FOLDER ...] [--preset small] [--steps 1500] [--batch 2] [--seed 0] [--arms NAME ...]

Arms: real pairs alone; + each geometric preset; + masking; + registration; + each synthetic set; + all of them.
Network, steps, batch and seed are the same, so an arm with more cases sees each of them less often. Measured on
the split's validation skulls, twice: with the data set's own defects, and with cuts all over their vaults, since
a data set may know defects of one place only. Figures are those of masks on the NETWORK'S GRID (4 mm at 64^3):
they compare arms, and must not be put beside published figures, which are at a case's own resolution.

Stopped at any moment, the same command goes on where it was. OUT holds a run and a JSON file an arm.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from CranialAugmentationTrainerLib.augmentation.geometric_presets import GEOMETRIC_PRESETS
from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.study.grid_measuring import (
    ANYWHERE,
    OWN,
    averaged,
    case_of_cut,
    cut_anywhere,
    grid_scores,
    own_defects,
)
from CranialAugmentationTrainerLib.training.case_store import gather_cases
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.run_state import read_run
from CranialAugmentationTrainerLib.training.training import resume_method, train_method, trained_case_network
from CranialAugmentationTrainerLib.training.training_settings import (
    TrainingSettings,
    training_settings,
)
from CranialReconstructionLib.cli.progress import StageLine
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.evaluation.case import CaseScores
from CranialReconstructionLib.evaluation.cohort import paired_test

REAL = "real"


@dataclass(frozen=True)
class Arm:
    """One way to train: augmentation, and what is added to the real pairs."""

    name: str
    augmentation: str = "none"
    sets: tuple[Path, ...] = ()


def arms_of(sets: Mapping[str, Path]) -> list[Arm]:
    """All arms, for synthetic sets by name."""
    geometric = [Arm(f"+ {name}", name) for name in GEOMETRIC_PRESETS]
    synthetic = [Arm(f"+ {name}", sets=(folder,)) for name, folder in sets.items()]
    everything = Arm("+ all", "registration+masking+heavy", tuple(sets.values()))
    return [
        Arm(REAL),
        *geometric,
        Arm("+ masking", "masking"),
        Arm("+ registration", "registration"),
        *synthetic,
        everything,
    ]


def main() -> int:
    """Train and measure every arm that is not done, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--synthetic", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="words", metavar="KEY=VALUE", help="for every arm")
    parser.add_argument("--cache", type=Path, help="of resampled skulls (OUT/cache)")
    parser.add_argument("--arms", nargs="+", metavar="NAME", help="only these, by their names without the +")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    options = parser.parse_args()
    sets = dict(_named_folder(word) for word in options.synthetic)
    arms = [arm for arm in arms_of(sets) if not options.arms or _plain(arm.name) in options.arms]
    try:
        for arm in arms:
            if not options.table and not _run_arm(arm, options):
                return 130
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    _print([(arm, json.loads(_result(arm, options).read_text())) for arm in arms if _result(arm, options).is_file()])
    return 0


def _run_arm(arm: Arm, options: argparse.Namespace) -> bool:
    """Train and measure an arm as far as that is not done; False if it was stopped."""
    if _result(arm, options).is_file():
        return True
    cache = options.cache or options.out / "cache"
    run = RunFolder(options.out / _plain(arm.name), StageLine())
    every = max(1, options.steps // 5)
    words = [
        f"steps={options.steps}", f"batch={options.batch}", f"seed={options.seed}", f"validate={every}",
        f"checkpoint={every}", f"preview={every}", "report=25", f"augmentation.names={arm.augmentation}",
        *options.words,
    ]  # fmt: skip
    settings = training_settings("reconstruction", options.preset, words)
    folders = [options.data, *arm.sets]
    if not (run.path / "run.json").is_file():
        ending = train_method(settings, folders, run, split=options.split, cache=cache)
    elif read_run(run.path).state != "done":
        ending = resume_method(run, folders, cache=cache)
    else:
        ending = "done"
    if ending == "stopped":
        return False
    scores = _measured(run, options, settings, cache)
    told = next(event for event in run.read_events() if event["event"] == "cases")
    result = {
        "arm": arm.name,
        "augmentation": arm.augmentation,
        "sets": [str(folder) for folder in arm.sets],
        "training_cases": told["training"],
        "steps": settings.steps,
        "batch": settings.batch,
        "side": settings.side,
        "voxel_mm": case_grid(settings.side).spacing[0],
        "scores": {kind: {name: asdict(score) for name, score in found.items()} for kind, found in scores.items()},
    }
    _result(arm, options).write_text(json.dumps(result, indent=1) + "\n")
    return True


def _measured(
    run: RunFolder, options: argparse.Namespace, settings: TrainingSettings, cache: Path
) -> dict[str, dict[str, CaseScores]]:
    """Scores by kind of defect and case."""
    task = trained_case_network(run)
    cases = gather_cases([options.data], settings, RunFolder(run.path, silent=True), cache).validation
    kinds = {OWN: own_defects(cases), ANYWHERE: cut_anywhere(cases)}
    return {kind: {name: grid_scores(task, case) for name, case in named} for kind, named in kinds.items()}


def _print(results: Sequence[tuple[Arm, dict[str, Any]]]) -> None:
    if not results:
        print("Nothing has been measured yet.", file=sys.stderr)
        return
    first = results[0][1]
    title = (
        f"Means over validation cases, masks on the network's grid of {first['voxel_mm']:g} mm "
        f"({first['side']}^3), {first['steps']} steps of {first['batch']} cases"
    )
    table = Table(title=title)
    for name in ("arm", "cases", "defects", "n", "DSC", "bDSC", "HD95 mm", "failed", "p of DSC"):
        table.add_column(name, justify="left" if name in ("arm", "defects") else "right")
    base = next((result for arm, result in results if arm.name == REAL), None)
    for arm, result in results:
        for kind in (OWN, ANYWHERE):
            scores = result["scores"][kind]
            row = [_mean(scores, field) for field in ("dice", "boundary_dice", "hausdorff95_pooled")]
            failed = sum(score["prediction_empty"] != score["truth_empty"] for score in scores.values())
            chance = "" if base is None or arm.name == REAL else _chance(scores, base["scores"][kind], kind)
            label, count = (arm.name, str(result["training_cases"])) if kind == OWN else ("", "")
            table.add_row(label, count, kind, str(len(scores)), *row, str(failed or ""), chance)
    Console(width=120).print(table)
    print("HD95 over the cases that have one. p: Wilcoxon signed-rank against real pairs alone, a pair a case; figures")
    print("of a skull's cuts are averaged first.")


def _mean(scores: Mapping[str, Mapping[str, Any]], field: str) -> str:
    values = [score[field] for score in scores.values() if score[field] is not None]
    return f"{statistics.fmean(values):.3f}" if values else "none"


def _chance(scores: Mapping[str, Any], base: Mapping[str, Any], kind: str) -> str:
    figures = [{name: float(score["dice"]) for name, score in found.items()} for found in (scores, base)]
    first, second = [averaged(found, case_of_cut) for found in figures] if kind == ANYWHERE else figures
    return f"{paired_test(first, second, 'DSC').p_value:.3g}"


def _named_folder(word: str) -> tuple[str, Path]:
    name, _, folder = word.partition("=")
    if not folder:
        raise SystemExit(f"--synthetic {word}: write it as NAME=FOLDER")
    return name, Path(folder)


def _plain(name: str) -> str:
    return name.removeprefix("+ ")


def _result(arm: Arm, options: argparse.Namespace) -> Path:
    path: Path = options.out / f"{_plain(arm.name)}.json"
    return path


if __name__ == "__main__":
    sys.exit(main())
