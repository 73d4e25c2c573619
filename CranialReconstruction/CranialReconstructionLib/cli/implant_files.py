"""The meshes of an implant as files, each surface read back before anybody gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from CranialReconstructionLib.cli.implant_options import Delivery
from CranialReconstructionLib.errors import UserError

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.checks import Check
    from CranialReconstructionLib.implant.design import Design
    from CranialReconstructionLib.implant.export.about import About
    from CranialReconstructionLib.implant.making import Implant
    from CranialReconstructionLib.implant.mesh import Mesh


def write_meshes(
    folder: Path,
    implants: Sequence[Implant],
    host: Mesh | None,
    design: Design,
    delivery: Delivery,
    stamp: tuple[str, ...],
) -> list[Check]:
    """All meshes in all formats; for each implant, the check of its file read back."""
    from CranialReconstructionLib.implant.export.about import About

    about = About(design.name, design.number, delivery.frame, stamp)
    read_back = []
    for number, implant in enumerate(implants, start=1):
        stem = "implant" if len(implants) == 1 else f"implant-{number}"
        read_back.append(_write_mesh(folder, stem, implant.pieces, about, delivery))
        if implant.mould:
            _write_mesh(folder, f"{stem}-mould-upper", (implant.mould.upper,), about, delivery)
            _write_mesh(folder, f"{stem}-mould-lower", (implant.mould.lower,), about, delivery)
    if host is not None:
        _write_mesh(folder, "host-bone", (host,), replace(about, name=f"{design.name} host bone"), delivery)
    return read_back


def _write_mesh(folder: Path, stem: str, pieces: Sequence[Mesh], about: About, delivery: Delivery) -> Check:
    """One surface in all formats, and the check of the first that can be read back.

    Raises:
        UserError: what was read back is not what was written.
    """
    from CranialReconstructionLib.implant.export.formats import DICOM_SEG, DICOM_STL, DICOM_SUFFIX, write_mesh
    from CranialReconstructionLib.implant.mesh_file import READABLE
    from CranialReconstructionLib.implant.read_back import check_file

    suffixes = [DICOM_SUFFIX if name == DICOM_STL else name for name in delivery.formats if name != DICOM_SEG]
    for suffix in suffixes:
        write_mesh(pieces, folder / f"{stem}.{suffix}", about, delivery.source)
    readable = [suffix for suffix in suffixes if f".{suffix}" in READABLE]
    path = folder / f"{stem}.{readable[0] if readable else 'stl'}"
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
    return check
