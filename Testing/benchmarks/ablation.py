"""What each part of the recipe adds: the shell network trained without it, at an equal number of steps.

    python Testing/benchmarks/ablation.py --data FOLDER --work FOLDER [--steps 1000] [--without masking]

Measured on the validation skulls, their own defects and held-out families, at full resolution. Runs are
kept in the work folder and not trained again; constants are those of the model that ships.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
from measured_cases import measure, measured_cases
from rich.console import Console
from rich.table import Table

from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.training.cases import CaseMixture
from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings, read_settings
from CranialAugmentationTrainerLib.training.loop import train
from CranialAugmentationTrainerLib.training.packaging import package_runs
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialReconstructionLib.evaluation.cohort import METRICS
from CranialReconstructionLib.reconstruction.catalogue import DEFAULT_MODEL, find_package
from CranialReconstructionLib.reconstruction.devices import choose_device
from CranialReconstructionLib.reconstruction.model_package import load_package
from CranialReconstructionLib.reconstruction.predictor import Predictor

CONFIGURATION = Path(__file__).parents[2] / "Resources" / "Training" / "vault-unet-shell.toml"
LABELS = ("DSC", "bDSC", "HD95 mm")


def without(part: str, mixture: CaseMixture) -> CaseMixture:
    """The recipe without one of its parts."""
    changes = {
        "nothing": {},
        "masking": {"paired": 1.0 - mixture.healthy},
        "paired defects": {"paired": 0.0},
        "registration": {"towards": 0.0},
        "geometric": {"spatial": None},
        "all augmentation": {"paired": 1.0, "healthy": 0.0, "towards": 0.0, "spatial": None},
    }
    return replace(mixture, **changes[part])  # type: ignore[arg-type]


PARTS = ("nothing", "masking", "paired defects", "registration", "geometric", "all augmentation")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="where runs and what they cache go")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--pool", type=int, default=300)
    parser.add_argument("--without", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    options = parser.parse_args()
    recipe = replace(read_settings(CONFIGURATION), steps=options.steps, pool=options.pool)

    table = Table(title=f"{options.steps} steps, {recipe.split.validation} validation skulls; DSC / bDSC / HD95 mm")
    for heading in ("without", "own defects", "held-out families"):
        table.add_column(heading)
    for part in options.without:
        settings = replace(recipe, mixture=without(part, recipe.mixture))
        table.add_row(part, *figures(settings, part, options.data, options.work))
    Console(width=110).print(table)
    return 0


def figures(settings: ReconstructionSettings, part: str, data: Path, work: Path) -> list[str]:
    """Train, package and measure one variant; a cell for each kind of case."""
    run = RunFolder(work / f"{part.replace(' ', '-')}-{settings.steps}")
    if not run.checkpoint.is_file():
        train(settings, data, run, cache=work / "cache")
    package = run.path / "package"
    if not package.is_dir():
        constants = load_package(find_package(DEFAULT_MODEL)).manifest.post_processing
        package_runs(
            package, run, None, name="ablation", version="0", description=f"without {part}", data=[],
            licence="not for use", command="ablation.py", post_processing=constants, coverage={},
        )  # fmt: skip
    predictor = Predictor(load_package(package), choose_device("auto"))
    cells = []
    for kind in ("paired", "held-out"):
        print(f"without {part}, {kind}", file=sys.stderr)
        cases = measured_cases(data, Split.read(run.split), "validation", kind, cuts_a_skull=1)
        cohort = measure(lambda skull: predictor.reconstruct(skull).defect, cases)
        summaries = [cohort.summary(metric) for metric in METRICS if metric.label in LABELS]
        cells.append(" / ".join(f"{summary.mean:.3f}" if summary else "none" for summary in summaries))
    return cells


if __name__ == "__main__":
    torch.set_num_threads(2)
    sys.exit(main())
