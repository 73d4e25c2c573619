"""NIfTI files, through nibabel: its affine is kept whole, shear and all."""

from __future__ import annotations

import gzip
import logging
import zlib
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.openers import ImageOpener
from nibabel.spatialimages import HeaderDataError

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.file_checks import (
    bad_spacing,
    check_dimensions,
    complex_values,
    several_values,
)
from CranialReconstructionLib.imaging.volume import Array, Volume

_CHUNK = 1 << 20
_MILLIMETRES = {"meter": 1000.0, "micron": 0.001}

_log = logging.getLogger(__name__)


def read_nifti(path: Path, compressed: bool) -> Volume:
    """The volume in a ``.nii`` or, ``compressed``, a ``.nii.gz`` file, placed by its sform or else its qform.

    Raises:
        UserError: not NIfTI, damaged or cut short, not three-dimensional, several values a voxel, no spacing.
        OSError: the file cannot be opened.
    """
    try:
        if compressed:
            _check_gzip(path)
        image = nibabel.load(path, mmap=False)
        if not isinstance(image, nibabel.Nifti1Image):
            raise ImageFileError("not NIfTI")
        _check_pixdim(image, path)
        raw_type = image.get_data_dtype()
        if raw_type.fields is not None:
            raise several_values(path, len(raw_type.fields))
        if raw_type.kind == "c":
            raise complex_values(path)
        check_dimensions(image.shape, path)
        voxels = _nifti_voxels(image)
    except (EOFError, zlib.error, ValueError, OSError) as error:
        # What the system refuses has a number; what nibabel and gzip find in the file has none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(
            f"the file is cut short or damaged ({str(error).partition(chr(10))[0]})",
            where=str(path),
            remedy="Copy or export it again.",
        ) from error
    except (ImageFileError, HeaderDataError) as error:
        raise UserError(
            "it is not a NIfTI file", where=str(path), remedy="Check the file, or export it again."
        ) from error
    affine = np.array(image.affine, dtype=np.float64)
    affine[:3] *= _MILLIMETRES.get(image.header.get_xyzt_units()[0], 1.0)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise bad_spacing(path, "zero or not a number")
    if image.header["sform_code"] == 0 and image.header["qform_code"] == 0:
        _log.warning("%s: it states no orientation; its axes were taken as left, anterior, superior", path)
    return Volume(voxels.reshape(image.shape[:3], order="F").T, affine, str(path))


def _check_gzip(path: Path) -> None:
    """Unpack once to the end, where the checksum is: nibabel stops at the last voxel, before it."""
    with gzip.open(path) as stream:
        while stream.read(_CHUNK):
            pass


def _check_pixdim(image: nibabel.Nifti1Image, path: Path) -> None:
    """Refuse a spacing that nibabel would mend in silence; an sform does not need it."""
    with ImageOpener(path) as file:
        header = type(image.header).from_fileobj(file, check=False)
    stated = np.array(header["pixdim"][1:4], dtype=float)
    if header["sform_code"] == 0 and not (stated > 0.0).all():
        raise bad_spacing(path, " x ".join(f"{length:g}" for length in stated))


def _nifti_voxels(image: nibabel.Nifti1Image) -> Array:
    """Stored integers as they are; scaled by whole numbers, as integers; scaled otherwise, as float32."""
    slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
    raw: Array = np.asarray(image.dataobj.get_unscaled())
    if (slope, intercept) == (1.0, 0.0):
        return raw
    if raw.dtype.kind in "iu" and slope.is_integer() and intercept.is_integer():
        extremes = (int(raw.min()), int(raw.max()))
        reach = [end * factor + offset for end in extremes for factor in (1, slope) for offset in (0, intercept)]
        # The first type that holds the values and every step to them.
        fitting = (t for t in (np.int16, np.int32) if max(map(abs, reach)) <= np.iinfo(t).max)
        return raw.astype(next(fitting, np.int64)) * int(slope) + int(intercept)
    return np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged"))


def write_nifti(volume: Volume, path: Path) -> None:
    """Write a ``.nii`` or ``.nii.gz`` file in millimetres, its affine as sform.

    Raises:
        OSError: no space, no right to write.
    """
    voxels = volume.voxels.view(np.uint8) if volume.voxels.dtype == np.bool_ else volume.voxels
    image = nibabel.Nifti1Image(voxels.T, volume.ijk_to_ras, dtype=voxels.dtype)
    image.header.set_xyzt_units("mm")
    image.to_filename(path)
