"""Going on with any run, whichever command began it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from CranialAugmentationTrainerLib.generators.registry import METHODS as GENERATIVE_METHODS
from CranialAugmentationTrainerLib.training.configuration import parse_settings
from CranialAugmentationTrainerLib.training.fitting import Ending
from CranialAugmentationTrainerLib.training.loop import train
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.run_state import read_run
from CranialAugmentationTrainerLib.training.training import resume_method
from CranialReconstructionLib.errors import UserError


def resume(run: RunFolder, data: Sequence[Path] = (), cache: Path | None = None, steps: int | None = None) -> Ending:
    """Go on with a run from its last checkpoint until its last step.

    Args:
        data: where its data sets lie now; where they were without it.
        cache: where resampled skulls are kept; the run's own folder without it.
        steps: its last step from now on. A generator that has reached the former one trains on, as if it had
            been the number from the start.

    Raises:
        UserError: it is no run; another process trains it; it cannot have so many steps.
    """
    if steps is not None:
        _lengthen(run, steps)
    configuration = run.read_configuration()
    if "method" in configuration:
        return resume_method(run, data, cache=cache)
    settings = parse_settings(configuration, str(run.path / "run.json"))
    return train(settings, (data or run.data_folders())[0], run, True, cache)


def _lengthen(run: RunFolder, steps: int) -> None:
    state = read_run(run.path)
    if state.method not in GENERATIVE_METHODS:
        raise UserError(
            "the learning rate of this run falls over all of its steps, whose number cannot change any more",
            where=str(run.path),
            remedy="Start a new run with more steps.",
        )
    if steps <= state.step:
        raise UserError(
            f"the run has done {state.step} steps already", where="--steps", remedy="Give a higher number of steps."
        )
    run.lengthen(steps)
