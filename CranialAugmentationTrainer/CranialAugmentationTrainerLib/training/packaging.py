"""From finished runs to a model package."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from CranialAugmentationTrainerLib.datasets.paired_skulls import find_paired_skulls
from CranialAugmentationTrainerLib.datasets.split import Split
from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings, parse_settings
from CranialAugmentationTrainerLib.training.coverage_ranges import Interval, head_ranges, head_statistics
from CranialAugmentationTrainerLib.training.loop import TASKS, averaged_weights
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.head_grid import HEAD_BOXES
from CranialReconstructionLib.reconstruction.manifest import (
    Figure,
    HeadGrid,
    ModelManifest,
    NetworkEntry,
    Training,
    TrainingData,
)
from CranialReconstructionLib.reconstruction.model_package import write_package
from CranialReconstructionLib.reconstruction.passes import COARSE_CHANNELS, FINE_CHANNELS
from CranialReconstructionLib.reconstruction.shell_pass import SHELL_CHANNELS
from CranialReconstructionLib.reconstruction.vault_map import VaultMap

CHANNELS = {"shell": SHELL_CHANNELS, "coarse": COARSE_CHANNELS, "fine": FINE_CHANNELS}

TOLD_BY_SKULLS = {"likeness", "head_scale", "bone_ml"}


def package_runs(
    folder: Path,
    first: RunFolder,
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
        first: run of the pass over the whole head, a shell or a coarse network.
        fine: run of the second pass, split as the first.
        data, licence, command: for the manifest.
        post_processing: constants chosen on validation skulls.
        coverage: as ``training_coverage`` gives it.

    Raises:
        UserError: a run has no checkpoint, or the two runs do not belong together.
    """
    opening = _settings(first)
    if opening.stage == "fine":
        raise UserError(
            "this is a run of a fine network", where=str(first.path), remedy="Name a shell or a coarse run first."
        )
    runs, settings = {opening.stage: first}, {opening.stage: opening}
    if fine:
        settings["fine"] = _settings(fine)
        runs["fine"] = fine
        if settings["fine"].stage != "fine":
            raise UserError(
                f"this is a run of a {settings['fine'].stage} network", where=str(fine.path), remedy="Name a fine run."
            )
        if Split.read(fine.split) != Split.read(first.split):
            raise UserError(
                "the two runs were split differently, so that a test skull of one taught the other",
                where=str(fine.path),
                remedy="Train both with the same [split].",
            )
    box = HEAD_BOXES[opening.box]
    manifest = ModelManifest(
        name=name,
        version=version,
        description=description,
        licence=licence,
        networks={stage: _entry(chosen) for stage, chosen in settings.items()},
        head_grid=HeadGrid(opening.box, box.size),
        post_processing=dict(post_processing),
        training=Training(
            data=tuple(data),
            command=command,
            steps=sum(_last_step(run) for run in runs.values()),
            seconds=round(sum(_seconds(run) for run in runs.values())),
            machine=platform.platform(),
            split_sha256=sha256_of(first.split),
        ),
        figures=tuple(figures),
        coverage=dict(coverage),
    )
    shape = load_file(first.shape_model) if opening.stage == "shell" else None
    return write_package(folder, manifest, {stage: averaged_weights(run) for stage, run in runs.items()}, shape)


def training_coverage(
    data: Path, run: RunFolder, report: Callable[[int, int], None] = lambda done, of: None
) -> dict[str, Interval]:
    """Ranges of the training skulls' statistics, with some slack, as their augmentation stretched them."""
    settings = _settings(run)
    names = Split.read(run.split).train
    cases = [case for case in find_paired_skulls(data) if case.skull in names]
    rows = []
    for done, case in enumerate(cases):
        report(done, len(cases))
        rows.append(head_statistics(read_volume(case.defective), HEAD_BOXES[settings.box], settings.fine_spacing))
    spatial = settings.mixture.spatial
    low, high = spatial.scale if spatial else (1.0, 1.0)
    coverage = head_ranges(rows, low, high)
    defects = [event["defect_ml"] for event in _events(run) if "defect_ml" in event]
    if defects:
        coverage["defect_ml"] = (min(low for low, _ in defects), max(high for _, high in defects))
    return coverage


def _settings(run: RunFolder) -> ReconstructionSettings:
    return parse_settings(run.read_configuration(), str(run.path / "run.json"))


def _entry(settings: ReconstructionSettings) -> NetworkEntry:
    spacing = settings.coarse_spacing if settings.stage == "coarse" else settings.fine_spacing
    i, j, k = (round(edge / spacing) for edge in HEAD_BOXES[settings.box].size)
    pixels = VaultMap().size
    windows = {"shell": (1, pixels, pixels), "coarse": (k, j, i), "fine": (settings.window,) * 3}
    return NetworkEntry(
        architecture=settings.architecture,
        arguments=TASKS[settings.stage].network_arguments(settings),
        input_channels=CHANNELS[settings.stage],
        spacing_mm=spacing,
        window_voxels=windows[settings.stage],
    )


def _events(run: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.events.read_text().splitlines()]


def _last_step(run: RunFolder) -> int:
    return max((int(event["step"]) for event in _events(run) if "step" in event), default=0)


def _seconds(run: RunFolder) -> float:
    """Time spent on steps: what is logged, so that the pause before a resume does not count."""
    return sum(50.0 * event["seconds_a_step"] for event in _events(run) if "seconds_a_step" in event)
