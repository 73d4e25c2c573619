"""From finished runs to a model package."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from CranialAugmentationTrainerLib.datasets.paired_skulls import PairedSkull, find_paired_skulls
from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings, parse_settings
from CranialAugmentationTrainerLib.training.loop import averaged_weights
from CranialAugmentationTrainerLib.training.reconstruction_task import ReconstructionTask
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.head_grid import HEAD_BOXES, place_head
from CranialReconstructionLib.imaging.resampling import occupancy
from CranialReconstructionLib.reconstruction.manifest import (
    Figure,
    HeadGrid,
    ModelManifest,
    NetworkEntry,
    Training,
    TrainingData,
    sha256_of,
)
from CranialReconstructionLib.reconstruction.model_package import write_package
from CranialReconstructionLib.reconstruction.passes import COARSE_CHANNELS, FINE_CHANNELS

Interval = tuple[float, float]

# A case may lie this much of the training range beyond its ends before it is warned about.
COVERAGE_SLACK = 0.1


def package_runs(
    folder: Path,
    coarse: RunFolder,
    fine: RunFolder | None,
    *,
    name: str,
    version: str,
    description: str,
    data: Sequence[TrainingData],
    licence: str,
    command: str,
    post_processing: Mapping[str, float],
    figures: Sequence[Figure] = (),
    coverage: Mapping[str, Interval],
) -> ModelManifest:
    """Write the averaged weights of one or two runs as a package.

    Args:
        folder: becomes the package.
        coarse, fine: the runs; both must share their split.
        data, licence, command: for the manifest.
        post_processing: constants chosen on validation skulls.
        coverage: as ``training_coverage`` gives it.

    Raises:
        UserError: a run has no checkpoint, or the two runs do not belong together.
    """
    runs = {"coarse": coarse} | ({"fine": fine} if fine else {})
    settings = {
        name_: parse_settings(run.read_configuration(), str(run.path / "run.json")) for name_, run in runs.items()
    }
    for stage, chosen in settings.items():
        if chosen.stage != stage:
            raise UserError(
                f"this is a run of the {chosen.stage} network",
                where=str(runs[stage].path),
                remedy=f"Name a run of the {stage} network.",
            )
    if fine and Split.read(fine.split) != Split.read(coarse.split):
        raise UserError(
            "the two runs were split differently, so that a test skull of one taught the other",
            where=str(fine.path),
            remedy="Train both with the same [split].",
        )
    box = HEAD_BOXES[settings["coarse"].box]
    manifest = ModelManifest(
        name=name,
        version=version,
        description=description,
        licence=licence,
        networks={stage: _entry(chosen) for stage, chosen in settings.items()},
        head_grid=HeadGrid(settings["coarse"].box, box.size),
        post_processing=dict(post_processing),
        training=Training(
            data=tuple(data),
            command=command,
            steps=sum(_last_step(run) for run in runs.values()),
            seconds=round(sum(_seconds(run) for run in runs.values())),
            machine=platform.platform(),
            split_sha256=sha256_of(coarse.split),
        ),
        figures=tuple(figures),
        coverage=dict(coverage),
    )
    return write_package(folder, manifest, {stage: averaged_weights(run) for stage, run in runs.items()})


def training_coverage(
    data: Path, run: RunFolder, report: Callable[[int, int], None] = lambda done, of: None
) -> dict[str, Interval]:
    """Ranges of the training skulls' statistics, with some slack, as their augmentation stretched them."""
    settings = parse_settings(run.read_configuration(), str(run.path / "run.json"))
    names = Split.read(run.split).train
    cases = [case for case in find_paired_skulls(data) if case.skull in names]
    rows = []
    for done, case in enumerate(cases):
        report(done, len(cases))
        rows.append(_statistics(case, settings))
    likeness, scale, bone = np.array(rows).T
    spatial = settings.mixture.spatial
    low, high = spatial.scale if spatial else (1.0, 1.0)
    return {
        "likeness": (float(likeness.min()) * (1.0 - COVERAGE_SLACK), 1.0),
        # Training cases were drawn smaller and larger than their skulls.
        "head_scale": (float(scale.min()) / high, float(scale.max()) / low),
        "bone_ml": (float(bone.min()) / high**3, float(bone.max()) / low**3),
    }


def _statistics(case: PairedSkull, settings: ReconstructionSettings) -> tuple[float, float, float]:
    skull = read_volume(case.defective)
    placement = place_head(skull)
    share = occupancy(skull, HEAD_BOXES[settings.box].grid(placement.centre, settings.fine_spacing))
    return placement.likeness, placement.scale, float(share.voxels.sum()) * share.grid.voxel_volume / 1000.0


def _entry(settings: ReconstructionSettings) -> NetworkEntry:
    coarse = settings.stage == "coarse"
    spacing = settings.coarse_spacing if coarse else settings.fine_spacing
    i, j, k = (round(edge / spacing) for edge in HEAD_BOXES[settings.box].size)
    window = (k, j, i) if coarse else (settings.window,) * 3
    return NetworkEntry(
        architecture=settings.architecture,
        arguments=ReconstructionTask(settings).network_arguments,
        input_channels=COARSE_CHANNELS if coarse else FINE_CHANNELS,
        spacing_mm=spacing,
        window_voxels=window,
    )


def _events(run: RunFolder) -> list[dict[str, float]]:
    return [json.loads(line) for line in run.events.read_text().splitlines()]


def _last_step(run: RunFolder) -> int:
    return max((int(event["step"]) for event in _events(run) if "step" in event), default=0)


def _seconds(run: RunFolder) -> float:
    """Time spent on steps: what is logged, so that the pause before a resume does not count."""
    return sum(50.0 * event["seconds_a_step"] for event in _events(run) if "seconds_a_step" in event)
