"""Tables continued over a hole: the start from which the shell network corrects.

The shape model says what the whole vault is likely to be; what it misses at the bone around the hole
is carried over the hole as a thin plate (outer table) or a membrane (thickness) would carry it, so that
the tables meet the bone in height and the outer one in slope. (Ours.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage, sparse
from scipy.sparse import linalg
from torch.nn import functional

from CranialReconstructionLib.reconstruction.shape_model import LOWEST, ShapeModel
from CranialReconstructionLib.reconstruction.vault_map import Tables, VaultMap

# Pixels next to a hole that are not looked at first: an oblique rim leaves a wedge of bone, not the tables.
RIM = 4
# Pixels about a hole in which the wedge is looked for, and those next to it that are never trusted.
REACH, EDGE = 7, 1
# A table that leaves the shape model's by more than this many millimetres a millimetre is a cut.
STEEPEST = 0.5
# Bone thinner than this, millimetres, is not believed.
LEAST_THICKNESS = 0.5
# What the shape model misses is taken over from this far above the lowest elevation it knows.
MARGIN = 0.08


@dataclass(frozen=True)
class ContinuedTables:
    """Tables without holes, (V, U) each.

    Attributes:
        outer, inner: radii, millimetres, everywhere.
        present: 1 where the ray meets bone, else 0.
        missed_outer, missed_thickness: millimetres by which the outer table and the thickness differ from
            what the shape model expects; zero below the vault and without a model.
    """

    outer: torch.Tensor
    inner: torch.Tensor
    present: torch.Tensor
    missed_outer: torch.Tensor
    missed_thickness: torch.Tensor


def continue_tables(tables: Tables, vault: VaultMap, shape: ShapeModel | None = None) -> ContinuedTables:
    """Both tables over the whole map, from where there is bone; without a shape model, from the rim alone."""
    images = torch.stack((tables.outer, tables.outer - tables.inner))
    elevation = vault.directions()[..., 2].numpy()
    clear = ~_about_holes(tables, RIM)
    outer_trusted = thickness_trusted = clear
    expected = torch.zeros_like(images)
    if shape:
        expected = shape.expected(images[0], images[1], torch.from_numpy(clear).float(), vault)
        outer_trusted, inner_trusted = trusted_tables(tables, expected, vault)
        thickness_trusted = outer_trusted & inner_trusted
        expected = shape.expected(images[0], images[1], torch.from_numpy(thickness_trusted).float(), vault)
    whole = torch.stack(
        (
            _continued(images[0], expected[0], outer_trusted, elevation, bool(shape), thin_plate=True),
            _continued(images[1], expected[1], thickness_trusted, elevation, bool(shape), thin_plate=False),
        )
    )
    within = torch.from_numpy(elevation > LOWEST + MARGIN) & bool(shape)
    missed = torch.where(within, whole - expected, 0.0)
    thickness = whole[1].clamp_min(LEAST_THICKNESS)
    return ContinuedTables(whole[0], whole[0] - thickness, tables.present, missed[0], missed[1])


def trusted_tables(
    tables: Tables, expected: torch.Tensor, vault: VaultMap
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Where the outer and the inner table (V, U) are the bone's own, and not the rim of a hole.

    Args:
        expected: outer table and thickness (2, V, U), millimetres, of the shape model.
    """
    near, edge = _about_holes(tables, REACH), _about_holes(tables, EDGE)
    pixel = float(tables.outer[tables.present > 0.5].mean()) * math.radians(2.0 * vault.reach / vault.size)
    trusted = []
    for table, usual in ((tables.outer, expected[0]), (tables.inner, expected[0] - expected[1])):
        steep = _steepest((table - usual).numpy(), tables.present.numpy() > 0.5) > STEEPEST * pixel
        trusted.append(~edge & ~(near & ndimage.binary_dilation(steep & near)))
    return trusted[0], trusted[1]


def _about_holes(tables: Tables, pixels: int) -> npt.NDArray[np.bool_]:
    """Where there is no bone, and ``pixels`` around."""
    about: npt.NDArray[np.bool_] = ndimage.binary_dilation(tables.present.numpy() < 0.5, iterations=pixels)
    return about


def _steepest(image: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """The largest difference of each pixel of ``image`` (V, U) to a neighbour, of those that are ``present``."""
    largest = np.zeros_like(image)
    for axis in (0, 1):
        difference = np.abs(np.diff(image, axis=axis))
        both = present & np.roll(present, -1, axis)
        difference *= np.delete(both, -1, axis)
        before, after = [(0, 0), (0, 0)], [(0, 0), (0, 0)]
        before[axis], after[axis] = (1, 0), (0, 1)
        largest = np.maximum(largest, np.maximum(np.pad(difference, before), np.pad(difference, after)))
    return largest


def _continued(
    image: torch.Tensor,
    expected: torch.Tensor,
    trusted: npt.NDArray[np.bool_],
    elevation: npt.NDArray[np.float32],
    shaped: bool,
    thin_plate: bool,
) -> torch.Tensor:
    """``image`` (V, U) where ``trusted``; elsewhere what is expected and what that misses, carried over."""
    known = torch.from_numpy(trusted.astype(np.float32))
    filled = fill_by_averages(image[None, None], known[None, None])[0, 0]
    anchor = trusted & (elevation > LOWEST + MARGIN) if shaped else np.ones_like(trusted)
    missed = np.where(anchor, (filled - expected).numpy().astype(np.float64), 0.0)
    carried = _carried(missed, trusted | (elevation <= LOWEST), thin_plate)
    upper = torch.from_numpy((elevation > LOWEST) & ~trusted)
    return torch.where(upper, expected + torch.from_numpy(carried.astype(np.float32)), filled)


def batched(tables: ContinuedTables) -> ContinuedTables:
    """The same as a batch of one, (1, V, U) each."""
    return ContinuedTables(*(image[None] for image in vars(tables).values()))


def fill_by_averages(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """``values`` (B, 1, V, U) where ``known`` is 1, and averages over ever larger neighbourhoods elsewhere."""
    levels = [(values * known, known.expand_as(values))]
    while min(levels[-1][0].shape[-2:]) % 2 == 0 and min(levels[-1][0].shape[-2:]) > 2:
        levels.append((functional.avg_pool2d(levels[-1][0], 2), functional.avg_pool2d(levels[-1][1], 2)))
    total, weight = levels[-1]
    coarsest = total.sum((-2, -1), keepdim=True) / weight.sum((-2, -1), keepdim=True).clamp_min(1e-6)
    filled = torch.where(weight > 0, total / weight.clamp_min(1e-6), coarsest)
    for total, weight in reversed(levels[:-1]):
        above = functional.interpolate(filled, size=total.shape[-2:], mode="bilinear", align_corners=False)
        trust = weight / (weight + 0.05)
        filled = trust * total / weight.clamp_min(1e-6) + (1.0 - trust) * above
    return torch.where(known > 0.5, values, filled)


def _carried(image: npt.NDArray[np.float64], fixed: npt.NDArray[np.bool_], thin_plate: bool) -> npt.NDArray[np.float64]:
    """``image`` (V, U) with what is not ``fixed`` replaced by the continuation of what is."""
    unknown = np.flatnonzero(~fixed)
    if len(unknown) == 0:
        return image
    laplacian = _laplacian(*fixed.shape)
    operator = ((laplacian.T @ laplacian) if thin_plate else laplacian).tocsr()[unknown]
    flat, outside = image.ravel().copy(), fixed.ravel()
    flat[unknown] = linalg.spsolve(operator[:, unknown].tocsc(), -(operator[:, outside] @ flat[outside]))
    return flat.reshape(image.shape)


@lru_cache(maxsize=4)
def _laplacian(rows: int, columns: int) -> Any:
    """The five-point Laplacian with free edges, a sparse matrix."""

    def second_difference(n: int) -> Any:
        middle = np.full(n, -2.0)
        middle[[0, -1]] = -1.0
        return sparse.diags_array([np.ones(n - 1), middle, np.ones(n - 1)], offsets=[-1, 0, 1])

    return sparse.kron(second_difference(rows), sparse.eye_array(columns)) + sparse.kron(
        sparse.eye_array(rows), second_difference(columns)
    )
