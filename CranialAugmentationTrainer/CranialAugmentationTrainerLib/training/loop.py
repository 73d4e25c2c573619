"""A run of one network of a reconstruction model, from its configuration to its last checkpoint."""

from __future__ import annotations

from pathlib import Path

import lightning
import torch

from CranialAugmentationTrainerLib.datasets.paired_skulls import find_paired_skulls
from CranialAugmentationTrainerLib.training.configuration import ReconstructionSettings, parse_settings
from CranialAugmentationTrainerLib.training.fitting import Batches, Ending, Machine, fit
from CranialAugmentationTrainerLib.training.material import gather_material
from CranialAugmentationTrainerLib.training.network_companion import NetworkCompanion
from CranialAugmentationTrainerLib.training.network_task import NetworkTask
from CranialAugmentationTrainerLib.training.pace import Pace
from CranialAugmentationTrainerLib.training.reconstruction_task import HeadTask, WindowTask
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.shell_task import ShellTask
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.networks import build_network

TASKS: dict[str, type[NetworkTask]] = {"shell": ShellTask, "coarse": HeadTask, "fine": WindowTask}


def train(
    settings: ReconstructionSettings, data: Path, run: RunFolder, resume: bool = False, cache: Path | None = None
) -> Ending:
    """Train one network until its last step.

    Args:
        data: folder in SkullFix's or SkullBreak's layout.
        run: where everything that the run leaves goes.
        resume: go on with the run that is in the folder; its own configuration counts.
        cache: where skulls resampled to the head grid are kept; the run's own folder without it.

    Raises:
        UserError: the data, the configuration or the run folder is not what it should be; the loss is
            no longer a number (the last good checkpoint stays).
    """
    if resume:
        settings = parse_settings(run.read_configuration(), str(run.path / "run.json"))
    else:
        # Data that cannot be used must not leave a run that only --resume gets past.
        find_paired_skulls(data)
        run.create(settings.as_json(), data)
    with run.recorded(resume):
        if settings.threads:
            torch.set_num_threads(settings.threads)
        lightning.seed_everything(settings.seed, verbose=False)
        return _fit(settings, data, run, cache or run.path / "cache")


def averaged_weights(run: RunFolder) -> dict[str, torch.Tensor]:
    """The averaged weights of a run's last checkpoint, named as the network names them."""
    if not run.checkpoint.is_file():
        raise UserError("the run has no checkpoint yet", where=str(run.path), remedy="Let it train for an epoch first.")
    state = torch.load(run.checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "average.module."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def trained_network(run: RunFolder) -> torch.nn.Module:
    """The averaged network of a run's last checkpoint, in evaluation mode."""
    settings = parse_settings(run.read_configuration(), str(run.path / "run.json"))
    network = build_network(settings.architecture, TASKS[settings.stage].network_arguments(settings))
    network.load_state_dict(averaged_weights(run))
    return network.eval()


def _fit(settings: ReconstructionSettings, data: Path, run: RunFolder, cache: Path) -> Ending:
    # The network first: what it refuses is known before the minutes that the data take.
    task = _task(settings)
    material = gather_material(settings, data, run, cache)
    if settings.start_from and not run.checkpoint.exists():
        weights = averaged_weights(RunFolder(Path(settings.start_from)))
        task.network.load_state_dict(weights)
        task.average.module.load_state_dict(weights)
    every = settings.steps_an_epoch
    return fit(
        task,
        Batches(material.training, settings.batch, material.validation),
        run,
        Pace(settings.steps, report=50, validate=every, checkpoint=every, preview=every),
        Machine(
            accelerator=settings.accelerator,
            devices=settings.devices,
            precision=settings.precision,
            workers=settings.workers,
            clip=settings.optimiser.clip,
        ),
        NetworkCompanion(task, run),
    )


def _task(settings: ReconstructionSettings) -> NetworkTask:
    if settings.stage == "fine":
        return WindowTask(settings, trained_network(RunFolder(Path(settings.coarse_run))))
    return TASKS[settings.stage](settings)
