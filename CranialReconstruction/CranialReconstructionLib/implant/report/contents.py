"""All that a report tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.checks import Check
from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.export.about import Frame
from CranialReconstructionLib.implant.making import Implant


@dataclass(frozen=True, eq=False)
class ReportContents:
    """What was made, from what, with what.

    Attributes:
        implants: with their checks, the largest first; at least one.
        design: that they were made by.
        skull, defect: masks (K, J, I) on one grid.
        frame: of the coordinates in the written files; the report's own are RAS.
        files: written mesh files, name to SHA-256.
        inputs: what went in, with its file name, to SHA-256.
        versions: of the software, name to version.
        warnings: about the input.
        forced: whether it was written although a check failed.
        patient: who it is for, as label to text; empty unless the user asked for it.
    """

    implants: Sequence[Implant]
    design: Design
    skull: Volume
    defect: Volume
    frame: Frame
    files: Mapping[str, str]
    inputs: Mapping[str, str]
    versions: Mapping[str, str]
    warnings: Sequence[str]
    forced: bool
    patient: Mapping[str, str]

    @property
    def checks(self) -> list[Check]:
        """Of all implants."""
        return [check for implant in self.implants for check in implant.checks]

    @property
    def failed(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.verdict == "fail"]
