"""The channels of a case as generators see it: (B, 2, K, J, I), float32 in [0, 1], on a cubic head grid."""

from __future__ import annotations

SKULL = 0
DEFECT = 1
CHANNELS = 2
