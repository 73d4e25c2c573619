"""The canonical head grid: isotropic, along the RAS axes, placed from the skull itself.

The place is found by correlating the bone with the model of a vault: the upper part of an
ellipsoidal shell, with nothing inside it. All sizes of heads and all shifts are tried at once by
Fourier transform, so that a neck, a table, a cropped vertex or a missing half of the vault, which
are not shaped like the rest of a vault, hardly move the result. (Ours; no paper describes one.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.volume import Grid, Volume

SEARCH_SPACING = 6.0
HEAD_SCALES = (0.72, 0.79, 0.86, 0.93, 1.0, 1.07)

# Half axes (right, anterior, superior) of the middle of an adult's vault, in millimetres.
VAULT_HALF_AXES = np.array([70.0, 88.0, 84.0])


@dataclass(frozen=True)
class HeadBox:
    """The extent of a head grid about the centre of the vault.

    Attributes:
        low: millimetres (right, anterior, superior) of the lower corner from the vault's centre.
        size: edge lengths in millimetres.
    """

    low: tuple[float, float, float]
    size: tuple[float, float, float]

    def grid(self, centre_ras: npt.NDArray[np.float64], spacing: float) -> Grid:
        """The grid of cubic voxels of ``spacing`` millimetres that fills the box."""
        matrix = np.diag([spacing, spacing, spacing, 1.0])
        matrix[:3, 3] = centre_ras + np.array(self.low) + spacing / 2.0
        i, j, k = (round(edge / spacing) for edge in self.size)
        return Grid((k, j, i), matrix)


# Vault, orbits and occiput of an adult, with a margin for tilt and for what grows out of it.
VAULT_BOX = HeadBox(low=(-96.0, -105.0, -70.0), size=(192.0, 216.0, 168.0))
# The papers' own: 256 voxels a side about the centre, one millimetre each.
PAPER_BOX = HeadBox(low=(-128.0, -128.0, -128.0), size=(256.0, 256.0, 256.0))
HEAD_BOXES = {"vault": VAULT_BOX, "paper256": PAPER_BOX}


@dataclass(frozen=True)
class HeadPlacement:
    """Where a head lies.

    Attributes:
        centre: the vault's centre, RAS millimetres (3,).
        scale: size of the head beside an adult's of middle size.
        likeness: correlation with the model of a vault, 0 to 1.
    """

    centre: npt.NDArray[np.float64]
    scale: float
    likeness: float


def place_head(skull: Volume) -> HeadPlacement:
    """Find the vault in a skull mask (bone above zero), whatever its grid.

    Raises:
        UserError: there is no bone.
    """
    bone, low = _bone_density(skull)
    best = HeadPlacement(np.zeros(3), 1.0, -np.inf)
    half_kernel = int(np.ceil(VAULT_HALF_AXES.max() * max(HEAD_SCALES) / SEARCH_SPACING)) + 3
    shape = [scipy.fft.next_fast_len(n + 2 * half_kernel, real=True) for n in bone.shape]
    bone_spectrum = scipy.fft.rfftn(bone, shape)
    energy_spectrum = scipy.fft.rfftn(bone**2, shape)
    for scale in HEAD_SCALES:
        kernel = _vault_model(scale, half_kernel)
        support = (kernel != 0).astype(np.float64)
        match = scipy.fft.irfftn(bone_spectrum * np.conj(scipy.fft.rfftn(kernel, shape)), shape)
        energy = scipy.fft.irfftn(energy_spectrum * np.conj(scipy.fft.rfftn(support, shape)), shape)
        # Half of the norm is the model's own, so that a scrap of bone cannot match it perfectly.
        norm = np.linalg.norm(kernel) * np.sqrt(np.maximum(energy, 0.0) + 0.5 * (kernel > 0).sum())
        likeness = match / norm
        peak = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
        if likeness[peak] > best.likeness:
            wrapped = np.array([(p + n // 2) % n - n // 2 for p, n in zip(peak, shape, strict=True)])
            shift = wrapped + half_kernel + _below_a_cell(likeness, peak)
            centre = low + shift * SEARCH_SPACING
            best = HeadPlacement(centre, scale, float(likeness[peak]))
    return best


def head_grid(skull: Volume, spacing: float, box: HeadBox = VAULT_BOX) -> Grid:
    """The canonical grid of a skull mask: ``box`` about its vault, in voxels of ``spacing`` mm."""
    return box.grid(place_head(skull).centre, spacing)


def _below_a_cell(likeness: npt.NDArray[np.float64], peak: tuple[np.intp, ...]) -> npt.NDArray[np.float64]:
    """Offset of the true peak from its cell, by a parabola through the neighbours of each axis."""
    offset = np.zeros(3)
    for axis, n in enumerate(likeness.shape):
        before, after = (
            likeness[tuple((p + step) % n if a == axis else p for a, p in enumerate(peak))] for step in (-1, 1)
        )
        curvature = before - 2.0 * likeness[peak] + after
        offset[axis] = 0.5 * (before - after) / curvature if curvature < 0 else 0.0
    return np.clip(offset, -0.5, 0.5)


def _bone_density(skull: Volume) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Share of bone in cells of the search spacing (R, A, S), and the RAS of the first cell."""
    steps = [max(1, int(0.25 * SEARCH_SPACING / s)) for s in skull.spacing[::-1]]
    kji = np.argwhere(skull.voxels[:: steps[0], :: steps[1], :: steps[2]] > 0)
    if len(kji) == 0:
        raise UserError("the mask is empty", where=skull.name, remedy="Give a mask that holds a skull.")
    ras = skull.grid.ras_of((kji * steps)[:, ::-1])
    low = ras.min(0)
    cells = np.floor((ras - low) / SEARCH_SPACING).astype(int)
    shape = cells.max(0) + 1
    count = np.bincount(np.ravel_multi_index(tuple(cells.T), tuple(shape)), minlength=int(shape.prod()))
    full = SEARCH_SPACING**3 / (skull.grid.voxel_volume * np.prod(steps))
    density = np.minimum(count.reshape(shape) / (0.5 * full), 1.0)
    return density, low + SEARCH_SPACING / 2.0


def _vault_model(scale: float, half: int) -> npt.NDArray[np.float64]:
    """The vault of a head of ``scale`` in a cube of ``2 half + 1`` cells (R, A, S)."""
    axis = np.arange(-half, half + 1) * SEARCH_SPACING
    r, a, s = np.meshgrid(axis, axis, axis, indexing="ij")
    half_axes = VAULT_HALF_AXES * scale
    radius = np.sqrt((r / half_axes[0]) ** 2 + (a / half_axes[1]) ** 2 + (s / half_axes[2]) ** 2)
    distance = (radius - 1.0) * half_axes.mean()
    above_base = s > -0.25 * half_axes[2]
    shell = np.exp(-0.5 * (distance / 6.0) ** 2) * above_base * (np.abs(distance) < 15.0)
    cavity = ((distance < -18.0) & above_base).astype(np.float64)
    return shell - cavity * (0.7 * shell.sum() / cavity.sum())
