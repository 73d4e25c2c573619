"""The meshes of an implant as files, each surface read back before anybody gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.checks import Check
from CranialReconstructionLib.implant.delivery.order import Delivery
from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.export.about import About
from CranialReconstructionLib.implant.export.formats import DICOM_SEG, DICOM_STL, DICOM_SUFFIX, write_mesh
from CranialReconstructionLib.implant.making import Implant
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.mesh_file import READABLE
from CranialReconstructionLib.implant.read_back import check_file

HOST_BONE = "host-bone"


def stems_of(implants: Sequence[Implant]) -> list[str]:
    """The names of the implants' files, without their endings."""
    return ["implant"] if len(implants) == 1 else [f"implant-{number}" for number in range(1, len(implants) + 1)]


def write_meshes(
    folder: Path,
    implants: Sequence[Implant],
    host: Mesh | None,
    design: Design,
    delivery: Delivery,
    stamp: tuple[str, ...],
) -> tuple[dict[str, list[str]], list[Check]]:
    """All meshes in all formats.

    Returns:
        The names of the files of each part, by its stem; for each implant, the check of its file read back.
    """
    about = About(design.name, design.number, delivery.frame, stamp)
    names: dict[str, list[str]] = {}

    def written(stem: str, pieces: Sequence[Mesh], about: About = about) -> Check:
        names[stem], check = _write_mesh(folder, stem, pieces, about, delivery)
        return check

    read_back = []
    for stem, implant in zip(stems_of(implants), implants, strict=True):
        read_back.append(written(stem, implant.pieces))
        if implant.mould:
            written(f"{stem}-mould-upper", (implant.mould.upper,))
            written(f"{stem}-mould-lower", (implant.mould.lower,))
    if host is not None:
        written(HOST_BONE, (host,), replace(about, name=f"{design.name} host bone"))
    return names, read_back


def _write_mesh(
    folder: Path, stem: str, pieces: Sequence[Mesh], about: About, delivery: Delivery
) -> tuple[list[str], Check]:
    """One surface in all formats: their names, and the check of the first that can be read back.

    Raises:
        UserError: what was read back is not what was written.
    """
    suffixes = [DICOM_SUFFIX if name == DICOM_STL else name for name in delivery.formats if name != DICOM_SEG]
    names = [f"{stem}.{suffix}" for suffix in suffixes]
    for name in names:
        write_mesh(pieces, folder / name, about, delivery.source)
    readable = [name for name, suffix in zip(names, suffixes, strict=True) if f".{suffix}" in READABLE]
    path = folder / (readable[0] if readable else f"{stem}.stl")
    if not readable:
        # The formats asked for have no reader here: the same triangles are tried as an STL that nobody gets.
        write_mesh(pieces, path, about)
    check = check_file(path, pieces)
    if not readable:
        path.unlink()
    if check.verdict == "fail":
        raise UserError(
            f"read back it is not what was written ({check.value}; {check.limit})",
            where=path.name,
            remedy="Check the disk, and write it again.",
        )
    return names, check
