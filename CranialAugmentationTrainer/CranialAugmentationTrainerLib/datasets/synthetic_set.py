"""A synthetic set on disk: one label volume a case, a line of ``index.jsonl`` for each that was tried.

``set.json`` holds the recipe: all that is needed to make any case again. While a set is being made,
lines stand in ``index.jsonl`` in the order in which cases came out; a volume is whole before its line
is written. A kill leaves at most one torn line and some volumes without a line: the line is dropped,
the volumes are made again, alike. A finished set has its lines in order of number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from CranialAugmentationTrainerLib.datasets.file_headers import checked_case
from CranialAugmentationTrainerLib.datasets.skull_case import BrokenCase, DataSet, SkullCase, data_set
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.whole_file import whole_file

SKULL_LABEL = 1
DEFECT_LABEL = 2
FORMATS = (".nrrd", ".nii.gz")
# The one key of the recipe that two runs of a set may differ in.
ORIGIN = "origin"


@dataclass(frozen=True)
class SetRecord:
    """One line of ``index.jsonl``.

    Attributes:
        number: of the case in its set.
        rejected: why the case was not kept; empty for a case that was.
        file: its label volume, relative to the set; empty for a rejected one.
        skull_ml, defect_ml: volumes, millilitres.
        facts: further ones, of how it was made: seed, digest of the latent, sources.
    """

    number: int
    rejected: str = ""
    file: str = ""
    skull_ml: float = 0.0
    defect_ml: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_line(self) -> str:
        """The record as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"


@dataclass(frozen=True)
class SyntheticSet:
    """The folder of a synthetic set."""

    path: Path

    @property
    def index(self) -> Path:
        """One JSON object a line."""
        return self.path / "index.jsonl"

    @property
    def recipe_file(self) -> Path:
        """How the set is made."""
        return self.path / "set.json"

    def volume(self, number: int, suffix: str = ".nrrd") -> Path:
        """Where the label volume of a case lies."""
        return self.path / "cases" / f"{number:06d}{suffix}"

    def recipe(self) -> dict[str, Any]:
        """What ``begin`` was given.

        Raises:
            UserError: there is no readable ``set.json``.
        """
        try:
            content: dict[str, Any] = json.loads(self.recipe_file.read_text())
        except (OSError, ValueError) as error:
            raise UserError(
                "not a synthetic set: no readable set.json",
                where=str(self.path),
                remedy="Give the folder of a set that `cranial` made.",
            ) from error
        return content

    def begin(self, recipe: Mapping[str, Any], origin: str = "") -> None:
        """Start the set, or go on with one of the same recipe: then what a kill tore is put right.

        Args:
            recipe: all that the cases depend on beside their numbers.
            origin: where what makes them lies, for whoever makes one again; it may move.

        Raises:
            UserError: another set is in the folder, or it cannot be written.
        """
        # As it comes back from its file: tuples have become lists.
        recipe = json.loads(json.dumps({**recipe, ORIGIN: origin} if origin else recipe))
        # A recipe that nothing was made by yet, as of a generator that could not be loaded, binds nobody.
        if self.recipe_file.exists() and any(True for _ in self._lines()):
            former = self.recipe()
            keys = {*recipe, *former} - {ORIGIN}
            differing = sorted(key for key in keys if recipe.get(key) != former.get(key))
            if differing:
                raise UserError(
                    f"another set is in this folder: {', '.join(differing)} differ",
                    where=str(self.path),
                    remedy="Name another folder, or ask for the same set to go on with it.",
                )
            for part in self.path.glob("*/.*.part-*"):
                part.unlink()
            self._write_in_order()
        elif self.index.exists() and not self.recipe_file.exists():
            raise UserError(
                "index.jsonl is there without set.json", where=str(self.path), remedy="Name another folder."
            )
        else:
            with whole_file(self.recipe_file) as part:
                part.write_text(json.dumps(recipe, indent=1) + "\n")

    def append(self, record: SetRecord) -> None:
        """Add a line; the case's volume must be in its place."""
        with self.index.open("a", encoding="utf-8") as file:
            file.write(record.as_line())

    def records(self) -> dict[int, SetRecord]:
        """Cases by number, in order: one for each, whole lines only, whose volumes are there."""
        found = {record.number: record for record in self._lines()}
        return {
            number: found[number]
            for number in sorted(found)
            if found[number].rejected or (self.path / found[number].file).is_file()
        }

    def index_entry(self, number: int) -> SetRecord | None:
        """The line of a case, whether its volume is there or not; None if it has none."""
        return next((record for record in self._lines() if record.number == number), None)

    def finish(self) -> None:
        """Put the lines in order, and leave no volume without one, as a kill may have."""
        listed = {record.file for record in self._write_in_order().values()}
        for path in self.path.glob("cases/*"):
            if path.relative_to(self.path).as_posix() not in listed:
                path.unlink()

    def _write_in_order(self) -> dict[int, SetRecord]:
        """Write the index anew without torn or doubled lines and lines whose volume is gone."""
        records = self.records()
        with whole_file(self.index) as part, part.open("w", encoding="utf-8") as file:
            file.writelines(record.as_line() for record in records.values())
        return records

    def _lines(self) -> Iterator[SetRecord]:
        if not self.index.exists():
            return
        with self.index.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                record = _record(line)
                if record is not None:
                    yield record


def is_synthetic_set(folder: Path) -> bool:
    """Whether the folder has the layout."""
    return (folder / "index.jsonl").is_file()


def read_synthetic_set(folder: Path) -> DataSet:
    """The accepted cases of a set; a line whose volume is missing or damaged is a broken case.

    Where a record names the ``skull`` that a case was made from, the case stands for that person in a
    split; else each case is a person of its own.
    """
    made = SyntheticSet(folder)
    found: dict[int, SkullCase | BrokenCase] = {}
    for record in made._lines():
        if not record.rejected:
            name = f"{record.number:06d}"
            skull = str(record.facts.get("skull", f"{folder.name}/{name}"))
            found[record.number] = checked_case(SkullCase(name, skull, labels=folder / record.file))
    return data_set("synthetic", folder, found.values())


def parse_line(line: bytes) -> dict[str, Any] | None:
    """A line of the index as it stands there, whole or not ended yet; None if it is torn, or something else."""
    try:
        record = SetRecord(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None
    told = isinstance(record.number, int) and isinstance(record.file, str) and isinstance(record.facts, Mapping)
    return dict(vars(record)) if told else None


def _record(line: str) -> SetRecord | None:
    """What stands in a line; None if a kill tore it."""
    if not line.endswith("\n"):
        return None
    try:
        return SetRecord(**json.loads(line))
    except (ValueError, TypeError):
        return None
