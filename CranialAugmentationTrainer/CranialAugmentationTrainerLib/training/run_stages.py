"""The stages of a run, and which of its steps stand for the others: not every batch costs the same."""

from __future__ import annotations

from dataclasses import dataclass

from CranialAugmentationTrainerLib.generators.parameters import (
    DiffusionSettings,
    IntroVaeSettings,
    SoftIntroVaeSettings,
    VaeWganGpSettings,
    VqVaeSettings,
    WganGpSettings,
)
from CranialAugmentationTrainerLib.training.training_settings import TrainingSettings


@dataclass(frozen=True)
class StepKind:
    """Steps that cost alike.

    Attributes:
        batch: number of one of them in the run, as a method's ``batches`` counts.
        share: of the stage's steps.
    """

    batch: int
    share: float = 1.0


@dataclass(frozen=True)
class Stage:
    """A part of a run.

    Attributes:
        name: for a person.
        steps: batches of it.
        kinds: of its steps.
    """

    name: str
    steps: int
    kinds: tuple[StepKind, ...]


def stages_of(settings: TrainingSettings) -> tuple[Stage, ...]:
    """The stages of a run that have any steps, in their order; nothing is built for it."""
    ends: list[tuple[str, int]]
    network, cycle = settings.settings, 1
    if isinstance(network, VaeWganGpSettings):
        ends = [("VAE", network.vae_steps), ("bridge", network.vae_steps + network.bridge_steps), ("WGAN-GP", -1)]
    elif isinstance(network, IntroVaeSettings | SoftIntroVaeSettings):
        ends = [("warm-up", network.warmup_steps), ("introspection", -1)]
    elif isinstance(network, VqVaeSettings):
        ends = [("autoencoder", network.autoencoder_steps), ("prior", -1)]
    elif isinstance(network, DiffusionSettings):
        first = network.autoencoder_steps
        ends = [("autoencoder", first), ("measuring", first + network.measured_batches), ("diffusion", -1)]
    else:
        ends = [("training", -1)]
    if isinstance(network, WganGpSettings):
        cycle = network.critic_steps
    found, begin = [], 0
    for name, stop in ends:
        end = settings.steps if stop < 0 else min(stop, settings.steps)
        if end > begin:
            kinds = (StepKind(begin),) if name == "VAE" else _kinds(begin, cycle)
            found.append(Stage(name, end - begin, kinds))
            begin = end
    return tuple(found)


def _kinds(begin: int, cycle: int) -> tuple[StepKind, ...]:
    """The critic's steps, and that of each cycle which teaches the generator too."""
    both = begin + (cycle - 1 - begin) % cycle
    if cycle == 1:
        return (StepKind(begin),)
    alone = both + 1
    return StepKind(alone, 1.0 - 1.0 / cycle), StepKind(both, 1.0 / cycle)
