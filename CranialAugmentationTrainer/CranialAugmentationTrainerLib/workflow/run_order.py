"""What a run is started with, and how one is made of a run that is there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.cli.train import METHODS, PRESETS
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialReconstructionLib.errors import UserError


@dataclass(frozen=True)
class RunOrder:
    """A run of ``cranial train``.

    Attributes:
        method: one of ``METHODS``.
        data: folders of data sets, mixed.
        preset: one of ``PRESETS``.
        overrides: settings as ``key=value``; of the same key the last counts.
        augment: online augmentation, names joined by ``+``; empty leaves the preset's.
        split: a division by skull; None draws one.
        autoencoder: run of the trained autoencoder of a latent diffusion model.
        cache: where resampled skulls are kept; None keeps them in the run's folder.

    Raises:
        UserError: an unknown method or preset, no data, an override that sets nothing.
    """

    method: str
    data: tuple[Path, ...]
    preset: str = "small"
    overrides: tuple[str, ...] = ()
    augment: str = ""
    split: Path | None = None
    autoencoder: Path | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        for kind, name, known in (("method", self.method, METHODS), ("preset", self.preset, PRESETS)):
            if name not in known:
                raise UserError(f"there is no {kind} {name!r}", where=kind, remedy=f"Known: {', '.join(known)}.")
        if not self.data:
            raise UserError("no data set is given", where="data", remedy="Choose the folder of one.")
        missing = next((folder for folder in self.data if not folder.is_dir()), None)
        if missing is not None:
            raise UserError("there is no such folder", where=str(missing), remedy="Choose the folder of a data set.")
        wrong = next((word for word in self.overrides if not word.partition("=")[1]), None)
        if wrong is not None:
            raise UserError(f"{wrong!r} sets nothing", where="settings", remedy="Write it as key=value.")

    def words(self, folder: Path) -> list[str]:
        """The command that starts it in ``folder``, without ``cranial``."""
        words = ["train", self.method, "--preset", self.preset, "--run", str(folder.absolute())]
        for path in self.data:
            words += ["--data", str(path.absolute())]
        for override in self.overrides:
            # One word, as a value may begin with a minus.
            words.append(f"--set={override}")
        if self.augment:
            words.append(f"--augment={self.augment}")
        for option, given in (("split", self.split), ("autoencoder", self.autoencoder), ("cache", self.cache)):
            if given is not None:
                words += [f"--{option}", str(given.absolute())]
        return words


def order_of(folder: Path) -> RunOrder:
    """The order that starts a run like that in ``folder``: its settings, data and division by skull.

    Every setting is named, so that the order means the same whatever becomes of the presets.

    Raises:
        UserError: it is no run of ``cranial train``, or its data are no longer there.
    """
    run = RunFolder(folder)
    configuration = run.read_configuration()
    if configuration.get("method") not in METHODS:
        raise UserError(
            "it was not begun by `cranial train`",
            where=str(folder),
            remedy="Start it anew from its configuration file.",
        )
    named = {key: value for key, value in configuration.items() if key not in ("method", "preset", "autoencoder")}
    autoencoder = str(configuration.get("autoencoder") or "")
    return RunOrder(
        method=configuration["method"],
        data=tuple(run.data_folders()),
        preset=str(configuration.get("preset", "small")),
        overrides=tuple(_words(named)),
        split=run.split if run.split.is_file() else None,
        autoencoder=Path(autoencoder) if autoencoder else None,
    )


def _words(table: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in table.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _words(value, f"{name}.")
        else:
            yield f"{name}={value if isinstance(value, str) else json.dumps(value)}"
