"""What training needs of a Python beyond the first module's worker; as ``pyproject.toml`` has it under ``train``."""

from __future__ import annotations

from CranialReconstructionLib.engine.environment import REQUIREMENTS, Requirement

TRAINING = (
    *REQUIREMENTS,
    Requirement("filelock", "filelock", "3.12"),
    Requirement("lightning", "lightning", "2.5"),
    Requirement("matplotlib", "matplotlib", "3.8"),
    Requirement("scikit-learn", "sklearn", "1.5"),
    Requirement("umap-learn", "umap", "0.5.7"),
)
