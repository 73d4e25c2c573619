"""What ITK does not tell about a damaged MetaImage file.

ITK reads a compressed MetaImage whose stream is broken without a word, and explains a short one by
"No such file or directory". This check comes before it.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path

from CranialReconstructionLib.errors import UserError

_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}
_LONGEST_HEADER = 1 << 16
_CHUNK = 1 << 20


def check_metaimage(path: Path) -> None:
    """Refuse a ``.mha`` or ``.mhd`` whose voxels are missing, cut short or damaged.

    Raises:
        UserError: not a MetaImage, a spacing or a size that is zero, negative or not a number, no data
            file, fewer voxels than the header promises, or a compressed stream that does not end well.
    """
    with path.open("rb") as file:
        start = file.read(_LONGEST_HEADER)
    header, header_length = _header(start)
    if not {"DimSize", "ElementType", "ElementDataFile"} <= header.keys():
        raise UserError("it is not a MetaImage file", where=str(path), remedy="Check the file, or export it again.")
    spacing = header.get("ElementSpacing") or header.get("ElementSize")
    if spacing is not None and not all(_is_positive(word) for word in spacing.split()):
        raise UserError(
            f"the voxel spacing is {spacing}",
            where=str(path),
            remedy="Export the image again with its true voxel spacing in millimetres.",
        )
    expected = _expected_bytes(header, path)
    source, offset = path, header_length
    if header["ElementDataFile"] != "LOCAL":
        if header["ElementDataFile"] == "LIST" or "%" in header["ElementDataFile"]:
            return  # One file a slice: ITK opens each and says which is missing.
        source, offset = path.parent / header["ElementDataFile"], 0
        if not source.is_file():
            raise UserError(
                f"its data file {source.name} is missing",
                where=str(path),
                remedy="Keep the header and the data file together in one folder.",
            )
    if header.get("CompressedData", "False").lower() == "true":
        _check_stream(source, offset, expected)
    elif source.stat().st_size - offset < expected:
        raise _cut_short(source)


def _header(start: bytes) -> tuple[dict[str, str], int]:
    """The fields of the text header, up to ``ElementDataFile`` which ends it, and its length in bytes."""
    fields: dict[str, str] = {}
    length = 0
    for line in start.splitlines(keepends=True):
        length += len(line)
        name, equals, value = line.decode("latin-1").partition("=")
        if not equals:
            break
        fields[name.strip()] = value.strip()
        if name.strip() == "ElementDataFile":
            break
    return fields, length


def _is_positive(word: str) -> bool:
    try:
        return float(word) > 0.0
    except ValueError:
        return False


def _expected_bytes(header: dict[str, str], path: Path) -> int:
    """Bytes of voxels that the header promises; 0 for an element type that ITK will refuse itself."""
    element = header["ElementType"].removeprefix("MET_").removesuffix("_ARRAY").replace("UCHAR", "CHAR")
    size = _BYTES.get(element, _BYTES.get(element.removeprefix("U"), 0))
    counts = [*header["DimSize"].split(), header.get("ElementNumberOfChannels", "1")]
    if not all(word.isdecimal() and int(word) > 0 for word in counts):
        raise UserError(
            f"its header gives the image a size of {header['DimSize']} voxels, {counts[-1]} values each",
            where=str(path),
            remedy="Copy or export it again.",
        )
    return math.prod(map(int, counts)) * size


def _check_stream(source: Path, offset: int, expected: int) -> None:
    """Decompress once without keeping anything: the stream carries its own checksum."""
    stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
    length = 0
    try:
        with source.open("rb") as file:
            file.seek(offset)
            while not stream.eof and (chunk := file.read(_CHUNK)):
                length += len(stream.decompress(chunk))
    except zlib.error as error:
        raise UserError(
            f"its compressed voxels are damaged ({error})",
            where=str(source),
            remedy="Copy or export it again.",
        ) from error
    if not stream.eof or length < expected:
        raise _cut_short(source)


def _cut_short(source: Path) -> UserError:
    return UserError(
        "the file is cut short: it holds fewer voxels than its header says",
        where=str(source),
        remedy="Copy or export it again.",
    )
