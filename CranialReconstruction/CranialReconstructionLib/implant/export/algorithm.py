"""What found the missing bone, as DICOM asks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Algorithm:
    """What found the missing bone (DICOM PS3.3 C.8.20.2, Segment Algorithm Type).

    Attributes:
        kind: ``AUTOMATIC``; ``SEMIAUTOMATIC`` where somebody changed what it found; ``MANUAL`` where nothing but the
            mask is known, and whoever gave it answers for it.
        name, version: of the model, or of the method.
        learned: a network, and not mirroring.
    """

    kind: Literal["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"] = "MANUAL"
    name: str = ""
    version: str = ""
    learned: bool = False
