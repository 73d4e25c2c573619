"""One segment of a segmentation, and the files that nodes are for the worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.scene.segments import mask_from_segment, segment_names
from CranialReconstructionLib.scene.volumes import write_mask, write_node


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


class NodeFiles:
    """Segments and volumes as files for the worker, written once for each content.

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
        return self._path(key, _state_of_segment(segment), lambda path: write_mask(segment.mask(), path))

    def path_of_volume(self, node: Any) -> Path | None:
        """The same of a volume node; None for None."""
        if node is None:
            return None
        return self._path((node.GetID(), ""), _state_of_volume(node), lambda path: write_node(node, path))

    def _path(self, key: tuple[str, str], state: Any, write: Callable[[Path], None]) -> Path:
        known, path = self._written.get(key, (None, self._folder))
        if known == state and path.is_file():
            return path
        if path.is_file():
            path.unlink()
        self._count += 1
        path = self._folder / f"node-{self._count:04d}.nrrd"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
        self._written[key] = state, path
        return path


def require_something(segment: Segment, what: str) -> None:
    """Refuse an empty segment before the worker is started.

    Raises:
        UserError: the segment holds no voxel.
    """
    if not np.any(segment.mask().voxels):
        raise UserError(f"the {what} is empty", where=segment.name, remedy=f"Choose a segment that holds the {what}.")


def _state_of_segment(segment: Segment) -> Any:
    """Changes whenever the segment's voxels or their place may have."""
    content = segment.segmentation.GetSegmentation().GetSegment(segment.segment_id)
    image = content.GetRepresentation("Binary labelmap")
    stamp = None if image is None else image.GetMTime()
    return stamp, content.GetLabelValue(), _state_of_transform(segment.segmentation)


def _state_of_volume(node: Any) -> Any:
    """Changes whenever the volume's voxels or their place may have; a node's own stamp tells of its display too."""
    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    place = tuple(matrix.GetElement(row, column) for row in range(3) for column in range(4))
    return node.GetImageData().GetMTime(), place, _state_of_transform(node)


def _state_of_transform(node: Any) -> Any:
    transform = node.GetParentTransformNode()
    return None if transform is None else (transform.GetID(), transform.GetTransformToWorldMTime())
