"""Tables continued over a hole: the start from which the shell network corrects.

The shape model says what the whole vault is likely to be; what it misses at the bone around the hole
is carried over the hole as a thin plate (outer table) or a membrane (thickness) would carry it, so that
the tables meet the bone in height and the outer one in slope. (Ours.)
"""

from __future__ import annotations

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

# Pixels next to a hole that are not trusted: an oblique rim leaves a wedge of bone, not the tables.
RIM = 3
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
    """

    outer: torch.Tensor
    inner: torch.Tensor
    present: torch.Tensor


def continue_tables(tables: Tables, vault: VaultMap, shape: ShapeModel | None = None) -> ContinuedTables:
    """Both tables over the whole map, from where there is bone; without a shape model, from the rim alone."""
    trusted = ~ndimage.binary_dilation(tables.present.numpy() < 0.5, iterations=RIM)
    known = torch.from_numpy(trusted.astype(np.float32))
    images = torch.stack((tables.outer, tables.outer - tables.inner))
    filled = fill_by_averages(images[:, None], known[None, None])[:, 0]
    elevation = vault.directions()[..., 2].numpy()
    if shape is None:
        expected, anchor = torch.zeros_like(filled), np.ones_like(trusted)
    else:
        expected = shape.expected(images[0], images[1], known, vault)
        anchor = trusted & (elevation > LOWEST + MARGIN)
    missed = np.where(anchor, (filled - expected).numpy().astype(np.float64), 0.0)
    fixed = trusted | (elevation <= LOWEST)
    carried = np.stack((_carried(missed[0], fixed, thin_plate=True), _carried(missed[1], fixed, thin_plate=False)))
    upper = torch.from_numpy(elevation > LOWEST) & ~torch.from_numpy(trusted)
    whole = torch.where(upper, expected + torch.from_numpy(carried.astype(np.float32)), filled)
    return ContinuedTables(whole[0], whole[0] - whole[1].clamp_min(LEAST_THICKNESS), tables.present)


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


def _carried(
    image: npt.NDArray[np.float64], fixed: npt.NDArray[np.bool_], thin_plate: bool
) -> npt.NDArray[np.float64]:
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
