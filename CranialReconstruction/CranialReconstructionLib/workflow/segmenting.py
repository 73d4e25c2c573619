"""Step 2: the skull of a CT, or of a label map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CranialReconstructionLib.engine.arguments import SegmentSkull
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.scene.case import adopt
from CranialReconstructionLib.scene.results import BONE
from CranialReconstructionLib.scene.segments import (
    make_surfaces,
    mask_from_labelmap,
    new_segmentation,
    put_segment,
)
from CranialReconstructionLib.scene.volumes import write_node
from CranialReconstructionLib.workflow.segment import Segment
from CranialReconstructionLib.workflow.tasks import Task, Tasks


@dataclass(frozen=True, eq=False)
class SegmentedSkull:
    """A skull that was segmented.

    Attributes:
        segment: where it is.
        threshold: from which value a voxel counted as bone; None for a label map.
        bone_ml: its volume.
        warnings: of the scan.
    """

    segment: Segment
    threshold: float | None = None
    bone_ml: float | None = None
    warnings: tuple[str, ...] = ()


def segment_skull(tasks: Tasks, case: Any, ct: Any, threshold: float | None = None) -> Task[SegmentedSkull]:
    """Segment the skull of the volume node ``ct`` into a new segmentation of ``case``.

    Args:
        threshold: from which value a voxel counts as bone; found in the scan without it.
    """
    folder = tasks.new_folder()
    path = folder / "ct.nrrd"
    write_node(ct, path)

    def finish(result: Mapping[str, Any]) -> SegmentedSkull:
        segment = _put(case, ct, read_volume(Path(result["skull"])))
        return SegmentedSkull(segment, result["threshold"], result["bone_ml"], tuple(result["warnings"]))

    return tasks.begin(f"Segment the skull of {ct.GetName()}", SegmentSkull(path, folder, threshold), finish)


def skull_of_labelmap(case: Any, labels: Any, label: int | None = None) -> SegmentedSkull:
    """The voxels of the label map node ``labels`` that have a value, or the value ``label``, as a segment of ``case``.

    Raises:
        UserError: there are none.
    """
    return SegmentedSkull(_put(case, labels, mask_from_labelmap(labels, label)))


def _put(case: Any, volume: Any, mask: Any) -> Segment:
    segmentation = new_segmentation(case.GetScene(), f"{volume.GetName()} skull", reference_volume=volume)
    segment = Segment(segmentation, put_segment(segmentation, mask, "Skull", BONE))
    make_surfaces(segmentation)
    adopt(case, segmentation)
    return segment
