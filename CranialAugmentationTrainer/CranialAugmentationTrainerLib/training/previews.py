"""Pictures of what a network says of the same few validation cases, as it learns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from CranialReconstructionLib.imaging.whole_file import whole_file

# Validation cases that are shown.
SHOWN = 4
_GAP = 4


def write_preview(rows: Sequence[Sequence[torch.Tensor]], path: Path) -> None:
    """A PNG of one row a case, its panels (V, U), 0 to 1, side by side; v and s run upwards."""
    bands = [np.concatenate([_framed(panel) for panel in row], axis=1) for row in rows]
    with whole_file(path) as part:
        Image.fromarray(np.concatenate(bands)).save(part, format="PNG")


def slice_through(missing: torch.Tensor, *volumes: torch.Tensor) -> list[torch.Tensor]:
    """The sagittal slice (K, J) of each volume (K, J, I) where most of ``missing`` (K, J, I) is."""
    most = int(missing.sum((0, 1)).argmax()) if bool(missing.any()) else missing.shape[-1] // 2
    return [volume[..., most] for volume in volumes]


def _framed(panel: torch.Tensor) -> np.ndarray:
    grey = (255.0 * panel.detach().float().cpu().clamp(0.0, 1.0)).round().to(torch.uint8).numpy()
    return np.pad(grey[::-1], _GAP // 2, constant_values=64)
