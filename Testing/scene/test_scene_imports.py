"""The scene's room runs in Slicer as it comes: nothing has to be installed to import it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import CranialReconstructionLib.scene

# Of this project's dependencies, those that Slicer does not bring.
NOT_IN_SLICER = {
    "einops", "lightning", "manifold3d", "monai", "nibabel", "ray", "reportlab", "rich", "safetensors", "skimage",
    "torch",
}  # fmt: skip


def test_nothing_is_imported_that_slicer_lacks() -> None:
    names = [path.stem for path in Path(CranialReconstructionLib.scene.__file__).parent.glob("*.py")]
    assert {"volumes", "segments", "footprint"} <= set(names)
    library = str(Path(CranialReconstructionLib.__file__).parents[1])
    code = (
        f"import importlib, json, sys\nsys.path.insert(0, {library!r})\n"
        f"[importlib.import_module('CranialReconstructionLib.scene.' + name) for name in {names}]\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "slicer" in loaded
    assert loaded & NOT_IN_SLICER == set()
