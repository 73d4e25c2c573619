"""Time and memory of a run on this computer, before it is begun.

Steps of every stage are done and measured, on cases of the run's size where there is time and memory for it; on
smaller ones otherwise, from where time and memory grow with the number of voxels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from CranialAugmentationTrainerLib.augmentation.registration import register
from CranialAugmentationTrainerLib.training.case_numbers import AugmentedNumbers, NumberedCases, Warps
from CranialAugmentationTrainerLib.training.case_store import MEMORY_SHARE, StoredCase
from CranialAugmentationTrainerLib.training.peak_memory import peak_main_memory
from CranialAugmentationTrainerLib.training.run_stages import Stage, stages_of
from CranialAugmentationTrainerLib.training.step_cost import (
    StepCost,
    hollow_balls,
    measure_steps,
    network_size,
    quiet_trainer,
    with_size,
)
from CranialAugmentationTrainerLib.training.training_settings import TrainingSettings
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.devices import available_memory
from CranialReconstructionLib.reconstruction.main_memory import available_main_memory

# A step of so many voxels is measured at once; a larger one from below.
QUICK = 16**3 * 4
SMALLEST = 8
# Of the free memory, what a run may take.
SHARE = 0.9
# Cases whose augmentation is timed.
AUGMENTED = 3


@dataclass(frozen=True)
class StageEstimate:
    """A stage of a run, with the mean of its steps."""

    name: str
    steps: int
    seconds_a_step: float


@dataclass(frozen=True)
class RunEstimate:
    """What a run will take.

    Attributes:
        method, preset: of the run.
        device: that it would be computed on.
        parameters: numbers that it learns.
        side, batch, steps: of the run.
        measured_side, measured_batch: that was measured; what is smaller than the run's is extrapolated from.
        stages: with the preparation of their batches.
        preparation: seconds before the first step, for registering pairs.
        seconds: of all; validations and previews come on top.
        memory, free: bytes that it needs of the device, and that are free there.
        main_memory, main_free: the same of the main memory, the cases counted.
        fits: whether both are enough.
    """

    method: str
    preset: str
    device: str
    parameters: int
    side: int
    batch: int
    steps: int
    measured_side: int
    measured_batch: int
    stages: tuple[StageEstimate, ...]
    preparation: float
    seconds: float
    memory: int
    free: int
    main_memory: int
    main_free: int
    fits: bool


def estimate_run(
    settings: TrainingSettings,
    cases: int = 0,
    limit: float = 60.0,
    tell: Callable[[str], None] = lambda line: None,
) -> RunEstimate:
    """Measure what the run will take.

    Args:
        cases: that it will learn from and be looked at with; 0 where that is not known.
        limit: seconds that measuring should not take much longer than.
        tell: is told what is being measured.

    Raises:
        UserError: the network cannot be built, or its device is not there.
    """
    end = time.monotonic() + limit
    device = _device(settings)
    free, main_free = available_memory(device), available_main_memory()
    # What this process holds by now a run holds too.
    main_free += (own := peak_main_memory())
    held = own if device.type == "cpu" else 0
    free += held
    stages = stages_of(settings)
    costs, overflowed = _measured(settings, stages, held, free, end, tell)
    cost = costs[-1]
    voxels = settings.side**3 * settings.batch
    memory = cost.memory if cost.voxels == voxels else _grown_memory(settings, cost, held)
    main_memory = memory if device.type == "cpu" else cost.main_memory
    stored = 2 * settings.side**3 * cases
    # Larger ones stay in their files.
    main_memory += stored if stored <= MEMORY_SHARE * main_free else 0
    memory = main_memory if device.type == "cpu" else memory
    tell("augmentation")
    drawing, preparation = _augmentation(settings, cases)
    timed = _timed(settings, stages, grown_seconds(costs, voxels), drawing)
    return RunEstimate(
        method=settings.method,
        preset=settings.preset,
        device=_name(device),
        parameters=network_size(settings)[0],
        side=settings.side,
        batch=settings.batch,
        steps=settings.steps,
        measured_side=cost.side,
        measured_batch=cost.batch,
        stages=timed,
        preparation=preparation,
        seconds=preparation + sum(stage.steps * stage.seconds_a_step for stage in timed),
        memory=memory,
        free=free,
        main_memory=main_memory,
        main_free=main_free,
        fits=not overflowed and memory <= SHARE * free and main_memory <= SHARE * main_free,
    )


def grown_seconds(costs: Sequence[StepCost], voxels: int) -> list[float]:
    """Seconds of a step of each kind on so many voxels: on the line through the last two measurements, as a part of
    a step does not grow with its cases; from one alone they grow as the voxels."""
    last = costs[-1]
    if len(costs) < 2:
        return [seconds * voxels / last.voxels for seconds in last.seconds]
    former = costs[-2]
    found = []
    for before, seconds in zip(former.seconds, last.seconds, strict=True):
        slope = max(0.0, (seconds - before) / (last.voxels - former.voxels))
        found.append(seconds + slope * (voxels - last.voxels))
    return found


def _measured(
    settings: TrainingSettings,
    stages: Sequence[Stage],
    held: int,
    free: int,
    end: float,
    tell: Callable[[str], None],
) -> tuple[list[StepCost], bool]:
    """Measurements, the largest last, and whether a still larger one did not fit the memory."""
    kinds = [kind for stage in stages for kind in stage.kinds]
    sizes = _sizes(settings)
    found: list[StepCost] = []
    while sizes:
        size = _next(sizes, found, held, free, end) if found else sizes[0]
        if size is None:
            break
        tell(f"steps at {size.side}^3, batches of {size.batch}")
        patience = max(0.0, end - time.monotonic()) / (2 * len(kinds))
        try:
            found.append(measure_steps(size, kinds, patience))
        except torch.OutOfMemoryError:
            if not found:
                raise UserError(
                    "not even a small part of it fits the memory",
                    where=str(_device(settings)),
                    remedy="Close other programs that use it, or choose another device.",
                ) from None
            return found, True
        sizes = [one for one in sizes if one.side**3 * one.batch > found[-1].voxels]
    return found, False


def _sizes(settings: TrainingSettings) -> list[TrainingSettings]:
    """The run itself, and where that is large, smaller ones of its kind before it."""
    found = [settings]
    side = settings.side
    if settings.batch > 1:
        found.insert(0, replace(settings, batch=1))
    while found[0].side ** 3 > QUICK and side // 2 >= SMALLEST:
        side //= 2
        try:
            smaller = with_size(settings, side, 1)
            network_size(smaller)
        except UserError:
            break
        found.insert(0, smaller)
    return found if settings.side**3 * settings.batch > QUICK else [settings]


def _next(
    sizes: Sequence[TrainingSettings], found: Sequence[StepCost], held: int, free: int, end: float
) -> TrainingSettings | None:
    """The largest of the sizes for which there seem to be time and memory; None if there is none."""
    for size in reversed(sizes):
        # The first of a kind takes longer, and building the network takes a while too.
        seconds = 3.0 * sum(grown_seconds(found, size.side**3 * size.batch))
        if seconds <= end - time.monotonic() and _grown_memory(size, found[-1], held) <= SHARE * free:
            return size
    return None


def _grown_memory(settings: TrainingSettings, found: StepCost, held: int) -> int:
    """Bytes that a run of another size needs: weights as they are, the rest as the voxels."""
    _, weights = network_size(settings)
    _, measured = network_size(with_size(settings, found.side, found.batch))
    rest = max(0, found.memory - held - measured)
    return held + weights + int(rest * settings.side**3 * settings.batch / found.voxels)


def _augmentation(settings: TrainingSettings, cases: int) -> tuple[float, float]:
    """Seconds for the augmentation of one case, and for registering all pairs before."""
    augmentation = settings.augmentation
    if augmentation.chosen == ("none",):
        return 0.0, 0.0
    ball = hollow_balls(settings.side, 1)[0]
    stored = StoredCase("ball", "ball", "", False, (255.0 * ball).byte().numpy())
    warps, preparation = Warps(), 0.0
    if "registration" in augmentation.chosen:
        small = torch.nn.functional.avg_pool3d(ball.sum(0)[None, None], 2)[0, 0]
        begun = time.perf_counter()
        warps[0] = [register(small, small.flip(2).roll(1, 0), augmentation.registration)]
        preparation = (time.perf_counter() - begun) * augmentation.warps * cases
    drawn = AugmentedNumbers(NumberedCases([stored], settings.seed), augmentation, warps)
    drawn[0]
    begun = time.perf_counter()
    for number in range(AUGMENTED):
        drawn[1 + number]
    return (time.perf_counter() - begun) / AUGMENTED, preparation


def _timed(
    settings: TrainingSettings, stages: Sequence[Stage], seconds: Sequence[float], drawing: float
) -> tuple[StageEstimate, ...]:
    """The stages with the mean of their steps: workers prepare batches meanwhile, without any they are waited for."""
    found, left = [], list(seconds)
    preparing = drawing * settings.batch
    for stage in stages:
        mean = sum(kind.share * left.pop(0) for kind in stage.kinds)
        mean = max(mean, preparing / settings.workers) if settings.workers else mean + preparing
        found.append(StageEstimate(stage.name, stage.steps, mean))
    return tuple(found)


def _device(settings: TrainingSettings) -> torch.device:
    try:
        device: torch.device = quiet_trainer(settings).strategy.root_device
    except (MisconfigurationException, ValueError) as error:
        raise UserError(
            f"it cannot be computed on {settings.accelerator!r} ({str(error).splitlines()[0]})",
            where="accelerator",
            remedy="Set accelerator to auto or cpu.",
        ) from error
    return device


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({device})"
    return "the processor" if device.type == "cpu" else str(device)
