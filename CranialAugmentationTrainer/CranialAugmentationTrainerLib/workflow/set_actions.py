"""Sets begun, paused, gone on with, and measured beside real skulls: each by ``cranial`` in a process of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialAugmentationTrainerLib.workflow.commands import Command, begin
from CranialAugmentationTrainerLib.workflow.launch import Launch
from CranialAugmentationTrainerLib.workflow.methods import GENERATORS
from CranialAugmentationTrainerLib.workflow.run_watch import WatchedRun
from CranialAugmentationTrainerLib.workflow.set_orders import RegisteredOrder, SetOrder, SyntheticOrder
from CranialAugmentationTrainerLib.workflow.set_watch import set_launch, words_of
from CranialReconstructionLib.errors import UserError

# Options that may change from one start of a set to the next: its cases do not depend on them.
FREE = ("count", "workers", "device", "cache", "json", "keep_pairs")
STATISTICS = "statistics"


def start_set(order: SetOrder, folder: Path, title: str = "Set", python: Path | None = None) -> Command:
    """Begin a set in a process of its own; how far it is follows by a ``SetWatch`` of the folder.

    Args:
        folder: a new one, or one with the beginning of the same set, which then goes on.
        title: for a person.
        python: with torch; this process's own without it.

    Raises:
        UserError: another set is there, it is under way, or it cannot be started.
    """
    return begin(title, folder, words_to_start(order, folder), python)


def words_to_start(order: SetOrder, folder: Path) -> list[str]:
    """The command of a set that may begin in a folder.

    Raises:
        UserError: another set is there.
    """
    words, former = order.words(folder), set_launch(folder)
    if former is not None and (folder / "index.jsonl").is_file():
        new = vars(words_of(Launch(folder, tuple(words), 0, "")))
        old = vars(words_of(former))
        differing = sorted(name.replace("_", " ") for name in {*new, *old} - {*FREE} if new.get(name) != old.get(name))
        if former.words[0] != words[0] or differing:
            about = "its kind differs" if former.words[0] != words[0] else f"{', '.join(differing)} differ"
            raise UserError(
                f"another set is in this folder: {about}",
                where=str(folder),
                remedy="Choose another folder, or go on with the set that is there.",
            )
    return words


def words_to_go_on(folder: Path) -> list[str]:
    """The command that goes on with a set: the one that began it.

    Raises:
        UserError: none is known.
    """
    launch = set_launch(folder)
    if launch is None:
        raise UserError(
            "it was not begun here, so it is not known how it is made",
            where=str(folder),
            remedy="Go on with it where it was begun, by the same command.",
        )
    return list(launch.words)


def go_on_with_set(folder: Path, title: str = "Set", python: Path | None = None) -> Command:
    """Go on with a set that was paused, failed, or was killed.

    Raises:
        UserError: it is under way, it is not known how it is made, or it cannot be started.
    """
    return begin(title, folder, words_to_go_on(folder), python)


def pause_set(folder: Path) -> None:
    """Ask who makes a set to end; what is finished stays."""
    launch = set_launch(folder)
    if launch is not None:
        launch.interrupt()


def trial_of(order: RegisteredOrder, cache: Path) -> RegisteredOrder:
    """The first pair of a set alone, with what it is made of: what its alpha does.

    Args:
        cache: keeps the two heads, so that the next trial of the pair takes no longer than its registration.
    """
    skulls = replace(order.skulls, count=1, workers=0, geometric="", cache=cache)
    return replace(order, skulls=skulls, states=1, keep_pairs=True)


def generating_runs(runs: Iterable[WatchedRun]) -> list[WatchedRun]:
    """Those that a synthetic set can be made from: of a generative method, with a checkpoint."""
    return [run for run in runs if run.method in GENERATORS and RunFolder(run.folder).checkpoint.is_file()]


@dataclass(frozen=True)
class StatisticsOrder:
    """Figures of a set beside those of real skulls, by ``cranial set-statistics``.

    Attributes:
        made: folder of the set.
        reference: folder of the real ones; None measures the set alone.
        split: of the run that learned from them; only its training skulls are the reference.

    Raises:
        UserError: a folder or file that is not there.
    """

    made: Path
    reference: Path | None = None
    split: Path | None = None

    def __post_init__(self) -> None:
        if self.reference is not None and not self.reference.is_dir():
            raise UserError(
                "there is no such folder", where=str(self.reference), remedy="Choose the folder of a data set."
            )
        if self.split is not None and not self.split.is_file():
            raise UserError("there is no such file", where=str(self.split), remedy="Choose a run's split.json.")

    @property
    def folder(self) -> Path:
        """Where it works, in the set."""
        return self.made / STATISTICS

    @property
    def words(self) -> list[str]:
        """The command, without ``cranial``."""
        words = ["set-statistics", str(self.made.absolute())]
        if self.reference is not None:
            words += ["--reference", str(self.reference.absolute())]
            if self.split is not None:
                words += ["--split", str(self.split.absolute())]
        figures, picture = figures_of(self.made), picture_of(self.made)
        return [*words, "--figures", str(figures.absolute()), "--plot", str(picture.absolute())]


def figures_of(made: Path) -> Path:
    """The file of a set's statistics."""
    return made / STATISTICS / "figures.json"


def picture_of(made: Path) -> Path:
    """The picture of a set's statistics."""
    return made / STATISTICS / "figures.png"


def usual_statistics(made: Path) -> StatisticsOrder:
    """A set beside the skulls that it was made from: of a generator, the ones that its run learned from.

    They are left out where they are no longer there, or a package does not tell them.
    """
    launch = set_launch(made)
    options = {} if launch is None else vars(words_of(launch))
    data, split = options.get("data"), options.get("split")
    if launch is not None and launch.words[0] == SyntheticOrder.COMMAND and "generator" in options:
        run = RunFolder(options["generator"])
        try:
            data, split = next(iter(run.data_folders()), None), run.split
        except UserError:
            data = None
    if data is None or not data.is_dir():
        return StatisticsOrder(made)
    return StatisticsOrder(made, data, split if split is not None and split.is_file() else None)
