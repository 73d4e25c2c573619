"""Segments in and out of segmentation nodes, always on whole grids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy
import slicer
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.pooling import bone_box, pooled
from CranialReconstructionLib.imaging.resampling import resample
from CranialReconstructionLib.imaging.volume import Array, Grid, Volume
from CranialReconstructionLib.scene.frames import Matrix, array_of, to_world, vtk_matrix
from CranialReconstructionLib.scene.volumes import volume_from_node

Colour = tuple[float, float, float]

# Of Slicer's own list; what is missing of a skull is skull too.
SKULL_TERMINOLOGY = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^89546000^Skull~^^~Anatomic codes - DICOM master list~^^~^^"
)
# Voxels: two lattices that differ by less than this everywhere are one.
SAME_LATTICE = 0.05
# Voxels of a segment's own box above which its first surface is made of coarser ones, of this edge, mm.
LARGE = 8_000_000
SHOWN_SPACING = 1.35


def segment_names(segmentation: Any) -> dict[str, str]:
    """Names of the segments by their ids, in order."""
    content = segmentation.GetSegmentation()
    ids = [content.GetNthSegmentID(number) for number in range(content.GetNumberOfSegments())]
    return {identifier: content.GetSegment(identifier).GetName() for identifier in ids}


def reference_grid(segmentation: Any) -> Grid:
    """The grid that the segmentation was made on, in the world; without one, that which holds all its segments.

    Raises:
        UserError: neither is there, or a transform above it is not linear.
    """
    content = segmentation.GetSegmentation()
    stated = content.GetConversionParameter(_geometry_parameter())
    if not stated:
        stated = content.DetermineCommonLabelmapGeometry(content.EXTENT_UNION_OF_SEGMENTS, None)
    matrix, extent = vtkMatrix4x4(), [0, -1] * 3
    if not stated or not slicer.vtkSegmentationConverter.DeserializeImageGeometry(stated, matrix, extent):
        raise UserError(
            "it is empty, and without a source volume its voxels are not known",
            where=segmentation.GetName(),
            remedy="Draw in it, or choose the CT as its source volume in the Segment Editor.",
        )
    return _grid(to_world(segmentation) @ array_of(matrix), extent)


def reference_node(segmentation: Any) -> Any:
    """The volume node that the segmentation was made on; None without one."""
    return segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())


def mask_from_segment(segmentation: Any, segment_id: str, reference: Grid | None = None) -> Volume:
    """One segment as a mask: uint8 (K, J, I), 1 in it, on the whole of ``reference``.

    Args:
        segmentation: the node.
        segment_id: of the segment.
        reference: the grid wanted, in the world; the segmentation's own without it.

    Raises:
        UserError: the segment is not there, as of ``reference_grid``, or a transform above is not linear.
    """
    if segment_id not in segment_names(segmentation):
        raise UserError("the segment is not there", where=segmentation.GetName(), remedy="Choose one of its segments.")
    grid = reference or reference_grid(segmentation)
    name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
    mask = np.zeros(grid.shape, np.uint8)
    image = _labelmap(segmentation, segment_id, grid)
    if not image.IsEmpty():
        part = _volume(image, to_world(segmentation), name)
        start = _start_within(grid, part.grid)
        if start is None:
            return resample(part, grid, "nearest")
        _paste(mask, part.voxels, start)
    return Volume(mask, grid.ijk_to_ras, name)


def mask_from_labelmap(node: Any, label: int | None = None) -> Volume:
    """A label map as a mask: uint8 (K, J, I), 1 where it has ``label``, or any label without one.

    Raises:
        UserError: as of ``volume_from_node``, or it does not hold the label.
    """
    volume = volume_from_node(node)
    mask = volume.voxels > 0 if label is None else volume.voxels == label
    if not mask.any():
        what = "a label" if label is None else f"the label {label}"
        raise UserError(f"no voxel has {what}", where=node.GetName(), remedy="Choose another label map or label.")
    return volume.with_voxels(mask.view(np.uint8))


def new_segmentation(scene: Any, name: str, reference_volume: Any = None, grid: Grid | None = None) -> Any:
    """An empty segmentation node on the grid of ``reference_volume`` (a node), or else on ``grid``."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    if reference_volume is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(reference_volume)
    elif grid is not None:
        node.GetSegmentation().SetConversionParameter(_geometry_parameter(), _stated(grid))
    return node


def put_segment(segmentation: Any, mask: Volume, name: str, colour: Colour, segment_id: str | None = None) -> str:
    """Put a mask into a segment, new or there already, whose former content is replaced; its id.

    A segment that is there stays the same object, so that the Segment Editor can undo. Others are not
    touched, though they overlap. Surfaces that there are follow.

    Raises:
        UserError: a transform above the segmentation is not linear.
    """
    from_world: Matrix = np.linalg.inv(to_world(segmentation)).astype(np.float64)
    content = segmentation.GetSegmentation()
    was_modifying = segmentation.StartModify()
    try:
        _make_labelmaps_the_source(segmentation)
        if segment_id is None or content.GetSegment(segment_id) is None:
            segment_id = str(content.AddEmptySegment(segment_id or "", name, colour))
            content.GetSegment(segment_id).SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), SKULL_TERMINOLOGY)
        segment = content.GetSegment(segment_id)
        segment.SetName(name)
        segment.SetColor(colour)
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        image = _image(mask, from_world)
        if image is None:
            logic.ClearSegment(segmentation, segment_id)
        else:
            logic.SetBinaryLabelmapToSegment(image, segmentation, segment_id, logic.MODE_REPLACE)
    finally:
        segmentation.EndModify(was_modifying)
    return segment_id


def show_in_3d(segmentation: Any, segment_id: str, shown: bool) -> None:
    """Show or hide a segment in the 3D views; the slices keep it."""
    segmentation.GetDisplayNode().SetSegmentVisibility3D(segment_id, shown)


def make_surfaces(segmentation: Any) -> None:
    """Show the segments in 3D; from then on, the surfaces follow every edit.

    Slicer takes six seconds, in which its windows stand still, for the surface of a whole skull at a scanner's
    resolution. Large segments are shown from coarser voxels instead until they are edited.
    """
    content = segmentation.GetSegmentation()
    to_own: Matrix = np.linalg.inv(to_world(segmentation)).astype(np.float64)
    for segment_id in segment_names(segmentation):
        segment = content.GetSegment(segment_id)
        labelmap = segment.GetRepresentation(_binary_labelmap())
        if labelmap is None or segment.GetRepresentation(_closed_surface()) is not None:
            continue
        # Several segments may lie in one image, so that its size says nothing yet.
        if labelmap.GetNumberOfPoints() > LARGE:
            mask = mask_from_segment(segmentation, segment_id)
            box = bone_box(mask)
            if box is not None and np.prod(np.subtract(box[1], box[0])) > LARGE:
                surface = _coarse_surface(mask, to_own)
                segment.AddRepresentation(_closed_surface(), surface)
    segmentation.CreateClosedSurfaceRepresentation()


def _coarse_surface(mask: Volume, to_own: Matrix) -> Any:
    """Slicer's surface of a mask on coarser voxels."""
    shares = pooled(mask, SHOWN_SPACING)
    # The least share that counts is below a half, so that thin bone is not lost.
    image = _image(shares.with_voxels((shares.voxels >= 0.4).view(np.uint8)), to_own)
    alone = slicer.vtkSegmentation()
    alone.SetSourceRepresentationName(_binary_labelmap())
    segment = slicer.vtkSegment()
    segment.AddRepresentation(_binary_labelmap(), image)
    alone.AddSegment(segment, "shown")
    alone.CreateRepresentation(_closed_surface())
    return segment.GetRepresentation(_closed_surface())


def _geometry_parameter() -> str:
    return str(slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName())


def _binary_labelmap() -> str:
    return str(slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName())


def _closed_surface() -> str:
    return str(slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName())


def _make_labelmaps_the_source(segmentation: Any) -> None:
    content = segmentation.GetSegmentation()
    if content.GetSourceRepresentationName() != _binary_labelmap():
        content.CreateRepresentation(_binary_labelmap())
        content.SetSourceRepresentationName(_binary_labelmap())


def _labelmap(segmentation: Any, segment_id: str, grid: Grid) -> Any:
    """The segment as a ``vtkOrientedImageData``; a segment of surfaces only is drawn on ``grid``."""
    content = segmentation.GetSegmentation()
    image = slicer.vtkOrientedImageData()
    if content.ContainsRepresentation(_binary_labelmap()):
        segmentation.GetBinaryLabelmapRepresentation(segment_id, image)
        return image
    # In a segmentation of its own, so that the node is not changed by looking at it.
    local = Grid(grid.shape, np.linalg.inv(to_world(segmentation)) @ grid.ijk_to_ras)
    drawn = slicer.vtkSegmentation()
    drawn.SetSourceRepresentationName(content.GetSourceRepresentationName())
    drawn.CopySegmentFromSegmentation(content, segment_id)
    drawn.SetConversionParameter(_geometry_parameter(), _stated(local))
    drawn.CreateRepresentation(_binary_labelmap())
    image.ShallowCopy(drawn.GetSegmentRepresentation(segment_id, _binary_labelmap()))
    return image


def _stated(grid: Grid) -> str:
    """A grid as segmentations keep it."""
    k, j, i = grid.shape
    extent = [0, i - 1, 0, j - 1, 0, k - 1]
    return str(slicer.vtkSegmentationConverter.SerializeImageGeometry(vtk_matrix(grid.ijk_to_ras), extent))


def _grid(ijk_to_ras: Matrix, extent: Sequence[int]) -> Grid:
    """The grid of VTK's extent (first and last index along I, J, K), which need not begin at 0."""
    first, last = np.array(extent[::2]), np.array(extent[1::2])
    i, j, k = (int(count) for count in last - first + 1)
    whole = Grid((k, j, i), ijk_to_ras)
    return whole.cropped((int(first[2]), int(first[1]), int(first[0])), whole.shape)


def _volume(image: Any, local_to_world: Matrix, name: str) -> Volume:
    """A labelmap of one segment as uint8 (K, J, I)."""
    matrix = vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    grid = _grid(local_to_world @ array_of(matrix), image.GetExtent())
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(grid.shape)
    return Volume((voxels > 0).view(np.uint8), grid.ijk_to_ras, name)


def _start_within(grid: Grid, part: Grid) -> tuple[int, int, int] | None:
    """The voxel (K, J, I) of ``grid`` that ``part`` begins at; None where their lattices differ."""
    corners = np.array(np.meshgrid(*[(0, count - 1) for count in part.shape[::-1]])).reshape(3, -1).T
    seen = grid.ijk_of(part.ras_of(corners))
    start = np.rint(seen[0]).astype(int)
    if np.abs(seen - start - corners).max() > SAME_LATTICE:
        return None
    return int(start[2]), int(start[1]), int(start[0])


def _paste(whole: Array, part: Array, start: tuple[int, int, int]) -> None:
    """Put ``part`` into ``whole`` where it begins at ``start``; what lies outside is left out."""
    into, taken = [], []
    for begin, count, size in zip(start, part.shape, whole.shape, strict=True):
        first, last = max(begin, 0), min(begin + count, size)
        into.append(slice(first, max(last, first)))
        taken.append(slice(first - begin, max(last, first) - begin))
    whole[tuple(into)] = part[tuple(taken)]


def _image(mask: Volume, from_world: Matrix) -> Any:
    """The filled part of a mask as a ``vtkOrientedImageData`` on the mask's lattice; None for an empty mask."""
    box = scipy.ndimage.find_objects((mask.voxels > 0).view(np.uint8), 1)[0]
    if box is None:
        return None
    part = np.ascontiguousarray(mask.voxels[box] > 0).view(np.uint8)
    image = slicer.vtkOrientedImageData()
    image.SetExtent([index for side in box[::-1] for index in (side.start, side.stop - 1)])
    image.SetImageToWorldMatrix(vtk_matrix(from_world @ mask.ijk_to_ras))
    image.GetPointData().SetScalars(numpy_to_vtk(part.ravel(), deep=True))
    return image
