"""The head CT in a folder of DICOM files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.dicom_slices import DicomSlice, find_slices, read_hounsfield
from CranialReconstructionLib.imaging.file_checks import checked
from CranialReconstructionLib.imaging.scan_warnings import WIDEST_SLICE_DISTANCE
from CranialReconstructionLib.imaging.slices import SliceStack, straighten
from CranialReconstructionLib.imaging.volume import Volume

_NOT_ANATOMY = ("LOCALIZER", "SCOUT", "TOPOGRAM", "MIP", "MINIP", "PROJECTION IMAGE", "VRT", "SCREEN SAVE")
_NOT_ANATOMY_NAMES = ("localizer", "scout", "topogram", "surview", " mip", "dose report", "smart prep")
# A gantry leans up to 30 degrees from the axial plane.
_AXIAL_COSINE = np.cos(np.radians(40.0))
# Two slices closer than this (mm) are at the same place.
_SAME_PLACE = 0.01


@dataclass(frozen=True, eq=False)
class DicomSeries:
    """A CT series as a volume. Nothing in it names the patient.

    Attributes:
        volume: Hounsfield units, int16 (K, J, I), RAS millimetres, on a straight and even grid.
        series_uid: its SeriesInstanceUID.
        series_number: its number in the study, "" where not stated.
        description: what the scanner called it.
        modality: "CT".
        kernel: the convolution kernel, "" where not stated.
        slice_thickness: of the thickest slice in millimetres, None where not stated.
        slices: how many slices it was made from.
        tilt_degrees: of the gantry, 0 where it was not tilted.
        warnings: what the user must know: what was corrected, what costs accuracy, what was left out.
    """

    volume: Volume
    series_uid: str
    series_number: str
    description: str
    modality: str
    kernel: str
    slice_thickness: float | None
    slices: int
    tilt_degrees: float
    warnings: tuple[str, ...]


def read_dicom_series(folder: Path, series: str | None = None) -> DicomSeries:
    """The head CT under ``folder``.

    Without ``series`` the choice is, in this order: axial, an original and not a derived image, most
    slices, thinnest slices. Localizers, projections and reports never are. A series that mixes sizes,
    orientations, spacings or kernels is divided into the parts that fit together; one that has
    slices at the same place twice, by acquisition. Tilted and uneven stacks: see ``straighten``.

    Args:
        folder: searched with its subfolders; files are known by content, not by name.
        series: SeriesInstanceUID or series number of the one to read.

    Raises:
        UserError: no DICOM, no CT, two patients, no such series, slices missing or twice, damaged files, a
            spacing or an extent that no head has.
    """
    slices, notes = find_slices(folder)
    if not slices:
        raise UserError(
            "; ".join(["it holds no DICOM slices", *notes]),
            where=str(folder),
            remedy="Give the folder of a head CT series, or a NRRD, NIfTI or MetaImage file.",
        )
    if series is None:
        _refuse_two_patients(slices, folder)
    stacks = _stacks(slices)
    chosen = _chosen(stacks, series, folder)
    others = [stack for stack in stacks if stack is not chosen]
    first = chosen[0]
    result = straighten(
        SliceStack(
            read_hounsfield(chosen),
            np.array([one.position for one in chosen]),
            first.along_i,
            first.along_j,
            first.spacing,
        ),
        str(folder),
    )
    thicknesses = [one.thickness for one in chosen if one.thickness is not None]
    warnings = [*notes, *_choice(chosen, others), *result.warnings, *_thickness(thicknesses, chosen)]
    if any(one.rescale is None for one in chosen):
        warnings.append("no rescale to Hounsfield units is stated; the stored values were taken as they are")
    return DicomSeries(
        volume=checked(result.volume),
        series_uid=first.series,
        series_number=first.series_number,
        description=first.description,
        modality=first.modality,
        kernel=first.kernel,
        slice_thickness=max(thicknesses, default=None),
        slices=len(chosen),
        tilt_degrees=result.tilt_degrees,
        warnings=tuple(warnings),
    )


def _refuse_two_patients(slices: list[DicomSlice], folder: Path) -> None:
    identities = {one.patient_id for one in slices} - {""}, {one.patient_name for one in slices} - {""}
    count = max(len(values) for values in identities)
    if count > 1:
        raise UserError(
            f"it holds images of {count} patients",
            where=str(folder),
            remedy="Give a folder with one patient only.",
        )


def _stacks(slices: list[DicomSlice]) -> list[list[DicomSlice]]:
    """The slices in groups that one volume each can hold, sorted by place."""
    groups: list[list[DicomSlice]] = []
    seen: set[tuple[str, int]] = set()
    for one in slices:
        # The same file twice in the folder is one slice.
        if one.instance and (one.instance, one.frame) in seen:
            continue
        seen.add((one.instance, one.frame))
        for group in groups:
            if one.stacks_with(group[0]):
                group.append(one)
                break
        else:
            groups.append([one])
    parts = [part for group in groups for part in _apart(group)]
    return [sorted(part, key=lambda one: one.height) for part in parts]


def _apart(group: list[DicomSlice]) -> list[list[DicomSlice]]:
    """The group by acquisition or by image type, if that ends places being there twice; else as it is."""
    if not _repeats(group):
        return [group]
    for key in (lambda one: one.acquisition, lambda one: " ".join(one.image_type)):
        parts: dict[str, list[DicomSlice]] = {}
        for one in group:
            parts.setdefault(key(one), []).append(one)
        if len(parts) > 1 and not any(_repeats(part) for part in parts.values()):
            return list(parts.values())
    return [group]


def _repeats(group: list[DicomSlice]) -> bool:
    return bool((np.diff(sorted(one.height for one in group)) < _SAME_PLACE).any())


def _chosen(stacks: list[list[DicomSlice]], series: str | None, folder: Path) -> list[DicomSlice]:
    if series is not None:
        stacks = [stack for stack in stacks if series in (stack[0].series, stack[0].series_number)]
        if not stacks:
            raise UserError(
                f"it holds no series {series}",
                where=str(folder),
                remedy="Give the SeriesInstanceUID or the number of a series in it.",
            )
        if len({(one.patient_id, one.patient_name) for stack in stacks for one in stack}) > 1:
            raise UserError(
                f"several patients have a series {series} in it",
                where=str(folder),
                remedy="Give the SeriesInstanceUID, or a folder with one patient only.",
            )
    modalities = sorted({stack[0].modality or "unknown" for stack in stacks} - {"CT"})
    scans = [stack for stack in stacks if stack[0].modality == "CT"]
    if not scans:
        raise UserError(
            f"it holds no CT images (modality {', '.join(modalities)})",
            where=str(folder),
            remedy="Give a head CT: bone is found by its Hounsfield units.",
        )
    usable = [stack for stack in scans if not _is_no_anatomy(stack[0])]
    if not usable:
        raise UserError(
            "it holds only localizers, projections or reports",
            where=str(folder),
            remedy="Give the folder of the axial head CT series.",
        )
    return max(usable, key=_merit)


def _is_no_anatomy(one: DicomSlice) -> bool:
    description = f" {one.description.casefold()}"
    return any(word in one.image_type for word in _NOT_ANATOMY) or any(
        name in description for name in _NOT_ANATOMY_NAMES
    )


def _is_axial(one: DicomSlice) -> bool:
    return bool(abs(one.normal[2]) >= _AXIAL_COSINE)


def _merit(stack: list[DicomSlice]) -> tuple[bool, bool, int, float]:
    first = stack[0]
    original = not {"DERIVED", "SECONDARY"} & set(first.image_type[:2])
    return len(stack) >= 3 and _is_axial(first), original, len(stack), -(first.thickness or 0.0)


def _choice(chosen: list[DicomSlice], others: list[list[DicomSlice]]) -> list[str]:
    """Which series was read, if there was anything to choose from."""
    warnings = []
    studies = {stack[0].study for stack in [chosen, *others]}
    if len(studies) > 1:
        dates = sorted({stack[0].study_date for stack in [chosen, *others]})
        place = dates.index(chosen[0].study_date) + 1
        when = f", by date number {place} of {len(dates)}" if len(dates) > 1 else ""
        warnings.append(f"the folder holds {len(studies)} studies of the patient; one was read{when}")
    if others:
        left_out = ", ".join(_label(stack) for stack in others)
        warnings.append(f"read {_label(chosen)}; left out {left_out}")
    if not _is_axial(chosen[0]):
        warnings.append("the slices are not axial")
    return warnings


def _label(stack: list[DicomSlice]) -> str:
    first = stack[0]
    kind = "localizer or projection, " if _is_no_anatomy(first) else ""
    modality = "" if first.modality == "CT" else f"{first.modality}, "
    name = f" '{first.description}'" if first.description else ""
    return f"series {first.series_number or '?'}{name} ({kind}{modality}{len(stack)} slices)"


def _thickness(thicknesses: list[float], chosen: list[DicomSlice]) -> list[str]:
    """What thick slices cost, where they are thick."""
    widest = max([*thicknesses, *np.diff([one.height for one in chosen])])
    if widest <= WIDEST_SLICE_DISTANCE + 1e-3:
        return []
    return [
        f"the slices are up to {widest:.3g} mm thick or apart, above {WIDEST_SLICE_DISTANCE} mm: "
        "the bone's surface is uncertain by about a millimetre, and thin bone can be lost"
    ]
