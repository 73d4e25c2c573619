"""What ``cranial estimate-run`` measured of a run that is being set up, in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from CranialAugmentationTrainerLib.cli.in_words import duration_in_words
from CranialAugmentationTrainerLib.workflow.run_order import RunOrder
from CranialReconstructionLib.errors import UserError

NAME = "estimate-run"


@dataclass(frozen=True)
class Stage:
    """A stage of the run, with the mean of its steps."""

    name: str
    steps: int
    seconds_a_step: float


@dataclass(frozen=True)
class Estimate:
    """Figures as of ``training.run_estimate.RunEstimate``; memory in bytes, of the device.

    Attributes:
        extrapolated: measured on smaller cases than the run's.
    """

    device: str
    parameters: int
    steps: int
    stages: tuple[Stage, ...]
    seconds: float
    preparation: float
    memory: int
    free: int
    main_memory: int
    main_free: int
    fits: bool
    extrapolated: bool

    @property
    def summary(self) -> str:
        """A few sentences."""
        stages = [f"{stage.name} {stage.steps:,} steps of {_short(stage.seconds_a_step)}" for stage in self.stages]
        text = f"About {duration_in_words(max(1.0, self.seconds))} on {self.device}, without validations and previews: "
        text += "; ".join(stages) + "."
        if self.preparation:
            text += f" Of it {duration_in_words(self.preparation)} go into registering pairs before the first step."
        text += f"\n{self.parameters:,} numbers to learn; {_memory(self.memory)} of {_memory(self.free)} free."
        if self.extrapolated:
            text += " Extrapolated from smaller cases, so take it as a rough figure."
        if not self.fits:
            text += "\nIt does not fit the memory: take a smaller batch, a smaller side, or another device."
        return text


def estimate_words(order: RunOrder, output: Path, cases: int = 0) -> list[str]:
    """The command that measures a run like the order, and writes into ``output``, without ``cranial``.

    Args:
        cases: that the data hold; 0 where that is not known.
    """
    words = [NAME, order.method, "--preset", order.preset, *(f"--set={override}" for override in order.overrides)]
    if order.augment:
        words.append(f"--augment={order.augment}")
    if order.autoencoder is not None:
        words += ["--autoencoder", str(order.autoencoder.absolute())]
    return [*words, "--data-cases", str(cases), "-o", str(output.absolute())]


def read_estimate(output: Path) -> Estimate:
    """What the command wrote.

    Raises:
        UserError: it has written nothing that can be read.
    """
    path = output / "estimate.json"
    try:
        content = json.loads(path.read_text())
        numbers = ("parameters", "steps", "memory", "free", "main_memory", "main_free")
        return Estimate(
            device=content["device"],
            stages=tuple(Stage(**stage) for stage in content["stages"]),
            seconds=float(content["seconds"]),
            preparation=float(content["preparation"]),
            fits=bool(content["fits"]),
            extrapolated=(content["measured_side"], content["measured_batch"]) != (content["side"], content["batch"]),
            **{name: int(content[name]) for name in numbers},
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError("no readable estimate.json", where=str(path), remedy="Estimate again.") from error


def _short(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds >= 0.1 else f"{1000.0 * seconds:.0f} ms"


def _memory(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
