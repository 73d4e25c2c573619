"""One segment of a segmentation, and its file for the worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.scene.segments import mask_from_segment, segment_names
from CranialReconstructionLib.scene.volumes import write_mask


@dataclass(frozen=True, eq=False)
class Segment:
    """A segment; ``segmentation`` is a ``vtkMRMLSegmentationNode``.

    Raises:
        UserError: there is no such segment.
    """

    segmentation: Any
    segment_id: str

    def __post_init__(self) -> None:
        if self.segmentation is None or self.segment_id not in segment_names(self.segmentation):
            raise UserError("no segment is chosen", where="segment", remedy="Choose a segment, or make one.")

    @property
    def name(self) -> str:
        """As the segment is called."""
        return segment_names(self.segmentation)[self.segment_id]

    def mask(self) -> Volume:
        """Its voxels on the segmentation's grid, uint8 of 0 and 1."""
        return mask_from_segment(self.segmentation, self.segment_id)


class SegmentFiles:
    """Segments as files for the worker, written once for each content.

    Args:
        folder: gets them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[tuple[str, str], tuple[Any, Path]] = {}
        self._count = 0

    def path_of(self, segment: Segment) -> Path:
        """A NRRD file of the segment as it is now; the worker knows by its name that nothing has changed."""
        key = (segment.segmentation.GetID(), segment.segment_id)
        state = _state(segment)
        known, path = self._written.get(key, (None, self._folder))
        if known == state and path.is_file():
            return path
        if path.is_file():
            path.unlink()
        self._count += 1
        path = self._folder / f"segment-{self._count:04d}.nrrd"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mask(segment.mask(), path)
        self._written[key] = state, path
        return path


def require_something(segment: Segment, what: str) -> None:
    """Refuse an empty segment before the worker is started.

    Raises:
        UserError: the segment holds no voxel.
    """
    if not np.any(segment.mask().voxels):
        raise UserError(f"the {what} is empty", where=segment.name, remedy=f"Choose a segment that holds the {what}.")


def _state(segment: Segment) -> Any:
    """Changes whenever the segment's voxels or their place may have."""
    content = segment.segmentation.GetSegmentation().GetSegment(segment.segment_id)
    image = content.GetRepresentation("Binary labelmap")
    transform = segment.segmentation.GetParentTransformNode()
    moved = None if transform is None else (transform.GetID(), transform.GetTransformToWorldMTime())
    return None if image is None else image.GetMTime(), content.GetLabelValue(), moved
