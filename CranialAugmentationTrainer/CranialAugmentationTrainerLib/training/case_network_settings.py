"""Settings of the network that ``cranial train reconstruction`` trains; loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from CranialAugmentationTrainerLib.training.optimiser_settings import OptimiserSettings
from CranialReconstructionLib.errors import UserError

NAME = "reconstruction"


@dataclass(frozen=True)
class CaseNetworkSettings:
    """A network over the cubic grid of the papers' box.

    Attributes:
        side: voxels along each edge (W24: 256, K23: 128).
        architecture, arguments: as ``build_network`` takes them.
        optimiser: AdamW.
    """

    side: int = 64
    architecture: str = "residual_unet"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)

    def __post_init__(self) -> None:
        if self.side < 8:
            raise UserError("side must be at least 8", where="reconstruction network", remedy="Correct it.")


# W24: a residual U-Net at 256^3; K23: a V-Net at 128^3. Widths are ours; so are small and tiny.
CASE_NETWORKS = {
    "k23": CaseNetworkSettings(128, "vnet"),
    "w24": CaseNetworkSettings(256, "residual_unet", {"channels": [16, 32, 64, 128, 256], "strides": [2, 2, 2, 2]}),
    "small": CaseNetworkSettings(
        64, "residual_unet", {"channels": [16, 32, 64, 128], "strides": [2, 2, 2], "num_res_units": 2}
    ),
    "tiny": CaseNetworkSettings(
        16,
        "residual_unet",
        {"channels": [4, 8], "strides": [2], "num_res_units": 1},
        OptimiserSettings(learning_rate=1e-2, warmup=1, average=0.5),
    ),
}
