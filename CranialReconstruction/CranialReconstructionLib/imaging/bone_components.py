"""Which pieces of bone-like matter belong to the skull.

Rules and constants of this file are ours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from CranialReconstructionLib.imaging.distance import distance_to
from CranialReconstructionLib.imaging.head_mask import HeadMask
from CranialReconstructionLib.imaging.volume import Array
from CranialReconstructionLib.imaging.voxel_blocks import VoxelBlocks

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]

# A loose piece of bone (a flap, a jaw, a vertebra) is kept from this volume, mm3.
LEAST_FRAGMENT_VOLUME = 1000.0
# Islands of thin bone are kept from this volume, mm3, if most of them lies this close, mm, to the skull.
LEAST_ISLAND_VOLUME = 10.0
ISLAND_DISTANCE = 5.0
# Bone lies under the skin: what has this share of it closer, mm, to the open air is no bone.
SKIN_THICKNESS = 3.0
EXPOSED_SHARE = 0.3
# Longer than this, mm, and of less volume than this times its length squared: a tube or a wire.
TUBE_LENGTH = 30.0
TUBE_THICKNESS = 0.4


def keep_skull(bone: Mask, voxels: Array, blocks: VoxelBlocks, head: HeadMask, dense_level: float) -> Mask:
    """The largest connected piece of ``bone``, and the smaller ones that are bone of the head.

    A smaller piece is kept if it reaches ``dense_level`` somewhere (contrast in vessels and noise do
    not), is under the skin (head rests and jewellery are not), is not thin and long (as a catheter
    is), and is either large or close to the skull.

    Args:
        bone: candidates (K, J, I), not empty.
        voxels: the CT that they come from.
        blocks: the coarse view that ``head`` was made on.
        dense_level: value of ``voxels`` half way between soft tissue and dense bone.
    """
    components = sitk.ConnectedComponent(sitk.GetImageFromArray(bone.view(np.uint8)), True)
    labels = sitk.GetArrayViewFromImage(components)[bone]
    del components
    volumes = np.bincount(labels) * float(np.prod(blocks.spacing)) / float(np.prod(blocks.factors))
    main = int(volumes.argmax())
    where = np.nonzero(bone)
    in_main = labels == main

    pieces = np.flatnonzero(volumes >= LEAST_ISLAND_VOLUME)
    pieces = pieces[pieces != main]
    rank = np.full(volumes.size, -1)
    rank[pieces] = np.arange(pieces.size)
    piece = rank[labels]
    loose = piece >= 0
    of_piece = piece[loose]
    place = tuple(axis[loose] for axis in where)

    skull_blocks = np.zeros(blocks.shape, dtype=np.bool_)
    skull_blocks[_blocks_of(tuple(axis[in_main] for axis in where), blocks)] = True
    close = _millimetres_to(skull_blocks, place, blocks) <= ISLAND_DISTANCE
    exposed = _millimetres_to(head.open_air, place, blocks) <= SKIN_THICKNESS

    size = volumes[pieces]
    count = np.bincount(of_piece, minlength=pieces.size)
    peak = np.full(pieces.size, -np.inf)
    np.maximum.at(peak, of_piece, voxels[place])
    length = _lengths(place, of_piece, pieces.size, blocks)
    tube = (length > TUBE_LENGTH) & (size < TUBE_THICKNESS * length**2)
    near_skull = np.bincount(of_piece[close], minlength=pieces.size) > 0.5 * count
    on_skin = np.bincount(of_piece[exposed], minlength=pieces.size) > EXPOSED_SHARE * count
    kept = (peak >= dense_level) & ~tube & ~on_skin & ((size >= LEAST_FRAGMENT_VOLUME) | near_skull)

    skull = np.zeros_like(bone)
    skull[bone] = in_main | np.isin(labels, pieces[kept])
    return skull


def _blocks_of(place: tuple[Indices, ...], blocks: VoxelBlocks) -> tuple[Indices, ...]:
    return tuple(blocks.block_of(indices, axis) for axis, indices in enumerate(place))


def _millimetres_to(mask: Mask, place: tuple[Indices, ...], blocks: VoxelBlocks) -> npt.NDArray[np.float32]:
    """From each voxel to the surface of the nearest of the blocks in ``mask``, about."""
    if not mask.any():
        return np.full(place[0].shape, np.inf, dtype=np.float32)
    to_centres = distance_to(mask, blocks.spacing)
    return blocks.interpolated(to_centres, place) - np.float32(0.5 * min(blocks.spacing))


def _lengths(place: tuple[Indices, ...], piece: Indices, pieces: int, blocks: VoxelBlocks) -> npt.NDArray[np.float64]:
    """The diagonal, millimetres, of the box around each piece."""
    squares = np.zeros(pieces)
    for indices, spacing, factor in zip(place, blocks.spacing, blocks.factors, strict=True):
        first = np.full(pieces, np.iinfo(np.int64).max)
        last = np.full(pieces, -1)
        np.minimum.at(first, piece, indices)
        np.maximum.at(last, piece, indices)
        squares += ((last - first + 1) * spacing / factor) ** 2
    return np.sqrt(squares)
