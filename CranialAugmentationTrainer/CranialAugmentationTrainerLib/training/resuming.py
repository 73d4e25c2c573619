"""Going on with any run, whichever command began it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from CranialAugmentationTrainerLib.training.configuration import parse_settings
from CranialAugmentationTrainerLib.training.fitting import Ending
from CranialAugmentationTrainerLib.training.loop import train
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training import resume_method


def resume(run: RunFolder, data: Sequence[Path] = (), cache: Path | None = None) -> Ending:
    """Go on with a run from its last checkpoint until its last step.

    Args:
        data: where its data sets lie now; where they were without it.
        cache: where resampled skulls are kept; the run's own folder without it.
    """
    configuration = run.read_configuration()
    if "method" in configuration:
        return resume_method(run, data, cache=cache)
    settings = parse_settings(configuration, str(run.path / "run.json"))
    return train(settings, (data or run.data_folders())[0], run, True, cache)
