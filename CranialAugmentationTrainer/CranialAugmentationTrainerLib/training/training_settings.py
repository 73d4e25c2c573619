"""What ``cranial train`` is told: one table for all methods, validated where it enters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from CranialAugmentationTrainerLib.augmentation.geometric_presets import GEOMETRIC_PRESETS
from CranialAugmentationTrainerLib.augmentation.registration_schedule import RegistrationSchedule
from CranialAugmentationTrainerLib.generators.parameters import DiffusionSettings, MethodSettings
from CranialAugmentationTrainerLib.generators.settings import SETTINGS, parse_settings, preset
from CranialAugmentationTrainerLib.training.case_network_settings import CASE_NETWORKS, NAME, CaseNetworkSettings
from CranialAugmentationTrainerLib.training.pace import Pace
from CranialAugmentationTrainerLib.training.tables import parse_table
from CranialReconstructionLib.errors import UserError

METHODS = (*SETTINGS, NAME)
AUGMENTATIONS = ("none", *GEOMETRIC_PRESETS, "masking", "registration")

NetworkSettings = MethodSettings | DiffusionSettings | CaseNetworkSettings


@dataclass(frozen=True)
class OnlineAugmentation:
    """What is done to training cases as they are drawn.

    Attributes:
        names: of ``AUGMENTATIONS``, joined by ``+``; done in the order registration, masking, geometric.
        masked: share of cases whose defect is filled and that get a cut of their own.
        warped: share of cases that are warped towards another skull.
        warps: registered pairs for each case of a data set that is not synthetic.
        registration: how they are registered, on a grid of half the side.
    """

    names: str = "none"
    masked: float = 0.5
    warped: float = 0.5
    warps: int = 3
    registration: RegistrationSchedule = field(
        default_factory=lambda: RegistrationSchedule(levels=(2, 1), iterations=40)
    )

    def __post_init__(self) -> None:
        unknown = [name for name in self.chosen if name not in AUGMENTATIONS]
        geometric = [name for name in self.chosen if name in GEOMETRIC_PRESETS]
        problems = [
            (bool(unknown), f"there is no augmentation {', '.join(map(repr, unknown))}"),
            (len(geometric) > 1, f"{' and '.join(geometric)} are settings of one augmentation"),
            (not 0.0 <= self.masked <= 1.0 or not 0.0 <= self.warped <= 1.0, "masked and warped are shares, 0 to 1"),
            (self.warps < 1, "warps must be above zero"),
        ]
        _refuse(problems, "augmentation", f"Join some of {', '.join(AUGMENTATIONS)} by +.")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names."""
        return tuple(name.strip() for name in self.names.split("+"))

    @property
    def geometric(self) -> str | None:
        """The geometric preset."""
        return next((name for name in self.chosen if name in GEOMETRIC_PRESETS), None)


@dataclass(frozen=True)
class SplitShares:
    """Skulls kept apart from training, where no split is given.

    Attributes:
        seed: of the draw.
        validation, test: shares of the skulls.
        same_person: groups of skulls that are one person.
    """

    seed: int = 0
    validation: float = 0.1
    test: float = 0.15
    same_person: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        wrong = min(self.validation, self.test) < 0 or self.validation + self.test >= 1
        _refuse([(wrong, "validation and test are shares that leave something to train on")], "split", "Lower them.")


@dataclass(frozen=True)
class TrainingSettings:
    """One run.

    Attributes:
        method: a generative method, or ``reconstruction``.
        preset: the name that ``settings`` started from.
        settings: of the network.
        steps: batches in all.
        batch: cases a step and process.
        seed: of weights, order of cases, augmentation and noise.
        report, validate, checkpoint, preview: steps between each.
        previews: cases shown at each.
        kept_previews: steps whose previews stay on disk; older ones are thinned out.
        early_stop: validations without a better figure after which training ends; 0: off.
        watched: that figure; empty: the method's first.
        collapse_stop: validations in a row with a warning after which training ends; 0: never.
        precision, accelerator, devices, strategy: Lightning's words.
        threads: of the processor for each of torch's operations; 0 leaves it to torch.
        workers: processes that make batches.
        autoencoder: run folder of the trained VAE or VQVAE that a latent diffusion model works on.
        augmentation: online.
        split: where none is given.
    """

    method: str
    preset: str
    settings: Any
    steps: int = 2000
    batch: int = 4
    seed: int = 0
    report: int = 10
    validate: int = 100
    checkpoint: int = 100
    preview: int = 200
    previews: int = 4
    kept_previews: int = 16
    early_stop: int = 0
    watched: str = ""
    collapse_stop: int = 20
    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    threads: int = 0
    workers: int = 0
    autoencoder: str = ""
    augmentation: OnlineAugmentation = field(default_factory=OnlineAugmentation)
    split: SplitShares = field(default_factory=SplitShares)

    def __post_init__(self) -> None:
        problems = [
            (self.method not in METHODS, f"there is no method {self.method!r}"),
            (self.batch < 1 or self.devices < 1, "batch and devices must be above zero"),
            (min(self.seed, self.workers, self.threads) < 0, "seed, workers and threads must not be negative"),
            (min(self.early_stop, self.collapse_stop) < 0, "early_stop and collapse_stop must not be negative"),
            (self.previews < 1 or self.kept_previews < 2, "previews and kept_previews must be at least 1 and 2"),
            (
                bool(self.autoencoder) and not isinstance(self.settings, DiffusionSettings),
                "only a latent diffusion model takes an autoencoder",
            ),
        ]
        _refuse(problems, "training configuration", f"Methods: {', '.join(METHODS)}.")
        self.pace.halt(0)

    @property
    def pace(self) -> Pace:
        """When what happens."""
        return Pace(self.steps, self.report, self.validate, self.checkpoint, self.preview)

    @property
    def side(self) -> int:
        """Voxels along each edge of the network's grid."""
        return side_of(self.settings)

    def as_json(self) -> dict[str, Any]:
        """The whole of it, for ``run.json``."""
        return asdict(self)


# What depends on the size of the network; all ours, but K23's batch.
_SIZES: dict[str, dict[str, Any]] = {
    "k23": {"steps": 20000, "batch": 8, "validate": 500, "checkpoint": 500, "preview": 1000},
    "w24": {"steps": 60000, "batch": 2, "validate": 1000, "checkpoint": 500, "preview": 1000},
    "small": {"steps": 3000, "batch": 4},
    "tiny": {"steps": 20, "batch": 2, "report": 5, "validate": 10, "checkpoint": 10, "preview": 10},
}


def training_settings(method: str, preset_name: str, words: Sequence[str] = ()) -> TrainingSettings:
    """The settings of a preset, with overrides.

    Args:
        words: each ``key=value`` or ``table.key=value``; a key that is not one of a run's own is looked
            for in the network's settings.

    Raises:
        UserError: an unknown method, preset or key, a value of the wrong kind.
    """
    if method not in METHODS:
        raise UserError(f"there is no method {method!r}", where="METHOD", remedy=f"Known: {', '.join(METHODS)}.")
    if preset_name not in _SIZES:
        raise UserError(f"there is no preset {preset_name!r}", where="--preset", remedy=f"Known: {', '.join(_SIZES)}.")
    network = CASE_NETWORKS[preset_name] if method == NAME else preset(method, preset_name)
    content = TrainingSettings(method, preset_name, network, **_SIZES[preset_name]).as_json()
    seeded = False
    for word in words:
        key, value = _override(word, content)
        seeded |= key == ("settings", "seed")
        _put(content, key, value)
    if "seed" in content["settings"] and not seeded:
        content["settings"]["seed"] = content["seed"]
    return parse_training(content, "--set")


def parse_training(content: Mapping[str, Any], where: str) -> TrainingSettings:
    """Settings from what ``run.json`` holds.

    Raises:
        UserError: an unknown key, a value of the wrong kind, values that do not go together.
    """
    method = content.get("method")
    if method not in METHODS:
        raise UserError(
            "the run is none of `cranial train`", where=where, remedy=f"Its method must be one of {', '.join(METHODS)}."
        )
    parsed: NetworkSettings
    if method == NAME:
        parsed = parse_table(CaseNetworkSettings, content.get("settings"), f"{where}, settings")
    else:
        parsed = parse_settings(method, content.get("settings", {}), f"{where}, settings")
    return parse_table(TrainingSettings, {**content, "settings": parsed}, where)


def with_autoencoder(settings: TrainingSettings, autoencoder: TrainingSettings, run: str) -> TrainingSettings:
    """A latent diffusion model over the autoencoder of another run, whose settings it takes.

    Raises:
        UserError: that run is of another method than the model below.
    """
    wanted = settings.method.removeprefix("ldm-")
    if autoencoder.method != wanted:
        raise UserError(
            f"{settings.method} works on a {wanted}, not on a {autoencoder.method}",
            where=run,
            remedy=f"Give the run of a {wanted} with a volumetric latent.",
        )
    network = replace(settings.settings, autoencoder=autoencoder.settings, autoencoder_steps=0)
    return replace(settings, settings=network, autoencoder=run)


def side_of(settings: NetworkSettings) -> int:
    """Voxels along each edge of a network's grid."""
    if isinstance(settings, CaseNetworkSettings):
        return settings.side
    if isinstance(settings, MethodSettings):
        return settings.network.side
    # Each of the diffusion models has its autoencoder's.
    below: MethodSettings = settings.autoencoder  # type: ignore[attr-defined]
    return below.network.side


def _override(word: str, content: Mapping[str, Any]) -> tuple[tuple[str, ...], Any]:
    name, equals, text = word.partition("=")
    if not equals:
        raise UserError(f"{word!r} sets nothing", where="--set", remedy="Write it as key=value.")
    key = tuple(name.strip().split("."))
    if key[0] not in content:
        key = ("settings", *key)
    place: Any = content
    for depth, part in enumerate(key):
        if not isinstance(place, Mapping) or (part not in place and not _free(key[:depth])):
            known = sorted(place) if isinstance(place, Mapping) else []
            if key[0] == "settings" and depth == 1:
                known += [entry.name for entry in fields(TrainingSettings)]
            raise UserError(
                f"there is no setting {name!r}",
                where="--set",
                remedy=f"Known here: {', '.join(known)}." if known else f"{'.'.join(key[:depth])} is no table.",
            )
        place = place.get(part)
    return key, _value(text.strip(), place)


def _free(table: tuple[str, ...]) -> bool:
    """Whether any key may stand in a table: the arguments of a network are MONAI's own."""
    return table == ("settings", "arguments")


def _value(text: str, former: Any) -> Any:
    """What ``text`` means in place of ``former``; the kind is checked when all of it is parsed."""
    if isinstance(former, str):
        return text
    if isinstance(former, list | tuple) and not text.startswith("["):
        text = f"[{text}]"
    try:
        return json.loads(text)
    except ValueError:
        return text


def _put(content: dict[str, Any], key: tuple[str, ...], value: Any) -> None:
    for part in key[:-1]:
        content = content[part]
    content[key[-1]] = value


def _refuse(problems: Sequence[tuple[bool, str]], where: str, remedy: str) -> None:
    for wrong, sentence in problems:
        if wrong:
            raise UserError(sentence, where=where, remedy=remedy)
