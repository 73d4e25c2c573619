"""What ``cranial check-data`` found in folders of skulls, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CranialReconstructionLib.errors import UserError

NAME = "check-data"


@dataclass(frozen=True)
class DataFolder:
    """What one folder holds; figures as of ``datasets.data_check.FolderCheck``.

    Attributes:
        spacing, shape: smallest and largest along (I, J, K), mm and voxels; empty without a case.
    """

    folder: Path
    layout: str
    cases: int
    pairs: int
    whole: int
    open: int
    persons: int
    kinds: Mapping[str, int]
    axes: Mapping[str, int]
    spacing: tuple[tuple[float, ...], ...]
    shape: tuple[tuple[float, ...], ...]
    oddities: tuple[str, ...]

    @property
    def summary(self) -> str:
        """A sentence or two."""
        if not self.cases:
            return f"{self.folder.name}: no case that can be used."
        parts = [f"{_count(self.pairs, 'pair')} of skull and missing bone"] if self.pairs else []
        parts += [_count(self.whole, "whole skull")] if self.whole else []
        parts += [f"{_count(self.open, 'skull')} whose missing bone is not known"] if self.open else []
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.kinds.items())
        text = f"{self.folder.name} ({self.layout}): {', '.join(parts)}; {_count(self.persons, 'person')}"
        text += f"; {kinds}." if kinds else "."
        if self.spacing:
            text += f" Voxels of {_range(self.spacing)} mm, volumes of {_range(self.shape)}."
        return " ".join([text, *(f"{oddity[0].upper()}{oddity[1:]}." for oddity in self.oddities)])


@dataclass(frozen=True)
class Unusable:
    """A case that cannot be used."""

    name: str
    path: Path
    reason: str


@dataclass(frozen=True)
class DataCheck:
    """All of it.

    Attributes:
        folders: in the order in which they were named.
        broken: cases that cannot be used, of all folders; those too whose damage showed when they were drawn.
        shared_names: skulls of one name in several folders, each of which a split takes for one person.
        picture: of nine cases; None without a case.
    """

    folders: tuple[DataFolder, ...]
    broken: tuple[Unusable, ...]
    shared_names: tuple[str, ...]
    picture: Path | None

    @property
    def cases(self) -> int:
        """Cases that can be read."""
        return sum(folder.cases for folder in self.folders)

    @property
    def pairs(self) -> int:
        """Cases that every method can learn from."""
        return sum(folder.pairs for folder in self.folders)

    @property
    def summary(self) -> str:
        """What was found, a line a folder, and what it means for a run."""
        lines = [folder.summary for folder in self.folders]
        if self.broken:
            lines.append(f"{_count(len(self.broken), 'case')} cannot be used and will be left out.")
        if self.shared_names:
            shown = ", ".join(self.shared_names[:3]) + (" ..." if len(self.shared_names) > 3 else "")
            lines.append(f"Several folders have skulls called {shown}; a split takes each name for one person.")
        if not self.pairs and any(folder.whole for folder in self.folders):
            lines.append("Nothing is missing from these skulls: a run needs the augmentation masking.")
        elif not self.pairs:
            lines.append("There is nothing here that a run can learn from.")
        return "\n".join(lines)


def check_words(folders: Sequence[Path], output: Path) -> list[str]:
    """The command that looks through folders and writes into ``output``, without ``cranial``.

    Raises:
        UserError: no folder is given, or one is not there.
    """
    if not folders:
        raise UserError("no data set is given", where="data", remedy="Add the folder of one.")
    missing = next((folder for folder in folders if not folder.is_dir()), None)
    if missing is not None:
        raise UserError("there is no such folder", where=str(missing), remedy="Choose the folder of a data set.")
    return [NAME, *(str(folder.absolute()) for folder in folders), "-o", str(output.absolute())]


def read_data_check(output: Path) -> DataCheck:
    """What the command wrote.

    Raises:
        UserError: it has written nothing that can be read.
    """
    path = output / "data.json"
    try:
        content = json.loads(path.read_text())
        broken = [case for folder in content["folders"] for case in folder["broken"]] + content["damaged"]
        return DataCheck(
            folders=tuple(_folder(folder) for folder in content["folders"]),
            broken=tuple(Unusable(case["name"], Path(case["path"]), case["reason"]) for case in broken),
            shared_names=tuple(content["shared_names"]),
            picture=output / content["picture"] if content["picture"] else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError("no readable data.json", where=str(path), remedy="Check the data again.") from error


def _folder(content: Mapping[str, Any]) -> DataFolder:
    grids = content["grids"] or {"spacing": (), "shape": ()}
    return DataFolder(
        folder=Path(content["folder"]),
        layout=content["layout"],
        **{name: int(content[name]) for name in ("cases", "pairs", "whole", "open", "persons")},
        kinds=content["kinds"],
        axes=content["axes"],
        spacing=tuple(map(tuple, grids["spacing"])),
        shape=tuple(map(tuple, grids["shape"])),
        oddities=tuple(content["oddities"]),
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _range(ends: Sequence[Sequence[float]]) -> str:
    low, high = (" × ".join(f"{value:.4g}" for value in end) for end in ends)
    return low if low == high else f"{low} to {high}"
