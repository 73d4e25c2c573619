"""What a training run is told, validated where it enters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.augmentation.registration_schedule import RegistrationSchedule
from CranialAugmentationTrainerLib.training.cases import CaseMixture
from CranialAugmentationTrainerLib.training.optimiser_settings import OptimiserSettings
from CranialAugmentationTrainerLib.training.tables import parse_table
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import HEAD_BOXES

STAGES = ("shell", "coarse", "fine")


@dataclass(frozen=True)
class SplitSettings:
    """Skulls kept apart from training.

    Attributes:
        seed: of the draw.
        validation: skulls on which constants are chosen.
        test: skulls on which figures are reported.
        same_person: groups of skulls that are one person.
    """

    seed: int = 0
    validation: int = 8
    test: int = 12
    same_person: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class ReconstructionSettings:
    """One run: one network of a reconstruction model.

    Attributes:
        stage: ``shell`` (the whole vault as a map), ``coarse`` (the whole head as voxels) or ``fine``
            (windows about the defect).
        architecture, arguments: as ``build_network`` takes them.
        box: name of the canonical head box.
        fine_spacing: voxel edge of the fine grid, mm; the coarse grid's is twice as long.
        modes: of the shell network's shape model.
        window: edge of the fine network's window, voxels.
        coarse_run: run folder of the coarse network that the fine one works on.
        start_from: run folder whose weights this run starts from, to go on with other settings.
        steps: optimiser steps in all.
        steps_an_epoch: steps between checkpoints.
        batch: cases a step.
        seed: of weights and cases.
        warps: number of registered pairs of training heads.
        pool: number of moved and warped heads that are unrolled for the shell network.
        validation_cases: fixed cases of validation heads looked at after each epoch.
        threads: of the processor for each of torch's operations; 0 leaves it to torch.
        workers: processes that make cases.
        precision: Lightning's word, such as ``32-true`` or ``16-mixed``.
        accelerator, devices: Lightning's words.
    """

    stage: str
    architecture: str = "residual_unet"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    box: str = "vault"
    fine_spacing: float = 1.5
    modes: int = 200
    window: int = 80
    coarse_run: str = ""
    start_from: str = ""
    steps: int = 6000
    steps_an_epoch: int = 250
    batch: int = 1
    seed: int = 0
    warps: int = 400
    pool: int = 1600
    validation_cases: int = 16
    threads: int = 0
    workers: int = 0
    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    split: SplitSettings = field(default_factory=SplitSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    mixture: CaseMixture = field(default_factory=CaseMixture)
    registration: RegistrationSchedule = field(
        default_factory=lambda: RegistrationSchedule(levels=(2, 1), iterations=40)
    )

    def __post_init__(self) -> None:
        problems = [
            (self.stage not in STAGES, f"stage must be one of {', '.join(STAGES)}"),
            (self.box not in HEAD_BOXES, f"box must be one of {', '.join(HEAD_BOXES)}"),
            (self.stage == "fine" and not self.coarse_run, "a fine run needs coarse_run, a run folder"),
            (self.fine_spacing <= 0, "fine_spacing must be above zero"),
            (self.steps < 1 or self.steps_an_epoch < 1, "steps and steps_an_epoch must be above zero"),
            (self.steps % self.steps_an_epoch != 0, "steps must be a multiple of steps_an_epoch"),
            (self.batch < 1, "batch must be above zero"),
            (self.mixture.paired + self.mixture.healthy > 1, "paired and healthy together exceed 1"),
        ]
        for wrong, sentence in problems:
            if wrong:
                raise UserError(
                    sentence, where="training configuration", remedy="Correct it in the configuration file."
                )

    @property
    def coarse_spacing(self) -> float:
        """Voxel edge of the coarse grid, mm."""
        return 2.0 * self.fine_spacing

    def as_json(self) -> dict[str, Any]:
        """The whole of it, for ``run.json``."""
        return asdict(self)


def read_settings(path: Path) -> ReconstructionSettings:
    """Settings from a TOML file.

    Raises:
        UserError: not TOML, an unknown key, a value of the wrong kind.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(
            f"not a readable TOML file ({error})", where=str(path), remedy="Give a configuration file."
        ) from error
    return parse_settings(content, str(path))


def parse_settings(content: Mapping[str, Any], where: str) -> ReconstructionSettings:
    """Settings from what a TOML or JSON file holds."""
    return parse_table(ReconstructionSettings, content, where)
