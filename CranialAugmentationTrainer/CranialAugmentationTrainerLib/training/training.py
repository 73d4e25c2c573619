"""A run of ``cranial train``: any generative method, or a reconstruction network, from data to weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import Dataset

from CranialAugmentationTrainerLib.generators.latent_diffusion import LatentDiffusion
from CranialAugmentationTrainerLib.generators.method import Generator
from CranialAugmentationTrainerLib.generators.registry import build
from CranialAugmentationTrainerLib.training.case_companions import CaseNetworkCompanion, GeneratorCompanion
from CranialAugmentationTrainerLib.training.case_network import CasePlan, CaseTask
from CranialAugmentationTrainerLib.training.case_network_settings import NAME
from CranialAugmentationTrainerLib.training.case_numbers import AugmentedNumbers, NumberedCases, StoredOnes
from CranialAugmentationTrainerLib.training.case_store import StoredCases, gather_cases
from CranialAugmentationTrainerLib.training.case_warps import warps_of
from CranialAugmentationTrainerLib.training.fitting import Batches, Ending, Machine, fit
from CranialAugmentationTrainerLib.training.recorder import VALIDATION, Companion
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training_settings import (
    TrainingSettings,
    parse_training,
    with_autoencoder,
)
from CranialReconstructionLib.errors import UserError

# Figures that get better as they rise; all others are losses.
RISING = "dice"
FIRST_FIGURES = {NAME: "dice"}


def train_method(
    settings: TrainingSettings,
    data: Sequence[Path],
    run: RunFolder,
    *,
    split: Path | None = None,
    cache: Path | None = None,
) -> Ending:
    """Train a method from the start until its last step.

    Args:
        data: folders of data sets, in any layout that is known.
        split: a given division by skull; without it one is drawn.
        cache: where resampled cases are kept; the run's own folder without it.

    Raises:
        UserError: settings, data or folder are not what they should be; the run diverged (the last good
            checkpoint stays).
    """
    if settings.autoencoder:
        below = RunFolder(Path(settings.autoencoder))
        autoencoder = parse_training(below.read_configuration(), str(below.path / "run.json"))
        settings = with_autoencoder(settings, autoencoder, str(below.path.resolve()))
    # What cannot be built is known before a folder is there that only --resume gets past.
    task = _task(settings)
    if _first_process():
        run.create(settings.as_json(), [folder.resolve() for folder in data])
    return _train(settings, task, data, run, split, cache, resumed=False)


def resume_method(run: RunFolder, data: Sequence[Path] = (), *, cache: Path | None = None) -> Ending:
    """Go on with a run from its last checkpoint, with its own configuration, until its last step.

    Args:
        data: where the data sets lie now; where they were without it.
    """
    settings = parse_training(run.read_configuration(), str(run.path / "run.json"))
    return _train(settings, _task(settings), data or run.data_folders(), run, None, cache, resumed=True)


def trained_case_network(run: RunFolder) -> CaseTask:
    """The reconstruction network of a run's last checkpoint, in evaluation mode."""
    settings = parse_training(run.read_configuration(), str(run.path / "run.json"))
    task = _task(settings)
    if not isinstance(task, CaseTask):
        raise UserError("it is the run of a generator", where=str(run.path), remedy=f"Give the run of {NAME}.")
    task.load_state_dict(_weights(run))
    return task.eval()


def _train(
    settings: TrainingSettings,
    task: Generator | CaseTask,
    data: Sequence[Path],
    run: RunFolder,
    split: Path | None,
    cache: Path | None,
    resumed: bool,
) -> Ending:
    if not _first_process():
        run = replace(run, silent=True)
    recorded: AbstractContextManager[None] = run.recorded(resumed) if _first_process() else nullcontext()
    with recorded:
        if settings.threads:
            torch.set_num_threads(settings.threads)
        cache = cache or run.path / "cache"
        cases = gather_cases(data, settings, run, cache, split)
        _check_same_cases(cases, run)
        training: Dataset[torch.Tensor] = _numbered(cases, settings, cache, run)
        validation = StoredOnes(cases.validation)
        companion: Companion
        if isinstance(task, Generator):
            companion = GeneratorCompanion(task, run, settings, StoredOnes(cases.validation or cases.training))
        else:
            companion = CaseNetworkCompanion(task, run, settings, validation)
        return fit(
            task,
            Batches(training, settings.batch, validation, 1 if settings.method == NAME else settings.batch),
            run,
            settings.pace,
            _machine(settings),
            companion,
            settings.collapse_stop,
            _early(settings),
        )


def _task(settings: TrainingSettings) -> Generator | CaseTask:
    """The network with fresh weights, which follow from the seed."""
    lightning.seed_everything(settings.seed, verbose=False)
    if settings.method == NAME:
        return CaseTask(CasePlan(settings.settings, settings.steps))
    task = build(settings.method, settings.settings)
    if isinstance(task, LatentDiffusion) and settings.autoencoder:
        task.take_autoencoder(_weights(RunFolder(Path(settings.autoencoder))))
    return task


def _weights(run: RunFolder) -> dict[str, torch.Tensor]:
    if not run.checkpoint.is_file():
        raise UserError("the run has no checkpoint yet", where=str(run.path), remedy="Let it train for a while first.")
    state: dict[str, torch.Tensor] = torch.load(run.checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    return state


def _numbered(cases: StoredCases, settings: TrainingSettings, cache: Path, run: RunFolder) -> Dataset[torch.Tensor]:
    numbered = NumberedCases(cases.training, settings.seed)
    augmentation = settings.augmentation
    if augmentation.chosen == ("none",):
        return numbered
    warps = None
    if "registration" in augmentation.chosen:
        warps = warps_of(cases.training, augmentation, settings.seed, cache, run)
    return AugmentedNumbers(numbered, augmentation, warps)


def _machine(settings: TrainingSettings) -> Machine:
    several = settings.devices > 1
    generator = settings.method != NAME
    return Machine(
        accelerator=settings.accelerator,
        devices=settings.devices,
        # A generator's step moves one of its parts at a time.
        strategy="ddp_find_unused_parameters_true"
        if several and generator and settings.strategy == "auto"
        else settings.strategy,
        precision=settings.precision,
        workers=settings.workers,
        # Generators clip by themselves.
        clip=None if generator else settings.settings.optimiser.clip,
    )


def _early(settings: TrainingSettings) -> EarlyStopping | None:
    if not settings.early_stop:
        return None
    watched = settings.watched or FIRST_FIGURES.get(settings.method, "defect_dice")
    return EarlyStopping(
        VALIDATION + watched,
        patience=settings.early_stop,
        mode="max" if watched.endswith(RISING) else "min",
        check_on_train_epoch_end=False,
    )


def _check_same_cases(cases: StoredCases, run: RunFolder) -> None:
    """Tell what the run learns from, and whether that has changed since it began."""
    former = [event["digest"] for event in run.read_events() if event["event"] == "cases"]
    run.log("cases", training=len(cases.training), validation=len(cases.validation), digest=cases.digest)
    if former and former[-1] != cases.digest:
        run.log(
            "warning",
            problem="the cases are not those that the run began with; it goes on, to other weights",
        )


def _first_process() -> bool:
    """Whether this is the only process of the run, or the one that writes its folder."""
    return int(rank_zero_only.rank or 0) == 0 and int(os.environ.get("LOCAL_RANK", 0)) == 0
