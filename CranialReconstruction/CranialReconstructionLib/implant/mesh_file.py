"""Reading meshes back from STL, PLY and OBJ."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.implant.export.about import Frame, to_frame
from CranialReconstructionLib.implant.export.stl import FACET, HEADER_BYTES
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.ply_file import DamagedMeshError, read_ply

Vertices = npt.NDArray[np.float64]
Triangles = npt.NDArray[np.int64]

READABLE = (".stl", ".ply", ".obj")

# Comments come first; this many bytes hold them.
_HEADER_REACH = 4096
_NUMBER = rb"[-+0-9.eEinfaINFA]+"
_CORNER = re.compile(rb"\bvertex\s+(" + _NUMBER + rb")\s+(" + _NUMBER + rb")\s+(" + _NUMBER + rb")")


def read_mesh(path: Path) -> Mesh:
    """The mesh in an STL (binary or ASCII), PLY or OBJ file.

    STL repeats each vertex in every triangle: equal ones, to the last bit, become one. Faces with more
    corners are cut into fans. Vertices that no face uses are kept. The frame is read from ``SPACE=LPS`` or
    ``SPACE=RAS`` in the header or the comments; a file that says nothing is taken as LPS, as Slicer does.

    Returns:
        Vertices in RAS millimetres, triangles in the file's winding.

    Raises:
        UserError: missing, empty, cut short or damaged file, another format, no triangles, coordinates that
            are not numbers.
    """
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        raise UserError(
            "the mesh format is not known by the file's name",
            where=str(path),
            remedy=f"Use one of {', '.join(READABLE)}.",
        )
    content = _content(path)
    try:
        if suffix == ".stl":
            vertices, triangles = _stl(content)
        elif suffix == ".ply":
            vertices, triangles = read_ply(content)
        else:
            vertices, triangles = _obj(content)
        _check(vertices, triangles)
    except DamagedMeshError as error:
        raise UserError(str(error), where=str(path), remedy="Copy or export the mesh again.") from error
    return Mesh(to_frame(vertices, _frame(content)), triangles)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError("there is no such file", where=str(path), remedy="Check the spelling of the path.") from error
    except OSError as error:
        raise UserError(
            f"it cannot be read ({error.strerror or error})",
            where=str(path),
            remedy="Check the file and the rights on it.",
        ) from error
    if not content:
        raise UserError("the file is empty", where=str(path), remedy="Copy or export it again.")
    return content


def _frame(content: bytes) -> Frame:
    stated = re.search(rb"SPACE\s*=\s*(LPS|RAS)\b", content[:_HEADER_REACH], re.IGNORECASE)
    return "RAS" if stated and stated.group(1).upper() == b"RAS" else "LPS"


def _check(vertices: Vertices, triangles: Triangles) -> None:
    if not len(triangles):
        raise DamagedMeshError("it holds no triangles")
    if not np.isfinite(vertices).all():
        raise DamagedMeshError("some coordinates are not numbers")
    if triangles.min() < 0 or triangles.max() >= len(vertices):
        raise DamagedMeshError("its triangles name vertices that it does not hold: it is cut short or damaged")


def _stl(content: bytes) -> tuple[Vertices, Triangles]:
    start = HEADER_BYTES + 4
    if len(content) >= start:
        count = int.from_bytes(content[HEADER_BYTES:start], "little")
        # Binary files may begin with "solid" against the rules, so the length is asked first.
        if len(content) == start + count * FACET.itemsize:
            return _merged(np.frombuffer(content, FACET, count, start)["corners"].reshape(-1, 3))
    if content[:_HEADER_REACH].lstrip().lower().startswith(b"solid") and b"facet" in content[:_HEADER_REACH]:
        return _ascii_stl(content)
    if len(content) < start:
        raise DamagedMeshError("it is no STL file, or cut short within its header")
    raise DamagedMeshError(f"it is no STL file, or cut short: its header states {count} triangles")


def _ascii_stl(content: bytes) -> tuple[Vertices, Triangles]:
    if not re.search(rb"endsolid[^\n]*\s*$", content[-_HEADER_REACH:], re.IGNORECASE):
        raise DamagedMeshError("it is cut short: the end of the solid is missing")
    found = _CORNER.findall(content.lower())
    if len(found) % 3:
        raise DamagedMeshError("it is damaged: a triangle has not three corners")
    try:
        return _merged(np.array(found, dtype=np.bytes_).astype(np.float64).reshape(-1, 3))
    except ValueError as error:
        raise DamagedMeshError("some coordinates are not numbers") from error


def _merged(corners: npt.NDArray[np.floating]) -> tuple[Vertices, Triangles]:
    """One vertex for all corners (3 T, 3) at the same place."""
    # Sorting by columns takes a tenth of numpy.unique's time on rows.
    order = np.lexsort(corners.T)
    ordered = corners[order]
    first = np.ones(len(ordered), dtype=bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    triangles = np.empty(len(corners), dtype=np.int64)
    triangles[order] = np.cumsum(first) - 1
    return ordered[first].astype(np.float64), triangles.reshape(-1, 3)


def _obj(content: bytes) -> tuple[Vertices, Triangles]:
    vertices: list[list[float]] = []
    triangles: list[tuple[int, int, int]] = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        words = line.split()
        if not words or words[0] not in ("v", "f"):
            continue
        try:
            if words[0] == "v":
                x, y, z = words[1:4]
                vertices.append([float(x), float(y), float(z)])
            else:
                triangles += _fan([_index(word, len(vertices)) for word in words[1:]])
        except ValueError as error:
            raise DamagedMeshError(f"it is no OBJ file, or damaged in line {number}") from error
    return np.array(vertices, dtype=np.float64).reshape(-1, 3), np.array(triangles, dtype=np.int64).reshape(-1, 3)


def _index(word: str, known: int) -> int:
    """A corner's vertex, from 0. The file counts from 1, or back from the last one so far."""
    number = int(word.partition("/")[0])
    return number - 1 if number > 0 else known + number if -known <= number < 0 else -1


def _fan(corners: list[int]) -> list[tuple[int, int, int]]:
    if len(corners) < 3:
        raise ValueError("a face has less than three corners")
    return [(corners[0], one, other) for one, other in pairwise(corners[1:])]
