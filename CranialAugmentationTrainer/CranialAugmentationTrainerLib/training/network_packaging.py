"""A run of ``cranial train reconstruction`` as a model package: one network that sees the whole head at once."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from CranialAugmentationTrainerLib.augmentation.geometric_presets import GEOMETRIC_PRESETS
from CranialAugmentationTrainerLib.datasets.case_grid import read_masks
from CranialAugmentationTrainerLib.datasets.reading import read_data_set
from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.training.case_network import CaseTask
from CranialAugmentationTrainerLib.training.case_store import SYNTHETIC
from CranialAugmentationTrainerLib.training.coverage_ranges import Interval, head_ranges, head_statistics
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training import trained_case_network
from CranialAugmentationTrainerLib.training.training_settings import TrainingSettings, parse_training
from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import PAPER_BOX
from CranialReconstructionLib.reconstruction.manifest import (
    Figure,
    HeadGrid,
    ModelManifest,
    NetworkEntry,
    Training,
    TrainingData,
)
from CranialReconstructionLib.reconstruction.model_package import ModelPackage, write_package
from CranialReconstructionLib.reconstruction.passes import HEAD_CHANNELS
from CranialReconstructionLib.reconstruction.postprocessing import PostProcessing

BOX = "paper256"
# W24 cuts probabilities at a half.
PEAK = 0.5
# Voxels of a coarse grid that a piece may lie away from the bone, whose neighbour it is.
JOINT_VOXELS = 1.5


def package_network(
    run: RunFolder,
    folder: Path,
    *,
    name: str,
    version: str,
    description: str,
    licence: str,
    data: str,
    figures: Sequence[Figure] = (),
    coverage: Mapping[str, Interval],
) -> ModelManifest:
    """Write the averaged network of a run's last checkpoint as a package.

    Args:
        folder: becomes the package.
        licence: of the weights; they carry that of the data.
        data: what it was trained on, in words.
        coverage: as ``network_coverage`` gives it.

    Raises:
        UserError: no run of a reconstruction network, no checkpoint, or a package that readers would refuse.
    """
    task = trained_case_network(run)
    manifest = _manifest(run, task, name, version, description, licence, data, figures, coverage)
    return write_package(folder, manifest, {"head": task.average.module.state_dict()})


def run_as_package(run: RunFolder) -> ModelPackage:
    """The same without files: what a ``Predictor`` would make of the run's network.

    Raises:
        UserError: no run of a reconstruction network, or no checkpoint.
    """
    task = trained_case_network(run)
    manifest = _manifest(run, task, "unnamed", "0", "A run.", "none", "its own data", (), {})
    return ModelPackage(manifest, run.path, {"head": task.average.module.eval()})


def network_coverage(run: RunFolder, report: Callable[[int, int], None] = lambda done, of: None) -> dict[str, Interval]:
    """Ranges of the real training skulls' statistics; empty where the run learned from synthetic cases alone.

    Raises:
        UserError: a data set of the run, or one of its skulls, cannot be read.
    """
    settings = _settings(run)
    names = Split.read(run.split).train
    sets = [read_data_set(folder) for folder in run.data_folders()]
    cases = [case for data in sets if data.kind != SYNTHETIC for case in data.cases if case.skull in names]
    heads = []
    for done, case in enumerate(cases):
        heads.append(head_statistics(read_masks(case)[0], PAPER_BOX, PAPER_BOX.size[0] / settings.side))
        report(done + 1, len(cases))
    geometric = settings.augmentation.geometric
    smallest, largest = GEOMETRIC_PRESETS[geometric].scale if geometric else (1.0, 1.0)
    return head_ranges(heads, smallest, largest) if heads else {}


def _manifest(
    run: RunFolder,
    task: CaseTask,
    name: str,
    version: str,
    description: str,
    licence: str,
    data: str,
    figures: Sequence[Figure],
    coverage: Mapping[str, Interval],
) -> ModelManifest:
    settings = _settings(run)
    events = run.read_events()
    steps = [int(event["step"]) for event in events if isinstance(event.get("step"), int)]
    seconds = [event["seconds_a_step"] for event in events if event["event"] == "step"]
    cases = [int(event["training"]) for event in events if event["event"] == "cases"]
    joint = max(PostProcessing().joint_mm, JOINT_VOXELS * task.voxel_edge)
    return ModelManifest(
        name=name,
        version=version,
        description=description,
        licence=licence,
        networks={
            "head": NetworkEntry(
                architecture=task.settings.architecture,
                arguments=task.network_arguments(task.settings),
                input_channels=HEAD_CHANNELS,
                spacing_mm=task.voxel_edge,
                window_voxels=(task.side, task.side, task.side),
            )
        },
        head_grid=HeadGrid(BOX, PAPER_BOX.size),
        post_processing={"peak_share": PEAK, "joint_mm": joint},
        training=Training(
            data=(TrainingData(data, licence, cases[-1] if cases else 0),),
            command=_command(run, settings),
            steps=max(steps, default=0),
            seconds=round(settings.report * sum(seconds)),
            machine=platform.platform(),
            split_sha256=sha256_of(_split(run)),
        ),
        figures=tuple(figures),
        coverage=dict(coverage),
    )


def _command(run: RunFolder, settings: TrainingSettings) -> str:
    """How such a run is begun, but for its network's own settings; folders by their names."""
    augmented = settings.augmentation.chosen != ("none",)
    return " ".join(
        [
            "cranial train reconstruction",
            *(f"--data {folder.name}" for folder in run.data_folders()),
            f"--preset {settings.preset}",
            *([f"--augment {settings.augmentation.names}"] if augmented else []),
            *(f"--set {name}={getattr(settings, name)}" for name in ("steps", "batch", "seed")),
        ]
    )


def _split(run: RunFolder) -> Path:
    if not run.split.is_file():
        raise UserError(
            "the run tells of no split of its skulls", where=str(run.path), remedy="Give a run that has trained."
        )
    return run.split


def _settings(run: RunFolder) -> TrainingSettings:
    return parse_training(run.read_configuration(), str(run.path / "run.json"))
