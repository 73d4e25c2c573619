"""Volumes from files and to files."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import SimpleITK as sitk

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.file_checks import (
    bad_spacing,
    check_content,
    check_dimensions,
    checked,
    complex_values,
    several_values,
)
from CranialReconstructionLib.imaging.metaimage import check_metaimage
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.imaging.whole_file import whole_file

READABLE = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")
WRITABLE = (".nrrd", ".nii", ".nii.gz")

# Level 2 takes the time of level 1 on masks and gives half the file.
_COMPRESSION_LEVEL = 2
_CHUNK = 1 << 20
_TO_WORDS = str.maketrans("(),", "   ")

_log = logging.getLogger(__name__)


def read_volume(path: Path) -> Volume:
    """The volume in a file, or in a folder of DICOM slices.

    Reads NRRD (attached ``.nrrd`` or detached ``.nhdr``), NIfTI (``.nii``, ``.nii.gz``), MetaImage
    (``.mha``, ``.mhd``) and a folder with a CT series. Integers stay integers, 64-bit values that fit
    are held in fewer bits. A fourth dimension of one point is dropped. What a DICOM folder needs said
    (tilt, gaps, thickness, series left out) goes to the log as warnings.

    Args:
        path: the file or the folder.

    Returns:
        Voxels (K, J, I) with their affine to RAS millimetres, named after ``path``.

    Raises:
        UserError: missing, empty, damaged or foreign file; 2-D, 4-D or several values a voxel; values
            that are not numbers; a spacing or an extent that no head has (``file_checks``).
    """
    path = Path(path)
    try:
        return _read_folder(path) if path.is_dir() else checked(_read_file(path))
    except OSError as error:
        raise UserError(
            f"it cannot be read ({error.strerror or error})",
            where=str(path),
            remedy="Check the file and the rights on it.",
        ) from error


def write_volume(volume: Volume, path: Path) -> None:
    """Write ``volume`` to ``.nrrd``, ``.nii`` or ``.nii.gz``, compressed where the format can be.

    The file is written beside ``path`` under another name and renamed when it is whole, so that an
    interrupted run leaves either the former file or none. Folders on the way are made. A sheared grid
    goes to NIfTI only.

    Raises:
        UserError: another format, no space, no right to write, or a grid that the format cannot hold.
    """
    path = Path(path)
    suffix = check_writable(path)
    with whole_file(path) as part:
        if suffix == ".nrrd":
            _write_nrrd(volume, part)
        else:
            from CranialReconstructionLib.imaging.nifti import write_nifti

            write_nifti(volume, part)


def check_writable(path: Path) -> str:
    """The ending of a file that ``write_volume`` can write; called before the work, it saves a wait.

    Raises:
        UserError: another format.
    """
    return _suffix(path, WRITABLE)


def _read_folder(path: Path) -> Volume:
    # pydicom, and nibabel below, take a third of a second to import, and most runs read NRRD.
    from CranialReconstructionLib.imaging.dicom import read_dicom_series

    series = read_dicom_series(path)
    for warning in series.warnings:
        _log.warning("%s: %s", path, warning)
    return series.volume


def _read_file(path: Path) -> Volume:
    check_content(path)
    suffix = _suffix(path, READABLE)
    if suffix in (".nii", ".nii.gz"):
        from CranialReconstructionLib.imaging.nifti import read_nifti

        return read_nifti(path, compressed=suffix == ".nii.gz")
    if suffix in (".nrrd", ".nhdr"):
        _check_nrrd_header(path)
        return _read_itk(path, "NrrdImageIO")
    check_metaimage(path)
    return _read_itk(path, "MetaImageIO")


def _suffix(path: Path, known: tuple[str, ...]) -> str:
    name = path.name.lower()
    # The longest first: .nii.gz.
    for suffix in sorted(known, key=len, reverse=True):
        if name.endswith(suffix):
            return suffix
    raise UserError(
        "the file format is not known by its name",
        where=str(path),
        remedy=f"Use one of {', '.join(known)}" + (", or a DICOM folder." if known is READABLE else "."),
    )


def _check_nrrd_header(path: Path) -> None:
    """Refuse a spacing that is no length: ITK would take 1 mm for it without a word."""
    with path.open("rb") as file:
        if file.read(4) != b"NRRD":
            raise UserError("it is not an NRRD file", where=str(path), remedy="Check the file, or export it again.")
        fields: dict[str, str] = {}
        while (line := file.readline(_CHUNK).decode("latin-1").strip()) != "":
            name, _, value = line.partition(": ")
            fields[name] = value
    if "spacings" in fields:
        stated = fields["spacings"].split()[:3]
        if any(not length > 0.0 for length in _numbers(stated)):
            raise bad_spacing(path, " x ".join(stated))
    elif "space directions" in fields:
        directions = fields["space directions"]
        if not all(map(math.isfinite, _numbers(directions.translate(_TO_WORDS).split()))):
            raise bad_spacing(path, f"not a number in {directions}")
    else:
        _log.warning("%s: the file states no voxel spacing; 1 mm was taken", path)


def _numbers(words: list[str]) -> Iterator[float]:
    """The words that are numbers, NaN and infinity among them; an axis may say "none" instead."""
    for word in words:
        with suppress(ValueError):
            yield float(word)


@contextmanager
def _quiet_itk() -> Iterator[None]:
    """ITK's warnings are about headers, in its own terms; its errors come as exceptions all the same."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _read_itk(path: Path, reader: str) -> Volume:
    try:
        with _quiet_itk():
            image = sitk.ReadImage(str(path), imageIO=reader)
    except RuntimeError as error:
        raise _translated(error, path) from error
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise several_values(path, image.GetNumberOfComponentsPerPixel())
    if "complex" in image.GetPixelIDTypeAsString():
        raise complex_values(path)
    check_dimensions(image.GetSize(), path)
    while image.GetDimension() > 3:
        image = image[(slice(None),) * (image.GetDimension() - 1) + (0,)]
    return Volume.from_itk(image, str(path))


def _translated(error: RuntimeError, path: Path) -> UserError:
    """The part of an ITK message that helps, without its source lines and addresses."""
    text = str(error).strip()
    reason = text.splitlines()[-1].rpartition("] ")[2].strip()
    if "spacing is not supported" in text or "space" in reason or "spacing" in reason:
        return bad_spacing(path, "zero or not a number")
    if "couldn't open" in reason:
        return UserError(
            "its data file is missing",
            where=str(path),
            remedy="Keep the header and the data file together in one folder.",
        )
    if "expected" in reason or "data read error" in reason:
        return UserError(
            f"the file is cut short or damaged ({reason})", where=str(path), remedy="Copy or export it again."
        )
    if "allocate" in reason:
        return UserError(
            "its header asks for more memory than there is",
            where=str(path),
            remedy="Check the header, or use a machine with more memory.",
        )
    return UserError(f"it cannot be read ({reason})", where=str(path), remedy="Copy or export it again.")


def _write_nrrd(volume: Volume, part: Path) -> None:
    image = volume.to_itk()
    part.touch()
    try:
        with _quiet_itk():
            sitk.WriteImage(image, str(part), useCompression=True, compressionLevel=_COMPRESSION_LEVEL)
    except RuntimeError as error:
        _raise_what_the_system_says(part)
        raise OSError(str(error).strip().splitlines()[-1]) from error
    # ITK does not look whether the last kilobytes reached the disk. A gzip stream ends with its length.
    with part.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
    if length != volume.voxels.nbytes % (1 << 32):
        _raise_what_the_system_says(part)
        raise OSError("the file came out cut short")


def _raise_what_the_system_says(part: Path) -> None:
    """ITK does not say why it could not write; the system does when it is asked for more of the same."""
    with part.open("ab") as file:
        file.write(bytes(_CHUNK))
        file.flush()
        os.fsync(file.fileno())
