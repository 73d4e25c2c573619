"""What every data set is read as: cases with the paths of their files, and the cases that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from CranialReconstructionLib.errors import UserError


@dataclass(frozen=True)
class SkullCase:
    """One case of any data set. At least one of the four masks is there.

    Attributes:
        name: unique in its set ("bilateral/012", "A0001").
        skull: the person; cases that share it must stay on one side of a split.
        complete: mask of a whole skull.
        defective: mask of a skull with a hole.
        implant: mask of the bone that is missing from ``defective``, on its grid.
        labels: label volume, 1 the skull and 2 the missing bone.
        implant_surface: the implant that was made for ``defective``, as a mesh.
    """

    name: str
    skull: str
    complete: Path | None = None
    defective: Path | None = None
    implant: Path | None = None
    labels: Path | None = None
    implant_surface: Path | None = None

    def __post_init__(self) -> None:
        if not self.masks:
            raise ValueError(f"case {self.name} has no mask")

    @property
    def masks(self) -> tuple[Path, ...]:
        """Its volumes."""
        return tuple(path for path in (self.complete, self.defective, self.implant, self.labels) if path is not None)

    @property
    def paired(self) -> bool:
        """Whether skull and missing bone are both known, so that a network can be taught or measured."""
        return self.labels is not None or (self.defective is not None and self.implant is not None)


@dataclass(frozen=True)
class BrokenCase:
    """A case that cannot be used, and why."""

    name: str
    path: Path
    reason: str


@dataclass(frozen=True)
class DataSet:
    """What a folder holds.

    Attributes:
        kind: the layout it was read as.
        cases: sorted by name.
        broken: what was left out; never hidden, never fatal.
    """

    kind: str
    folder: Path
    cases: tuple[SkullCase, ...]
    broken: tuple[BrokenCase, ...] = ()

    @property
    def skulls(self) -> tuple[str, ...]:
        """The persons, for ``split_by_skull``."""
        return tuple(sorted({case.skull for case in self.cases}))

    def usable(self) -> DataSet:
        """The same set.

        Raises:
            UserError: no case can be used; the first reasons are told.
        """
        if self.cases:
            return self
        reasons = "; ".join(f"{case.name}: {case.reason}" for case in self.broken[:3])
        raise UserError(
            f"no case can be used ({reasons})" if reasons else "it holds no case",
            where=str(self.folder),
            remedy="Give a folder in the layout of a data set that is known, or of masks.",
        )


def data_set(kind: str, folder: Path, found: Iterable[SkullCase | BrokenCase]) -> DataSet:
    """Sort what a reader found into usable and broken cases."""
    entries = sorted(found, key=lambda entry: entry.name)
    return DataSet(
        kind,
        folder,
        tuple(entry for entry in entries if isinstance(entry, SkullCase)),
        tuple(entry for entry in entries if isinstance(entry, BrokenCase)),
    )
