"""What a file must be to hold the image of a head, and what is said when it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Array, Volume

# Millimetres. Nothing that images a head is finer or coarser, and no head is smaller or larger.
SPACING_LIMITS = (0.05, 20.0)
EXTENT_LIMITS = (20.0, 2000.0)


def check_content(path: Path) -> None:
    """Refuse what is recognisably not there, empty, or something else than its name says."""
    if not path.exists():
        raise UserError("there is no such file", where=str(path), remedy="Check the spelling of the path.")
    with path.open("rb") as file:
        start = file.read(132)
    if not start:
        raise UserError("the file is empty", where=str(path), remedy="Copy or export it again.")
    if start[128:] == b"DICM":
        raise UserError("it is a single DICOM file", where=str(path), remedy="Give the folder that holds the series.")
    if start.startswith(b"%PDF"):
        raise UserError("it is a PDF document", where=str(path), remedy="Give the image that belongs to it.")


def check_dimensions(size: tuple[int, ...], path: Path) -> None:
    """Refuse a flat image and one with more than a single point beyond its third dimension."""
    if len(size) < 3 or min(size[:3]) < 2:
        raise UserError(
            f"it is a two-dimensional image ({' x '.join(str(n) for n in size)})",
            where=str(path),
            remedy="Give the whole volume: a DICOM folder or one three-dimensional file.",
        )
    if any(n != 1 for n in size[3:]):
        raise UserError(
            f"it has {len(size)} dimensions ({' x '.join(str(n) for n in size)})",
            where=str(path),
            remedy="Export the one time point or segment that you want as a three-dimensional volume.",
        )


def checked(volume: Volume) -> Volume:
    """``volume`` with native, compact voxels, if its values and its size can be a head's."""
    voxels = _compact(volume.voxels)
    # The minimum and the maximum carry any nan or inf, without an array of flags.
    if voxels.dtype.kind == "f" and not (np.isfinite(voxels.min()) and np.isfinite(voxels.max())):
        raise UserError(
            "some voxels are not numbers (NaN or infinite)",
            where=volume.name,
            remedy="Export the image again, or replace them by air (-1000) or background (0).",
        )
    if not all(SPACING_LIMITS[0] <= length <= SPACING_LIMITS[1] for length in volume.spacing):
        raise bad_spacing(Path(volume.name), " x ".join(f"{length:g}" for length in volume.spacing))
    extent = [n * length for n, length in zip(voxels.shape[::-1], volume.spacing, strict=True)]
    if not all(EXTENT_LIMITS[0] <= length <= EXTENT_LIMITS[1] for length in extent):
        raise UserError(
            f"it measures {' x '.join(f'{length:.0f}' for length in extent)} mm, which no head does",
            where=volume.name,
            remedy="Check the voxel spacing, which must be in millimetres, and export the image again.",
        )
    return Volume(voxels, volume.ijk_to_ras, volume.name)


def _compact(voxels: Array) -> Array:
    """Native byte order, and the 32-bit or smaller type that ITK and torch know and that loses nothing
    a scanner can measure."""
    if voxels.dtype == np.bool_:
        return voxels.view(np.uint8)
    if voxels.dtype in (np.int64, np.uint64, np.uint32):
        low, high = int(voxels.min()), int(voxels.max())
        fitting = (t for t in (np.int16, np.int32) if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
        return voxels.astype(next(fitting, np.float32))
    if voxels.dtype.kind == "f":
        return voxels.astype(np.float32, copy=False)
    return voxels.astype(voxels.dtype.newbyteorder("="), copy=False)


def bad_spacing(path: Path, spacing: str) -> UserError:
    """What to say of a spacing that is none."""
    least, most = SPACING_LIMITS
    return UserError(
        f"the voxel spacing is {spacing} (mm)",
        where=str(path),
        remedy=f"Export the image again with its true spacing, {least:g} to {most:g} mm.",
    )


def several_values(path: Path, count: int) -> UserError:
    """What to say of colours and vectors."""
    return UserError(
        f"it has {count} values a voxel (colours, vectors or overlapping segments)",
        where=str(path),
        remedy="Export the CT, or the skull's segment as a label map, with one value a voxel.",
    )


def complex_values(path: Path) -> UserError:
    """What to say of raw magnetic resonance data."""
    return UserError("its values are complex numbers", where=str(path), remedy="Give a head CT or a skull mask.")
