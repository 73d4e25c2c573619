"""Slicer opens the Trainer's rooms for scene and workflow as it comes: nothing to install, no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import CranialAugmentationTrainerLib
import CranialReconstructionLib

# Of this project's dependencies, those that Slicer does not bring; and its windows, which slicer-core has not.
NOT_IN_SLICER = {
    "einops", "filelock", "lightning", "manifold3d", "matplotlib", "monai", "nibabel", "ray", "reportlab", "rich",
    "safetensors", "skimage", "sklearn", "torch", "umap",
}  # fmt: skip
WINDOWS = {"qt", "ctk"}


def test_nothing_is_imported_that_slicer_lacks() -> None:
    library = Path(CranialAugmentationTrainerLib.__file__).parent
    names = [f"{room}.{path.stem}" for room in ("scene", "workflow") for path in (library / room).glob("*.py")]
    assert {"scene.loss_curves", "workflow.run_watch"} <= set(names)
    homes = [str(library.parent), str(Path(CranialReconstructionLib.__file__).parents[1])]
    code = (
        f"import importlib, json, sys\nsys.path[:0] = {homes}\n"
        f"[importlib.import_module('CranialAugmentationTrainerLib.' + name) for name in {names}]\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "slicer" in loaded
    assert loaded & (NOT_IN_SLICER | WINDOWS) == set()
