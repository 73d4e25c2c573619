"""A run that is being set up: what the panel's page holds, as texts that a scene keeps, and the order that it makes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.training.training_settings import AUGMENTATIONS, training_settings
from CranialAugmentationTrainerLib.workflow.launch import Launch
from CranialAugmentationTrainerLib.workflow.local_runs import start_run
from CranialAugmentationTrainerLib.workflow.methods import METHODS
from CranialAugmentationTrainerLib.workflow.parameter_guide import (
    changed_settings,
    check_changes,
    overrides_of,
    settings_of,
)
from CranialAugmentationTrainerLib.workflow.run_order import RunOrder, order_of
from CranialAugmentationTrainerLib.workflow.run_watch import WatchedRun
from CranialReconstructionLib.errors import UserError

# Of online augmentation, the geometric presets, of which a run has one or none.
GEOMETRIC = tuple(name for name in AUGMENTATIONS if name not in ("masking", "registration"))
# Names of folders that every system can have.
_NAME = re.compile(r"[^\\/:*?\"<>|\x00-\x1f]*[^\\/:*?\"<>|\x00-\x1f .]")


@dataclass(frozen=True)
class SetUp:
    """A run before it is begun; it need not be whole yet.

    Attributes:
        method, preset: of ``cranial train``.
        data: folders of data sets.
        augment: names joined by ``+``.
        changes: settings that depart from the preset, as a person writes them; they may be wrong.
        autoencoder: run of the autoencoder below a latent diffusion model; None trains one first.
        parent, name: where the run's folder is made, and what it is called.
        cache: where resampled skulls are kept; None keeps them with the run.
        split: a division by skull; None draws one.
    """

    method: str = "vae"
    preset: str = "small"
    data: tuple[Path, ...] = ()
    augment: str = "none"
    changes: Mapping[str, str] = field(default_factory=dict)
    autoencoder: Path | None = None
    parent: Path | None = None
    name: str = ""
    cache: Path | None = None
    split: Path | None = None

    @property
    def folder(self) -> Path:
        """Of the run.

        Raises:
            UserError: none is chosen, or its name is none that a folder can have.
        """
        if self.parent is None:
            raise UserError("no folder is chosen", where="run folder", remedy="Choose where runs are kept.")
        name = self.name.strip()
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r} cannot be the name of a folder", where="run folder", remedy="Give it another.")
        return self.parent / name

    def order(self) -> RunOrder:
        """What is started, checked as training checks it.

        Raises:
            UserError: a value is wrong, data or autoencoder are missing, or the autoencoder does not fit.
        """
        augment = f"augmentation.names={self.augment}"
        training_settings(self.method, self.preset, (*overrides_of(self.changes), augment))
        wanted = METHODS[self.method].autoencoder
        if self.autoencoder is not None:
            self._check_autoencoder(wanted)
        if self.split is not None and not self.split.is_file():
            raise UserError("there is no such file", where=str(self.split), remedy="Choose a run's split.json.")
        return RunOrder(
            method=self.method,
            data=self.data,
            preset=self.preset,
            overrides=overrides_of(self.changes),
            augment=self.augment,
            split=self.split,
            autoencoder=self.autoencoder,
            cache=self.cache,
        )

    def problems(self) -> dict[str, str]:
        """What is wrong with the settings: setting -> problem; under "" what is wrong with all of them together."""
        found = {}
        for name, text in self.changes.items():
            try:
                check_changes(self.method, self.preset, {name: text})
            except UserError as error:
                found[name] = error.problem
        try:
            check_changes(self.method, self.preset, self.changes)
        except UserError as error:
            return found or {"": error.problem}
        # What is wrong alone may be right with the others, as widths with their groups.
        return {}

    def _check_autoencoder(self, wanted: str) -> None:
        folder = self.autoencoder
        if folder is None or not wanted:
            raise UserError(
                f"{METHODS[self.method].title} takes no autoencoder", where=str(folder), remedy="Leave it out."
            )
        run = RunFolder(folder)
        method = run.read_configuration().get("method")
        if method != wanted:
            raise UserError(
                f"{self.method} works on a {wanted}, not on a {method}",
                where=str(folder),
                remedy=f"Choose the run of a {wanted}.",
            )
        if not run.checkpoint.is_file():
            raise UserError(
                "the run has no checkpoint yet", where=str(folder), remedy="Let it train for a while first."
            )


def begin_set_up(chosen: SetUp, python: Path | None = None) -> Launch:
    """Begin the run.

    Raises:
        UserError: it cannot be begun as it is, or there is a run in its folder.
    """
    order, folder = chosen.order(), chosen.folder
    return start_run(order, folder, python)


def like_run(folder: Path) -> SetUp:
    """A set-up that repeats a run, with a new name beside it and its division by skull.

    Raises:
        UserError: as of ``order_of``.
    """
    order = order_of(folder)
    settings = training_settings(order.method, order.preset, order.overrides)
    return SetUp(
        method=order.method,
        preset=order.preset,
        data=order.data,
        augment=settings.augmentation.names,
        changes=changed_settings(order),
        autoencoder=order.autoencoder,
        parent=folder.parent,
        name=free_name(folder.parent, folder.name),
        split=order.split,
    )


def free_name(parent: Path | None, wanted: str) -> str:
    """``wanted``, or with the lowest number at its end that no folder of ``parent`` has."""
    if parent is None or not (parent / wanted).exists():
        return wanted
    stem, _, number = wanted.rpartition("-")
    stem = stem if stem and number.isdigit() else wanted
    count = 2
    while (parent / f"{stem}-{count}").exists():
        count += 1
    return f"{stem}-{count}"


def fitting_changes(method: str, preset: str, changes: Mapping[str, str], autoencoder: bool = False) -> dict[str, str]:
    """Those of the changes that another method or preset has as well, and that are changes there."""
    usual = {setting.name: setting.default for setting in settings_of(method, preset, autoencoder)}
    return {name: text for name, text in changes.items() if name in usual and text != usual[name]}


def autoencoder_runs(method: str, runs: Iterable[WatchedRun]) -> list[Path]:
    """Runs that a latent diffusion model can be built on: of its autoencoder's method, with a volumetric latent."""
    wanted = METHODS[method].autoencoder
    return [
        run.folder
        for run in runs
        if wanted
        and run.method == wanted
        and run.configuration.get("settings", {}).get("network", {}).get("latent_channels")
        and RunFolder(run.folder).checkpoint.is_file()
    ]


def augment_of(geometric: str, masking: bool, registration: bool) -> str:
    """Online augmentation as ``cranial train`` names it."""
    names = [geometric] if geometric != "none" else []
    names += [name for name, wanted in (("masking", masking), ("registration", registration)) if wanted]
    return "+".join(names) or "none"


def changes_of(text: str) -> dict[str, str]:
    """Changes as a scene keeps them; none where it holds something else."""
    try:
        content = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in content.items()} if isinstance(content, dict) else {}
