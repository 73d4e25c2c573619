"""The missing bone in the archive: DICOM Segmentation, on the slices of the scan that it was found in.

DICOM PS3.3 A.51, written by highdicom.
"""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import numpy.typing as npt
from highdicom.seg import Segmentation, SegmentDescription
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.dicom_slices import DicomSlice
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.imaging.whole_file import whole_file
from CranialReconstructionLib.implant.export.about import CREATOR, RESEARCH_USE_ONLY, About
from CranialReconstructionLib.implant.export.algorithm import Algorithm
from CranialReconstructionLib.implant.export.dicom_source import DicomSource

SERIES_NUMBER = 9002
# Millimetres at a slice's corners. Positions rounded to one decimal are read as an even stack.
SAME_PLACE = 0.15
# Mirroring has no code in the standard's list of families, which may be extended (PS3.16 CID 7162).
_MIRRORING = CodedConcept("mirroring", "99CRANIAL", "Mirroring of the other side")


def write_dicom_seg(defect: Volume, path: Path, source: DicomSource, about: About, algorithm: Algorithm) -> None:
    """Write the missing bone as a binary DICOM SEG with one segment.

    Every slice of ``defect`` must be one of ``source``: nothing is resampled, so what was straightened
    (tilted gantry), interpolated or cropped within its slices cannot be written. Empty slices are left out,
    as the standard allows. Patient, study and frame of reference are those of ``source``.

    Args:
        defect: voxels above 0 are missing bone.
        source: the series that the volume was read from.
        algorithm: what found it.

    Raises:
        UserError: no missing bone, another grid than that of the series, no frame of reference, or no right
            or space to write.
    """
    mask = defect.voxels > 0
    if not mask.any():
        raise UserError("there is no missing bone in it", where=defect.name, remedy="Check the reconstruction.")
    if not all(header.get("FrameOfReferenceUID") for header in source.headers):
        raise UserError(
            "the series states no frame of reference",
            where=str(source.folder),
            remedy="Export the missing bone as NRRD or NIfTI instead.",
        )
    used, planes = slices_under(defect.grid, source)
    headers = {str(header.SOPInstanceUID): header for header in source.headers}
    segmentation = Segmentation(
        source_images=list({one.instance: headers[one.instance] for one in used}.values()),
        pixel_array=mask[planes].view(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[_description(about, algorithm)],
        series_instance_uid=generate_uid(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=generate_uid(),
        instance_number=about.number,
        manufacturer=CREATOR,
        manufacturer_model_name=CREATOR,
        software_versions=about.version,
        device_serial_number="none",
        content_label="MISSING_BONE",
        content_description=f"Missing bone. {RESEARCH_USE_ONLY}",
        series_description=f"{RESEARCH_USE_ONLY}: missing bone",
    )
    with whole_file(path) as part:
        segmentation.save_as(part, enforce_file_format=True)


def slices_under(grid: Grid, source: DicomSource) -> tuple[list[DicomSlice], npt.NDArray[np.intp]]:
    """The series' slices that the grid has, in the series' order, and the grid's slice k at each of them.

    Raises:
        UserError: some slice of the grid is none of the series'.
    """
    rows, columns = grid.shape[1:]
    corners = np.array([(0, 0), (columns - 1, 0), (0, rows - 1)], dtype=np.float64)
    here = np.stack([grid.ras_of(np.insert(corners, 2, k, axis=1)) for k in range(grid.shape[0])])
    used: list[DicomSlice] = []
    planes: list[int] = []
    for one in source.slices:
        if one.shape != (rows, columns):
            continue
        steps = np.stack([one.along_i * one.spacing[0], one.along_j * one.spacing[1]])
        off = np.linalg.norm(here - (one.position + corners @ steps), axis=2).max(axis=1)
        nearest = int(off.argmin())
        if off[nearest] <= SAME_PLACE and nearest not in planes:
            used.append(one)
            planes.append(nearest)
    frames = {one.frames for one in used}
    whole_file_used = frames == {1} or (len(used) in frames and len({one.instance for one in used}) == 1)
    if len(used) < grid.shape[0] or not whole_file_used:
        raise UserError(
            f"its slices are not those of the series ({len(used)} of {grid.shape[0]} are): it was straightened, "
            "interpolated, cropped or resampled",
            where=str(source.folder),
            remedy="DICOM SEG holds nothing else: export the missing bone as NRRD or NIfTI instead.",
        )
    return used, np.array(planes)


def _description(about: About, algorithm: Algorithm) -> SegmentDescription:
    identification = None
    if algorithm.kind != "MANUAL":
        identification = highdicom.AlgorithmIdentificationSequence(
            name=algorithm.name or CREATOR,
            family=codes.cid7162.ArtificialIntelligence if algorithm.learned else _MIRRORING,
            version=algorithm.version or about.version,
        )
    return SegmentDescription(
        segment_number=1,
        segment_label="Missing bone",
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.Skull,
        algorithm_type=algorithm.kind,
        algorithm_identification=identification,
        tracking_id=about.title,
        tracking_uid=generate_uid(),
    )
