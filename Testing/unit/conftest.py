"""What several test files need."""

from __future__ import annotations

from pathlib import Path

import pytest

from CranialReconstructionLib.reconstruction.manifest import (
    Figure,
    HeadGrid,
    ModelManifest,
    NetworkEntry,
    Training,
    TrainingData,
)


@pytest.fixture
def small_manifest() -> ModelManifest:
    """The manifest of a package with two networks of a few thousand weights."""
    arguments = {"channels": (4, 8), "strides": (2,)}
    return ModelManifest(
        name="small-unet",
        version="1.2.3",
        description="A network that has learned nothing.",
        licence="CC0-1.0",
        networks={
            "coarse": NetworkEntry("residual_unet", arguments, ("occupancy",), 2.0, (96, 96, 112)),
            "fine": NetworkEntry(
                "residual_unet",
                {**arguments, "in_channels": 2},
                ("occupancy", "coarse probability"),
                0.5,
                (64, 64, 64),
            ),
        },
        head_grid=HeadGrid("vault", (192.0, 224.0, 192.0)),
        post_processing={"threshold": 0.5, "minimum_component_ml": 0.3},
        training=Training(
            data=(TrainingData("made of noise", "CC0-1.0", 3),),
            command="cranial train-reconstruction small.toml",
            steps=0,
            seconds=0.5,
            machine="any",
            split_sha256="0" * 64,
        ),
        figures=(Figure("DSC", 0.25, "3 noises", "cranial evaluate a b"),),
        coverage={"head_volume_ml": (900.0, 4000.0)},
    )


@pytest.fixture
def small_package(tmp_path: Path, small_manifest: ModelManifest) -> Path:
    """The folder of that package, with weights drawn from a fixed seed."""
    import torch

    from CranialReconstructionLib.reconstruction.model_package import write_package
    from CranialReconstructionLib.reconstruction.networks import build_network

    with torch.random.fork_rng():
        torch.manual_seed(7)
        weights = {
            name: build_network(entry.architecture, entry.arguments).state_dict()
            for name, entry in small_manifest.networks.items()
        }
    folder = tmp_path / "published" / small_manifest.name
    write_package(folder, small_manifest, weights)
    return folder
