"""The grey values of a CT: whether they are Hounsfield units, and where its bone begins.

Rules and constants of this file are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from CranialReconstructionLib.imaging.volume import Array

# Unsigned CT is stored with one of these added to its Hounsfield units.
OFFSETS = (0, 1024, 1000)
AIR_HU = (-1060.0, -940.0)
SOFT_TISSUE_HU = (-20.0, 100.0)
BRAIN_HU = 35.0
# Half way between air and soft tissue lies the skin.
SKIN_HU = -480.0
METAL_HU = 2800.0
# Denser than any bone but the enamel of teeth: left out of the mean of bone.
DENSEST_BONE_HU = 2000.0
LOWEST_THRESHOLD_HU = 150.0
HIGHEST_THRESHOLD_HU = 400.0

# A sheet of bone about 0.3 times as thick as the scan's blur (full width at half maximum) still rises
# a quarter of the way from soft tissue to bone; half way, the usual level, would lose the squamous
# temporal bone and the orbital roof.
THIN_BONE_SHARE = 0.25
NOISE_MULTIPLE = 4.0

_LEAST_AIR_SHARE = 0.005
_LEAST_SOFT_TISSUE_SHARE = 0.05
_BIN = 2.0
_BIN_SMOOTHING = np.hanning(13)[1:-1] / np.hanning(13).sum()


@dataclass(frozen=True)
class HounsfieldScale:
    """How the stored values of a CT relate to Hounsfield units.

    Attributes:
        offset: stored value minus HU: 0, 1024 or 1000.
        soft_tissue: HU of the peak of soft tissue.
        noise: standard deviation of that peak's upper side, HU. The mixture of tissues is in it.
    """

    offset: int
    soft_tissue: float
    noise: float


@dataclass(frozen=True)
class BoneLevels:
    """HU from which a voxel may be bone, and from which it surely is (half way to dense bone)."""

    threshold: float
    dense: float


def find_hounsfield_scale(values: Array) -> HounsfieldScale | None:
    """The scale of a CT's stored values (any shape; a regular sample will do), None if not HU.

    HU show a peak of air near -1000 and one of soft tissue near 0 to 80, as they are or with an
    offset of 1024 or 1000 added. Cone beam CT, windowed pictures and MR do not.
    """
    found = []
    for offset in OFFSETS:
        hounsfield = values.astype(np.float32).ravel() - offset
        air = (hounsfield > AIR_HU[0]) & (hounsfield < AIR_HU[1])
        if air.mean() < _LEAST_AIR_SHARE:
            continue
        body = hounsfield[hounsfield > SKIN_HU]
        counts, edges = np.histogram(body, np.arange(-60.0, 400.0, _BIN))
        smooth = np.convolve(counts, _BIN_SMOOTHING, mode="same")
        peak = int(smooth[edges[:-1] < 160.0].argmax())
        soft_tissue = float(edges[peak]) + _BIN / 2.0
        around = np.abs(body - soft_tissue) < 50.0
        if not SOFT_TISSUE_HU[0] <= soft_tissue <= SOFT_TISSUE_HU[1]:
            continue
        if around.sum() < _LEAST_SOFT_TISSUE_SHARE * max(body.size, 1):
            continue
        below_half = np.flatnonzero(smooth[peak:] < 0.5 * smooth[peak])
        half_width = _BIN * float(below_half[0] if below_half.size else smooth.size - peak)
        found.append(HounsfieldScale(offset, soft_tissue, half_width / np.sqrt(2.0 * np.log(2.0))))
    return min(found, key=lambda scale: abs(scale.soft_tissue - BRAIN_HU), default=None)


def find_bone_levels(hounsfield: Array, scale: HounsfieldScale) -> BoneLevels:
    """Where bone begins in this scan, from a sample of the HU inside the head.

    The level of dense bone is found by the iteration of Ridler and Calvard (IEEE Trans. SMC 8, 1978)
    with the soft tissue held fast. It falls with the density of the bone (children), with thick
    slices and with smooth kernels, and the threshold falls with it; the noise of a sharp kernel
    raises the threshold. The threshold stays within 150 to 400 HU.
    """
    solid = hounsfield[(hounsfield > scale.soft_tissue + 100.0) & (hounsfield < DENSEST_BONE_HU)]
    dense = scale.soft_tissue + 100.0
    for _ in range(50):
        above = solid[solid >= dense]
        if above.size == 0:
            break
        middle = 0.5 * (scale.soft_tissue + float(above.mean()))
        if abs(middle - dense) < 1.0:
            break
        dense = middle
    bone = 2.0 * dense - scale.soft_tissue
    thin = scale.soft_tissue + THIN_BONE_SHARE * (bone - scale.soft_tissue)
    quiet = scale.soft_tissue + NOISE_MULTIPLE * scale.noise
    threshold = float(np.clip(max(thin, quiet), LOWEST_THRESHOLD_HU, HIGHEST_THRESHOLD_HU))
    return BoneLevels(threshold, max(dense, threshold))
