"""What a mesh file says about itself, and the frame that its coordinates are in."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib import __version__
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.mesh import Mesh

Frame = Literal["LPS", "RAS"]
Pieces = Mesh | Sequence[Mesh]

RESEARCH_USE_ONLY = "Research use only"
CREATOR = "SlicerCranialReconstruction"
HOMEPAGE = "https://github.com/SlicerCranialReconstruction/SlicerCranialReconstruction"


@dataclass(frozen=True)
class About:
    """What goes into a file beside the triangles, as far as the format has room.

    Attributes:
        name: of the design.
        number: of the design's iteration, from 1.
        frame: of the coordinates in the file. LPS is what Slicer writes, and takes where nothing is said.
        comments: further lines.
        version: of the software that made it.
    """

    name: str = "implant"
    number: int = 1
    frame: Frame = "LPS"
    comments: tuple[str, ...] = ()
    version: str = __version__

    def __post_init__(self) -> None:
        if self.frame not in get_args(Frame):
            raise UserError(f"frame {self.frame!r} is unknown", where="export", remedy="Choose LPS or RAS.")

    @property
    def title(self) -> str:
        """Name and number on one line."""
        return f"{_one_line(self.name)} design {self.number}"

    @property
    def creator(self) -> str:
        """Software and version."""
        return f"{CREATOR} {_one_line(self.version)}"

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, a line each. The first is how Slicer writes the frame and finds it again."""
        facts = (f"SPACE={self.frame}", "UNIT=mm", RESEARCH_USE_ONLY, self.title, self.creator)
        return (*facts, *(_one_line(comment) for comment in self.comments))


def ascii_of(text: str) -> str:
    """``text`` for formats that know no other letters: accents go, the rest becomes a question mark."""
    plain = unicodedata.normalize("NFKD", text)
    without_accents = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return without_accents.encode("ascii", "replace").decode("ascii")


def pieces_of(pieces: Pieces) -> list[Mesh]:
    """The pieces as a list; none without triangles, which no reader takes.

    Raises:
        UserError: no piece, or an empty one.
    """
    meshes = [pieces] if isinstance(pieces, Mesh) else list(pieces)
    if not meshes or any(len(mesh.triangles) == 0 for mesh in meshes):
        raise UserError("there is no surface to write", where="export", remedy="Check the design and the defect.")
    return meshes


def joined(pieces: Pieces) -> Mesh:
    """All pieces as one mesh of several shells, for formats that know no objects."""
    meshes = pieces_of(pieces)
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    triangles = [mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(triangles))


def to_frame(ras: npt.NDArray[np.float64], frame: Frame) -> npt.NDArray[np.float64]:
    """Points (..., 3) from RAS to ``frame``, or back: two axes turn, so triangles keep their side."""
    # Adding zero makes of -0 a 0, so that equal points have equal bytes.
    return ras * (np.array([-1.0, -1.0, 1.0]) if frame == "LPS" else 1.0) + 0.0


def names_of(meshes: list[Mesh], about: About) -> list[str]:
    """A name for each piece: the design's, with a count where there are several."""
    if len(meshes) == 1:
        return [about.title]
    return [f"{about.title} piece {count}" for count in range(1, len(meshes) + 1)]


def _one_line(text: str) -> str:
    """``text`` without what would end a comment early, or carry it on into the next line."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.replace("\\", "/").split())
