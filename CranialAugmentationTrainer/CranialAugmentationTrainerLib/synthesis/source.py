"""What cases come from: anything that decodes latents; a training run, ready to be sent to a worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Protocol

import torch

from CranialAugmentationTrainerLib.generators.registry import build
from CranialAugmentationTrainerLib.generators.settings import parse_settings
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.reconstruction.devices import choose_device

if TYPE_CHECKING:
    from CranialAugmentationTrainerLib.generators.method import Generator


class CaseGenerator(Protocol):
    """The part of ``generators.method.Generator`` that sampling and latent analysis need."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Flat (D,) or volumetric (C, k, j, i)."""

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Cases (B, 2, K, J, I) in [0, 1] from latents (B, *latent_shape), the same for the same latents."""

    def encode(self, cases: torch.Tensor) -> torch.Tensor:
        """Latents of cases; ``UserError`` for a method without an encoder."""


class GeneratorSource(Protocol):
    """Where a generator can be loaded from, in this process or in another: it travels by pickle."""

    @property
    def origin(self) -> str:
        """The place, for ``set.json``; the same generator may lie in several."""

    def load(self) -> CaseGenerator:
        """The generator, ready to decode."""

    def recipe(self) -> dict[str, Any]:
        """What tells this generator from every other, for ``set.json``."""


@dataclass(frozen=True)
class RunSource:
    """A training run's last checkpoint.

    Attributes:
        path: the run's folder.
        device: where it computes, a name of ``choose_device``.
    """

    path: Path
    device: str = "cpu"

    @property
    def origin(self) -> str:
        """The run's folder."""
        return str(self.path.resolve())

    def load(self) -> CaseGenerator:
        """The generator of the checkpoint, on its device."""
        return load_generator(self.path).to(choose_device(self.device))

    def recipe(self) -> dict[str, Any]:
        """Method and the checkpoint's SHA256: a set is never made of two states of a run."""
        method, _ = run_configuration(self.path)
        return {"method": method, "checkpoint": sha256_of(_checkpoint(self.path))}


def load_generator(path: Path) -> Generator:
    """The generator of a run: its method and settings from ``run.json``, its weights from the last checkpoint.

    Args:
        path: the run's folder.

    Returns:
        It, in evaluation mode and without gradients, on the CPU.

    Raises:
        UserError: no run of a generator, no checkpoint yet, or one that does not fit the settings.
    """
    method, content = run_configuration(path)
    checkpoint = _checkpoint(path)
    generator = build(method, parse_settings(method, content, str(path / "run.json")))
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
        generator.load_state_dict(state)
    except (RuntimeError, KeyError, TypeError, EOFError, OSError, UnpicklingError) as error:
        raise UserError(
            f"the checkpoint does not fit its run ({short_reason(error)})",
            where=str(checkpoint),
            remedy="Train the run again, or give the run's folder as it was written.",
        ) from error
    return generator.eval().requires_grad_(False)


def short_reason(error: Exception) -> str:
    """What an error says, on one line: torch lists every tensor that does not fit."""
    return shorten(str(error) or type(error).__name__, 160, placeholder=" ...")


def device_of(generator: CaseGenerator) -> torch.device:
    """Where a generator computes; the CPU for one without weights."""
    if isinstance(generator, torch.nn.Module):
        weights = next(generator.parameters(), None)
        return torch.device("cpu") if weights is None else weights.device
    return torch.device("cpu")


def side_of(generator: CaseGenerator) -> int:
    """Voxels along an edge of its cases."""
    nothing = torch.zeros(1, *generator.latent_shape, device=device_of(generator))
    return int(generator.decode(nothing).shape[-1])


def run_configuration(path: Path) -> tuple[str, dict[str, Any]]:
    """Method and settings of a run.

    Raises:
        UserError: no run, or not that of a generator.
    """
    configuration = RunFolder(path).read_configuration()
    try:
        return str(configuration["method"]), dict(configuration["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            "the run is not that of a generator: it has no method and settings",
            where=str(path / "run.json"),
            remedy="Give a run of `cranial train`.",
        ) from error


def _checkpoint(path: Path) -> Path:
    checkpoint = RunFolder(path).checkpoint
    if not checkpoint.is_file():
        raise UserError("the run has no checkpoint yet", where=str(path), remedy="Let it train for an epoch first.")
    return checkpoint
