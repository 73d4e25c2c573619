"""Skulls with a hole and the bone that is missing: SkullFix's and SkullBreak's layouts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from CranialReconstructionLib.errors import UserError


@dataclass(frozen=True)
class PairedSkull:
    """One case: the files of a defective skull and of its implant, both masks on one grid.

    Attributes:
        name: the case, unique in its set ("012", or "bilateral/012" in SkullBreak).
        skull: the person; cases that share it must stay on one side of a split.
    """

    name: str
    skull: str
    defective: Path
    implant: Path


def find_paired_skulls(folder: Path) -> list[PairedSkull]:
    """The cases under ``folder``, sorted by name.

    SkullFix keeps ``defective_skull/NNN.nrrd`` and ``implant/NNN.nrrd``; SkullBreak has a folder of
    the defect's kind between the two, and five defects of one skull. A defective skull without its
    implant is an error, since half a data set trains half a network.

    Raises:
        UserError: no such folders, or a case without its implant.
    """
    defective = folder / "defective_skull"
    files = sorted(defective.rglob("*.nrrd"))
    if not files:
        raise UserError(
            "no defective_skull/*.nrrd in the data folder",
            where=str(folder),
            remedy="Give a folder in SkullFix's or SkullBreak's layout: defective_skull/ and implant/.",
        )
    cases = []
    for file in files:
        inner = file.relative_to(defective)
        implant = folder / "implant" / inner
        if not implant.is_file():
            raise UserError("this case has no implant", where=str(file), remedy=f"Add {implant} or remove the case.")
        cases.append(PairedSkull(inner.with_suffix("").as_posix(), file.stem, file, implant))
    return cases
