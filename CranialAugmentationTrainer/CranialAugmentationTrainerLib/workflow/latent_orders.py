"""What a picture of a latent space, and a way through one, are made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal, get_args

from CranialAugmentationTrainerLib.cli.embed import METHODS
from CranialAugmentationTrainerLib.cli.interpolate import WAYS
from CranialAugmentationTrainerLib.datasets.named_case import folder_and_name, mask_files, named_case
from CranialAugmentationTrainerLib.scene.latent_plot import LatentPoint
from CranialAugmentationTrainerLib.workflow.chosen_generator import ChosenGenerator, chosen_generator
from CranialReconstructionLib.errors import UserError

Kind = Literal["real", "synthetic"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FEWEST_STEPS = 2


@dataclass(frozen=True)
class Source:
    """A data set whose cases are drawn.

    Attributes:
        kind: real, or synthetic: made by a generator.
        folder: of the data set.
    """

    kind: Kind
    folder: Path


@dataclass(frozen=True)
class EmbeddingOrder:
    """A picture of a latent space by ``cranial embed``.

    Attributes:
        generator: run or package, of a method with an encoder.
        sources: data sets, each told apart from the others.
        method: one of ``METHODS``.
        most: cases of each, evenly chosen.
        seed: of the picture.

    Raises:
        UserError: no such generator, or it has no encoder; no data set, one that is not there, or twice the same;
            another method; no case of each.
    """

    generator: Path
    sources: tuple[Source, ...]
    method: str = METHODS[0]
    most: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        chosen_generator(self.generator).require_encoder()
        if not self.sources:
            raise UserError("there is nothing to draw", where="data sets", remedy="Add the folder of a data set.")
        for source in self.sources:
            if not source.folder.is_dir():
                raise UserError("there is no such folder", where=str(source.folder), remedy="Remove it from the list.")
            if [other.folder for other in self.sources].count(source.folder) > 1:
                raise UserError("it is there twice", where=str(source.folder), remedy="Remove it once from the list.")
        if self.method not in METHODS:
            raise UserError(
                f"method {self.method!r} is unknown", where="method", remedy=f"Known: {', '.join(METHODS)}."
            )
        if self.most < 1 or self.seed < 0:
            raise UserError(
                "it is below its least value", where="most, seed", remedy="Give 1 case or more, a seed >= 0."
            )

    @property
    def stem(self) -> str:
        """A name for its folder."""
        return f"{self.generator.name} {self.method}"

    def words(self, folder: Path) -> list[str]:
        """The command that writes it into ``folder``, without ``cranial``."""
        words = ["embed", str(self.generator.absolute()), "-o", str(folder.absolute())]
        for source in self.sources:
            words += [f"--{source.kind}", str(source.folder.absolute())]
        return [*words, "--method", self.method, "--most", str(self.most), "--seed", str(self.seed)]


@dataclass(frozen=True)
class InterpolationOrder:
    """A way through a latent space by ``cranial interpolate``.

    Attributes:
        generator: run or package.
        first, last: its ends: a seed, or a case as ``datasets.named_case`` takes it.
        steps: both ends among them.
        way: one of ``WAYS``.

    Raises:
        UserError: no such generator; an end that is nothing of this, or a case for a method without an encoder;
            too few steps, another way.
    """

    generator: Path
    first: str
    last: str
    steps: int = 24
    way: str = WAYS[0]

    def __post_init__(self) -> None:
        chosen = chosen_generator(self.generator)
        for name, end in (("A", self.first), ("B", self.last)):
            _check_end(name, end, chosen)
        if self.steps < FEWEST_STEPS:
            raise UserError(f"there is no way of {self.steps} steps", where="steps", remedy="Give 2 or more.")
        if self.way not in WAYS:
            raise UserError(f"way {self.way!r} is unknown", where="way", remedy=f"Known: {', '.join(WAYS)}.")

    @property
    def title(self) -> str:
        """For a person."""
        return f"{self.generator.name}: {title_of(self.first)} to {title_of(self.last)}"

    @property
    def stem(self) -> str:
        """A name for its folder."""
        return f"{self.generator.name} way"

    def words(self, folder: Path) -> list[str]:
        """The command that writes it into ``folder``, without ``cranial``."""
        words = ["interpolate", str(self.generator.absolute()), _absolute(self.first), _absolute(self.last)]
        return [*words, "-o", str(folder.absolute()), "--steps", str(self.steps), "--way", self.way]


def end_at(point: LatentPoint) -> str:
    """The end of a way that a point of a picture stands for.

    Raises:
        UserError: the picture does not tell where its cases lie.
    """
    if point.folder is None:
        raise UserError("it is not known where the case lies", where=point.name, remedy="Draw the latent space again.")
    return f"{point.folder}:{point.name}"


def title_of(end: str) -> str:
    """A short name of an end, for a person."""
    if end.isdecimal():
        return f"seed {end}"
    folder, name = folder_and_name(end)
    if folder is not None:
        return name
    path = mask_files(end)[0]
    return path.name.partition(".")[0]


def new_folder(parent: Path, stem: str) -> Path:
    """The first of ``stem``, ``stem 2``, ``stem 3`` in ``parent`` that is not there yet."""
    names = (stem if number == 1 else f"{stem} {number}" for number in count(1))
    return next(path for path in (parent / name for name in names) if not path.exists())


def read_sources(text: str) -> tuple[Source, ...]:
    """The data sets that a scene has kept; none where its text is nobody's."""
    try:
        return tuple(Source(KINDS[KINDS.index(kind)], Path(folder)) for kind, folder in json.loads(text))
    except (ValueError, TypeError):
        return ()


def write_sources(sources: Sequence[Source]) -> str:
    """Data sets as one line, for a scene."""
    return json.dumps([[source.kind, str(source.folder)] for source in sources])


def _check_end(name: str, end: str, generator: ChosenGenerator) -> None:
    if not end:
        raise UserError(f"{name} is empty", where=name, remedy="Give a seed, a file, or a point of the picture.")
    if end.isdecimal():
        return
    generator.require_encoder()
    named_case(end)


def _absolute(end: str) -> str:
    if end.isdecimal():
        return end
    folder, name = folder_and_name(end)
    if folder is not None:
        return f"{folder.absolute()}:{name}"
    return ",".join(str(path.absolute()) for path in mask_files(end))
