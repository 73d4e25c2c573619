"""Reading PLY: ASCII or binary of either byte order, faces of any number of corners."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_KINDS = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}
_END_OF_HEADER = re.compile(rb"^end_header[ \t]*(?:\r\n|\n|\r)", re.MULTILINE)
_FACE_LISTS = ("vertex_indices", "vertex_index")


class DamagedMeshError(ValueError):
    """What is wrong with the file, a clause without a full stop."""


@dataclass(frozen=True)
class _Property:
    """A column; ``count_kind`` is the number type of the lengths where it is a column of lists."""

    name: str
    kind: str
    count_kind: str | None = None


@dataclass(frozen=True)
class _Element:
    """A table."""

    name: str
    count: int
    properties: tuple[_Property, ...]


_Columns = dict[str, npt.NDArray[np.generic] | list[npt.NDArray[np.generic]]]


def read_ply(content: bytes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Vertices (V, 3) as they stand in the file and triangles (T, 3); polygons are cut into fans.

    Raises:
        DamagedMeshError: no PLY, cut short, or without vertices or faces.
    """
    tables = _tables(content)
    return _vertices(tables), _triangles(tables)


def vertex_values(content: bytes) -> dict[str, npt.NDArray[np.float64]]:
    """What the file says of its vertices beside their places: (V,) by name.

    Raises:
        DamagedMeshError: no PLY, or cut short.
    """
    columns = _tables(content).get("vertex", {})
    return {
        name: column.astype(np.float64)
        for name, column in columns.items()
        if name not in ("x", "y", "z") and isinstance(column, np.ndarray) and column.ndim == 1
    }


def _tables(content: bytes) -> dict[str, _Columns]:
    end = _END_OF_HEADER.search(content)
    if not content.startswith(b"ply") or not end:
        raise DamagedMeshError("it is no PLY file, or cut short within its header")
    order, elements = _header(content[: end.start()].decode("latin-1").splitlines())
    body = content[end.end() :]
    if order == "=":
        # As numbers of one kind, text is read like the binary format.
        body = _numbers(body)
        elements = [_of_doubles(element) for element in elements]
    tables: dict[str, _Columns] = {}
    place = 0
    for element in elements:
        tables[element.name], place = _table(element, body, place, order)
    return tables


def _header(lines: list[str]) -> tuple[str, list[_Element]]:
    order, elements = "", []
    for words in (line.split() for line in lines[1:]):
        match words:
            case ["format", name, *_] if name in _ORDERS:
                order = _ORDERS[name]
            case ["element", name, count] if count.isdigit():
                elements.append(_Element(name, int(count), ()))
            case ["property", "list", count_kind, kind, name] if {count_kind, kind} <= set(_KINDS) and elements:
                elements[-1] = _with(elements[-1], _Property(name, _KINDS[kind], _KINDS[count_kind]))
            case ["property", kind, name] if kind in _KINDS and elements:
                elements[-1] = _with(elements[-1], _Property(name, _KINDS[kind]))
            case ["comment" | "obj_info", *_] | []:
                continue
            case _:
                raise DamagedMeshError(f"its header is damaged at {' '.join(words)!r}")
    if not order:
        raise DamagedMeshError("its header states no format")
    return order, elements


def _with(element: _Element, column: _Property) -> _Element:
    return _Element(element.name, element.count, (*element.properties, column))


def _numbers(text: bytes) -> bytes:
    try:
        return np.array(text.split(), dtype=np.bytes_).astype(np.float64).tobytes()
    except ValueError as error:
        raise DamagedMeshError("it holds something that is no number") from error


def _of_doubles(element: _Element) -> _Element:
    columns = (_Property(one.name, "f8", one.count_kind and "f8") for one in element.properties)
    return _Element(element.name, element.count, tuple(columns))


def _table(element: _Element, body: bytes, place: int, order: str) -> tuple[_Columns, int]:
    """The columns of an element from ``place`` on, and the place behind it."""
    fields: list[tuple[str, str] | tuple[str, str, int]] = []
    for column in element.properties:
        if column.count_kind:
            fields += [(f"{column.name} count", order + column.count_kind), (column.name, order + column.kind, 3)]
        else:
            fields.append((column.name, order + column.kind))
    row = np.dtype(fields)
    counts = [f"{column.name} count" for column in element.properties if column.count_kind]
    behind = place + element.count * row.itemsize
    if behind <= len(body):
        rows = np.frombuffer(body, row, element.count, place)
        if all((rows[name] == 3).all() for name in counts):
            return {column.name: rows[column.name] for column in element.properties}, behind
    if not counts:
        raise DamagedMeshError("it is cut short")
    return _table_of_lists(element, body, place, order)


def _table_of_lists(element: _Element, body: bytes, place: int, order: str) -> tuple[_Columns, int]:
    """The same, row by row, for lists of any length."""
    found: dict[str, list[npt.NDArray[np.generic]]] = {column.name: [] for column in element.properties}
    for _ in range(element.count):
        for column in element.properties:
            length = 1
            if column.count_kind:
                stated, place = _values(body, order + column.count_kind, 1, place)
                length = int(stated[0])
            values, place = _values(body, order + column.kind, length, place)
            found[column.name].append(values)
    return dict(found), place


def _values(body: bytes, kind: str, count: int, place: int) -> tuple[npt.NDArray[np.float64], int]:
    behind = place + count * np.dtype(kind).itemsize
    if count < 0 or behind > len(body):
        raise DamagedMeshError("it is cut short or damaged")
    return np.frombuffer(body, kind, count, place).astype(np.float64), behind


def _vertices(tables: dict[str, _Columns]) -> npt.NDArray[np.float64]:
    vertex = tables.get("vertex", {})
    if not {"x", "y", "z"} <= set(vertex):
        raise DamagedMeshError("it holds no vertices")
    return np.stack([np.asarray(vertex[axis], dtype=np.float64).reshape(-1) for axis in "xyz"], axis=1)


def _triangles(tables: dict[str, _Columns]) -> npt.NDArray[np.int64]:
    face = tables.get("face", {})
    corners = next((face[name] for name in _FACE_LISTS if name in face), None)
    if corners is None:
        raise DamagedMeshError("it holds no faces")
    if isinstance(corners, np.ndarray):
        return corners.astype(np.int64).reshape(-1, 3)
    fans = [
        np.stack([np.full(len(polygon) - 2, polygon[0]), polygon[1:-1], polygon[2:]], axis=1)
        for polygon in corners
        if len(polygon) >= 3
    ]
    return np.concatenate(fans).astype(np.int64) if fans else np.zeros((0, 3), dtype=np.int64)
