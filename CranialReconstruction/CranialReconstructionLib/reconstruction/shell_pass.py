"""What the shell network sees and says: the whole vault as a map, and the tables that are missing.

Shared by training and prediction, so that neither can drift.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from CranialReconstructionLib.reconstruction.continuation import ContinuedTables
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame
from CranialReconstructionLib.reconstruction.head_pose import UPRIGHT, HeadPose
from CranialReconstructionLib.reconstruction.vault_map import VaultMap

_SIDE = (
    "outer table, continued over holes",
    "thickness, continued over holes",
    "bone present",
    "outer table less the shape model's",
    "thickness less the shape model's",
)
SHELL_CHANNELS = (*_SIDE, *(f"{channel}, of the other side" for channel in _SIDE))
SHELL_OUTPUTS = 5

# Millimetres that the network's numbers stand for, so that they are about one.
_MIDDLE, _RADIUS, _THICKNESS, _CORRECTION = 80.0, 10.0, 5.0, 1.5
# What the shape model misses by more, in millimetres, is no vault.
_FARTHEST_MISS = 4.0
# Width of the surfaces of the painted bone: about that of a skull's on the fine grid.
_SURFACE_WIDTH = 2.0
# Least believable error of a table, millimetres.
_LEAST_SCALE = 0.1


@dataclass(frozen=True)
class ShellAnswer:
    """What the network says of each direction; each (B, V, U).

    Attributes:
        outer, inner: radii of the whole vault's tables, millimetres.
        outer_scale, inner_scale: mean absolute error that the network expects of them, millimetres.
        missing: logit of whether bone is missing there.
    """

    outer: torch.Tensor
    inner: torch.Tensor
    outer_scale: torch.Tensor
    inner_scale: torch.Tensor
    missing: torch.Tensor


def shell_input(tables: ContinuedTables) -> torch.Tensor:
    """The network's input (B, 10, V, U) from continued tables (B, V, U).

    Beside the tables stand their differences from the shape model: a tenth of a millimetre is lost
    among radii, and large among those.
    """
    side = torch.stack(
        (
            (tables.outer - _MIDDLE) / _RADIUS,
            (tables.outer - tables.inner) / _THICKNESS - 1.0,
            tables.present,
            tables.missed_outer.clamp(-_FARTHEST_MISS, _FARTHEST_MISS),
            tables.missed_thickness.clamp(-_FARTHEST_MISS, _FARTHEST_MISS),
        ),
        dim=1,
    )
    return torch.cat((side, side.flip(-1)), dim=1)


def shell_answer(seen: torch.Tensor, said: torch.Tensor) -> ShellAnswer:
    """The network's output (B, 5, V, U) in millimetres, as corrections of the continued tables."""
    outer = seen[:, 0] * _RADIUS + _MIDDLE
    thickness = (seen[:, 1] + 1.0) * _THICKNESS
    inner = outer - thickness
    scales = said[:, 2:4].clamp(-4.0, 3.0).exp() + _LEAST_SCALE
    return ShellAnswer(
        outer + _CORRECTION * said[:, 0],
        inner + _CORRECTION * said[:, 1],
        scales[:, 0],
        scales[:, 1],
        said[:, 4],
    )


def averaged_answer(first: ShellAnswer, mirrored: ShellAnswer) -> ShellAnswer:
    """The mean of an answer and of that for the mirrored head, flipped back."""
    pairs = zip(vars(first).values(), vars(mirrored).values(), strict=True)
    return ShellAnswer(*((one + other.flip(-1)) / 2.0 for one, other in pairs))


def missing_share(
    answer: ShellAnswer, frame: HeadFrame, vault: VaultMap, spacing: float, pose: HeadPose = UPRIGHT
) -> torch.Tensor:
    """The painted bone and its confidence, (2, K, J, I) on the grid of ``spacing`` mm that fills the box.

    The first channel is a share of bone, half at the tables; the second the probability that the
    place lies between them, from the errors that the network expects (Laplace).
    """
    places = pose.to_vault(frame.places(spacing))
    images = torch.stack(
        (
            answer.outer[0],
            answer.inner[0],
            answer.outer_scale[0],
            answer.inner_scale[0],
            torch.sigmoid(answer.missing[0]),
        )
    )
    pixels = vault.pixels(places)
    flat = functional.grid_sample(images[None], pixels.reshape(1, -1, 1, 2), align_corners=False)
    outer, inner, outer_scale, inner_scale, missing = flat[0, :, :, 0].reshape(5, *places.shape[:-1])
    radius = torch.linalg.vector_norm(places, dim=-1)
    below, above = outer - radius, radius - inner
    ramp = ((0.5 + below / _SURFACE_WIDTH).clamp(0, 1)) * ((0.5 + above / _SURFACE_WIDTH).clamp(0, 1))
    likely = _laplace(below, outer_scale) * _laplace(above, inner_scale)
    return torch.stack((missing * ramp, missing * likely))


def _laplace(distance: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Probability that a Laplace error of mean size ``scale`` stays below ``distance``."""
    tail = 0.5 * torch.exp(-distance.abs() / scale)
    return torch.where(distance > 0, 1.0 - tail, tail)
