"""Every setting of a method and preset, explained: what a person changes before a run, and is told at once if wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from CranialAugmentationTrainerLib.training.training_settings import TrainingSettings, training_settings
from CranialAugmentationTrainerLib.workflow.paper_values import GIVEN
from CranialAugmentationTrainerLib.workflow.run_order import RunOrder
from CranialAugmentationTrainerLib.workflow.setting_texts import TEXTS

OURS = "ours"
AUTOENCODER = "Autoencoder below"
# Settings that a run's order names by itself: they are no row of the guide.
NAMED_ELSEWHERE = ("method", "preset", "autoencoder", "augmentation.names")
_BELOW = "settings.autoencoder."
# The method whose settings the autoencoder below has.
_METHOD_BELOW = {"ldm-vae": "vae", "ldm-vqvae": "vqvae"}
# Of that autoencoder, what is not used: the diffusion model takes its prior's place, and the run's stages count.
_UNUSED = ("settings.prior.", "settings.autoencoder_steps", "settings.seed")
# A table whose keys are MONAI's: it is one setting.
_FREE = "settings.arguments"
_GROUP_OF = {name: group for group, texts in TEXTS.items() for name in texts}
_ORDER = {name: place for place, name in enumerate(_GROUP_OF)}


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: as ``--set`` takes it.
        group: that it is shown in.
        unit: empty for a plain number or a word.
        default: of the preset, as a person writes it.
        source: of the default: a paper, or "ours", with what papers give instead.
        meaning: what changing it does.
    """

    name: str
    group: str
    unit: str
    default: str
    source: str
    meaning: str

    @property
    def title(self) -> str:
        """The name without what its group says already."""
        name = self.name.removeprefix(_BELOW) if self.group == AUTOENCODER else self.name
        return name.removeprefix("settings.").removeprefix(f"{self.group.lower()}.")


def settings_of(method: str, preset: str, autoencoder: bool = False) -> tuple[Setting, ...]:
    """Every setting of a method, by group and in the order of the texts.

    Args:
        autoencoder: a trained one is given, so its settings are its run's.

    Raises:
        UserError: there is no such method or preset.
    """
    found = []
    for name, value in leaves(training_settings(method, preset)):
        below = name.startswith(_BELOW)
        if name in NAMED_ELSEWHERE or (autoencoder and _is_the_autoencoders(name)):
            continue
        key = key_of(name)
        group = AUTOENCODER if below else _GROUP_OF[key]
        unit, meaning = TEXTS[_GROUP_OF[key]][key]
        if below and key.startswith(_UNUSED):
            meaning = "Not used by a diffusion model."
        source = _source(key, _METHOD_BELOW[method] if below else method, value)
        found.append(Setting(name, group, unit, as_text(value), source, meaning))
    groups = list(TEXTS)
    groups.insert(groups.index("Augmentation"), AUTOENCODER)
    return tuple(sorted(found, key=lambda setting: (groups.index(setting.group), _ORDER[key_of(setting.name)])))


def changed_settings(order: RunOrder) -> dict[str, str]:
    """Where an order departs from its preset: setting -> value, as a person writes it.

    Raises:
        UserError: a setting that there is not, or a value that it cannot have.
    """
    usual = dict(leaves(training_settings(order.method, order.preset)))
    changed = leaves(training_settings(order.method, order.preset, order.overrides))
    given = order.autoencoder is not None
    return {
        name: as_text(value)
        for name, value in changed
        if name not in NAMED_ELSEWHERE
        and as_text(value) != as_text(usual[name])
        and not (given and _is_the_autoencoders(name))
    }


def overrides_of(changes: Mapping[str, str]) -> tuple[str, ...]:
    """Changes as the words of ``--set``."""
    return tuple(f"{name}={text}" for name, text in changes.items())


def check_changes(method: str, preset: str, changes: Mapping[str, str]) -> TrainingSettings:
    """The settings with changes, read as training reads them.

    Raises:
        UserError: a setting that there is not, a value that it cannot have, values that do not go together.
    """
    return training_settings(method, preset, overrides_of(changes))


def leaves(settings: TrainingSettings) -> Iterator[tuple[str, Any]]:
    """Every single setting by its dotted name, and its value."""
    return _leaves(settings.as_json(), "")


def as_text(value: Any) -> str:
    """A value as a person writes it, and as ``--set`` reads it."""
    if isinstance(value, str):
        return value
    text = json.dumps(value)
    flat = isinstance(value, list | tuple) and not any(isinstance(entry, list | tuple) for entry in value)
    return text[1:-1] if flat else text


def key_of(name: str) -> str:
    """The name that a setting's text stands under: that of the method itself, for the autoencoder below."""
    return f"settings.{name.removeprefix(_BELOW)}" if name.startswith(_BELOW) else name


def _is_the_autoencoders(name: str) -> bool:
    """Whether a setting means nothing where a trained autoencoder is given."""
    return name.startswith(_BELOW) or name == "settings.autoencoder_steps"


def _leaves(table: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and name != _FREE:
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value


def _source(key: str, method: str, value: Any) -> str:
    given = [entry for entry in GIVEN.get(key, ()) if not entry.methods or method in entry.methods]
    agreeing = [entry.paper for entry in given if as_text(entry.value) == as_text(value)]
    if agreeing:
        return agreeing[0]
    others = ", ".join(f"{entry.paper}: {as_text(entry.value)}" for entry in given)
    return f"{OURS} ({others})" if others else OURS
