"""What a set is made by: a generator, pairs of skulls warped towards one another, or bone cut out of skulls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from CranialAugmentationTrainerLib.cli.augmented_set import GEOMETRIC
from CranialAugmentationTrainerLib.cli.generate import ENDINGS, FORMS, LIMITS, STRATEGIES
from CranialAugmentationTrainerLib.cli.mask_defects import MASKINGS
from CranialAugmentationTrainerLib.cli.register_pairs import ALPHA
from CranialAugmentationTrainerLib.workflow.chosen_generator import chosen_generator
from CranialReconstructionLib.errors import UserError

DEVICES = ("auto", "cpu", "cuda", "mps")
FINEST, COARSEST = 0.5, 16.0
# Where cuts may be asked to lie: a direction from the vault's centre (R, A, S), and how closely they keep to it.
PLACES = {
    "front": (0.0, 1.0, 0.7, 30.0),
    "back": (0.0, -1.0, 0.5, 30.0),
    "top": (0.0, 0.0, 1.0, 30.0),
    "left": (-1.0, 0.0, 0.5, 30.0),
    "right": (1.0, 0.0, 0.5, 30.0),
}


@dataclass(frozen=True)
class SyntheticOrder:
    """A set of ``cranial generate``.

    Attributes:
        source: the generator: a run with a checkpoint, or a package.
        count: cases that pass quality.
        sampling: one of ``STRATEGIES``; form: of "uds", one of ``FORMS``.
        seed: of the latents.
        keep_all: whether quality lets in every case.
        limits: other limits of quality than ``LIMITS``, by name, shares from 0 to 1.
        ending: of the label volumes, one of ``ENDINGS``.
        workers: processes that make cases; batch: cases decoded together.
        device: one of ``DEVICES``.

    Raises:
        UserError: what ``chosen_generator`` raises, or a value out of its range.
    """

    COMMAND: ClassVar = "generate"

    source: Path
    count: int = 200
    sampling: str = "sd"
    form: str = "quantile"
    seed: int = 0
    keep_all: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    ending: str = ".nrrd"
    workers: int = 1
    batch: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        chosen_generator(self.source)
        _refuse_unknown("sampling", self.sampling, STRATEGIES)
        _refuse_unknown("form", self.form, FORMS)
        _refuse_unknown("format", self.ending, ENDINGS)
        _refuse_unknown("device", self.device, DEVICES)
        for name, least in (("count", 1), ("workers", 1), ("batch", 1), ("seed", 0)):
            _refuse_below(name, getattr(self, name), least)
        for name, share in self.limits.items():
            _refuse_unknown("limit", name, tuple(LIMITS))
            if not 0.0 <= share <= 1.0:
                raise UserError(f"{name} is {share:g}", where="quality", remedy="Give a share from 0 to 1.")

    def words(self, folder: Path) -> list[str]:
        """The command that makes it in ``folder``, without ``cranial``."""
        words = [self.COMMAND, str(self.source.absolute()), *_output(self.count, folder)]
        words += ["--sampling", self.sampling, "--form", self.form, "--seed", str(self.seed)]
        if self.keep_all:
            words.append("--keep-all")
        else:
            changed = {name: share for name, share in self.limits.items() if share != LIMITS[name]}
            words += [f"--limit={name}={share:g}" for name, share in changed.items()]
        words += ["--format", self.ending, "--workers", str(self.workers), "--batch", str(self.batch)]
        return [*words, "--device", self.device]


@dataclass(frozen=True)
class Skulls:
    """What skulls are augmented, and how; of registered pairs and masked defects alike.

    Attributes:
        data: folder of a data set.
        count: cases tried.
        seed: of all that is drawn.
        geometric: one of ``GEOMETRIC``, which moves the cases as well; empty leaves them.
        split: a run's ``split.json``, of which only the training skulls are used.
        spacing: voxel edge, mm.
        ending: of the label volumes, one of ``ENDINGS``.
        workers: further processes that make cases.
        cache: where resampled skulls are kept; None keeps them in the set.

    Raises:
        UserError: a folder or file that is not there, or a value out of its range.
    """

    data: Path
    count: int = 200
    seed: int = 0
    geometric: str = ""
    split: Path | None = None
    spacing: float = 2.0
    ending: str = ".nrrd"
    workers: int = 0
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.data == Path():
            raise UserError("no skulls are chosen", where="data", remedy="Choose the folder of a data set.")
        if not self.data.is_dir():
            raise UserError("there is no such folder", where=str(self.data), remedy="Choose the folder of a data set.")
        if self.split is not None and not self.split.is_file():
            raise UserError("there is no such file", where=str(self.split), remedy="Choose a run's split.json.")
        _refuse_unknown("geometric augmentation", self.geometric, ("", *GEOMETRIC))
        _refuse_unknown("format", self.ending, ENDINGS)
        for name, least in (("count", 1), ("workers", 0), ("seed", 0)):
            _refuse_below(name, getattr(self, name), least)
        if not FINEST <= self.spacing <= COARSEST:
            raise UserError(
                f"{self.spacing:g} mm is no voxel edge for a head",
                where="spacing",
                remedy=f"Give {FINEST:g} to {COARSEST:g} mm.",
            )

    def words(self, folder: Path) -> list[str]:
        """Their part of a command."""
        words = ["--data", str(self.data.absolute()), *_output(self.count, folder), "--seed", str(self.seed)]
        words += ["--spacing", f"{self.spacing:g}", "--format", self.ending, "--workers", str(self.workers)]
        if self.geometric:
            words += ["--geometric", self.geometric]
        for option, given in (("split", self.split), ("cache", self.cache)):
            if given is not None:
                words += [f"--{option}", str(given.absolute())]
        return words


@dataclass(frozen=True)
class RegisteredOrder:
    """A set of ``cranial register-pairs``.

    Attributes:
        skulls: that are warped towards one another.
        alpha: smoothness of the warp, W24's 6250 to 100000.
        states: cases a pair.
        keep_pairs: whether what a case was made of is kept, so that ``scene.pair_surfaces`` can show it; such
            cases cannot be moved by geometric augmentation.
        device: one of ``DEVICES`` but "mps"; with workers the processor, which they share better than a GPU.

    Raises:
        UserError: a value out of its range, or two that do not go together.
    """

    COMMAND: ClassVar = "register-pairs"

    skulls: Skulls
    alpha: float = ALPHA
    states: int = 1
    keep_pairs: bool = True
    device: str = "auto"

    def __post_init__(self) -> None:
        _refuse_unknown("device", self.device, DEVICES[:3])
        _refuse_below("states", self.states, 1)
        _refuse_below("alpha", self.alpha, 0)
        if self.keep_pairs and self.skulls.geometric:
            raise UserError(
                "cases that are moved no longer lie where their pairs do",
                where="pairs",
                remedy="Leave out the geometric augmentation, or do not keep the pairs.",
            )
        if self.skulls.workers and self.device == "cuda":
            raise UserError(
                "several processes would share one GPU", where="workers", remedy="Give 0, or choose the processor."
            )

    def words(self, folder: Path) -> list[str]:
        """The command that makes it in ``folder``, without ``cranial``."""
        words = [self.COMMAND, *self.skulls.words(folder), f"--alpha={self.alpha:g}", "--states", str(self.states)]
        if self.keep_pairs:
            words.append("--keep-pairs")
        return [*words, "--device", "cpu" if self.skulls.workers else self.device]


@dataclass(frozen=True)
class MaskedOrder:
    """A set of ``cranial mask-defects``.

    Attributes:
        skulls: that are cut.
        cuts: one of ``MASKINGS``.
        settings: other sizes and places, each ``name=value`` as ``cranial mask-defects --set`` takes them; the
            command tells which there are.

    Raises:
        UserError: a value out of its range, or a setting that sets nothing.
    """

    COMMAND: ClassVar = "mask-defects"

    skulls: Skulls
    cuts: str = "mixed"
    settings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _refuse_unknown("cuts", self.cuts, MASKINGS)
        wrong = next((word for word in self.settings if not word.partition("=")[2]), None)
        if wrong is not None:
            raise UserError(f"{wrong!r} sets nothing", where="cuts", remedy="Write it like radius=[20, 5].")

    def words(self, folder: Path) -> list[str]:
        """The command that makes it in ``folder``, without ``cranial``."""
        changes = [f"--set={setting}" for setting in self.settings]
        return [self.COMMAND, *self.skulls.words(folder), "--cuts", self.cuts, *changes]


def cuts_at(*places: str) -> tuple[str, ...]:
    """The setting by which cuts lie at some of ``PLACES``; none leaves them all over."""
    return (f"places={json.dumps([PLACES[place] for place in places])}",) if places else ()


def cuts_of_size(radius: float, deviation: float) -> tuple[str, ...]:
    """The settings by which all cuts are patches of one radius, mean and standard deviation in mm."""
    return f"radius={json.dumps([radius, deviation])}", "small=0.0", "large=0.0"


SetOrder = SyntheticOrder | RegisteredOrder | MaskedOrder
SET_COMMANDS = tuple(kind.COMMAND for kind in (SyntheticOrder, RegisteredOrder, MaskedOrder))


def _output(count: int, folder: Path) -> list[str]:
    return ["-n", str(count), "-o", str(folder.absolute())]


def _refuse_unknown(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        choices = ", ".join(entry or "none" for entry in known)
        raise UserError(f"there is no {what} {name!r}", where=what, remedy=f"Known: {choices}.")


def _refuse_below(what: str, value: float, least: float) -> None:
    if value < least:
        raise UserError(f"{what} is {value:g}", where=what, remedy=f"Give {least:g} or more.")
