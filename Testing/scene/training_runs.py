"""Run folders written by hand, as the recorder of training writes them; and cases to train on."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import numpy as np

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.training.run_folder import RunFolder
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume

STEPS = 20


def new_run(folder: Path, method: str = "vae") -> RunFolder:
    """A run without events."""
    run = RunFolder(folder)
    run.create({"method": method, "preset": "tiny", "steps": STEPS}, [folder.parent])
    return run


def begin(run: RunFolder, step: int = 0, resumed: bool = False, host: str = "") -> None:
    """What training tells before its first step."""
    run.log("begun", pid=os.getpid(), host=host or socket.gethostname(), resumed=resumed)
    run.log("cases", training=5, validation=1, digest="0")
    run.log("started", step=step, steps=STEPS)


def report(run: RunFolder, step: int, **losses: float) -> None:
    """A step's report."""
    told = losses or {"loss": 1.0 / step, "kl": 0.5 * step}
    run.log("step", step=step, **told, seconds_a_step=0.25, seconds_left=0.25 * (STEPS - step))


def labels_of_ball(side: int, radius: float) -> Volume:
    """A hollow ball of bone (mm) on the papers' box, a piece of it missing in front."""
    grid = case_grid(side)
    places = np.stack(np.meshgrid(*3 * [np.arange(side) - (side - 1) / 2], indexing="ij")) * grid.spacing[0]
    distance = np.linalg.norm(places, axis=0)
    bone = (distance < radius) & (distance > radius - 1.6 * grid.spacing[0])
    missing = bone & (places[1] > 0.6 * radius)
    return Volume(bone.astype(np.uint8) + missing, grid.ijk_to_ras)


def preview(run: RunFolder, step: int, cases: int = 2, side: int = 16) -> list[Path]:
    """A preview of a step, and its event; the bone grows with the steps."""
    picture = run.previews / f"step-{step:06d}.png"
    picture.write_bytes(b"picture")
    volumes = [run.previews / picture.stem / f"{number:03d}.nrrd" for number in range(cases)]
    for number, path in enumerate(volumes):
        write_volume(labels_of_ball(side, 60.0 + step + 5.0 * number), path)
    run.log("preview", step=step, path=str(picture), volumes=[str(path) for path in volumes])
    return volumes


def write_label_cases(folder: Path, count: int) -> Path:
    """A folder of label volumes that one can train on."""
    for number in range(count):
        case = labels_of_ball(16, 80.0 + 3.0 * number)
        for name, label in (("skull", 1), ("defect", 2)):
            mask = case.with_voxels((case.voxels == label).astype(np.uint8))
            write_volume(mask, folder / f"{number:03d}" / f"{name}.nrrd")
    return folder


def write_embedding(
    folder: Path, real: Path, synthetic: Path, method: str = "umap", counts: tuple[int, int] = (2, 2)
) -> Path:
    """What ``cranial embed`` writes of two sets with so many cases."""
    folders = {"real: skulls": str(real), "synthetic: made": str(synthetic)}
    cases = [
        {"source": source, "name": f"{number:03d}", "x": float(number), "y": float(place)}
        for place, source in enumerate(folders)
        for number in range(counts[place])
    ]
    folder.mkdir(parents=True, exist_ok=True)
    content = {"method": method, "seed": 0, "own_neighbours": {}, "folders": folders, "cases": cases}
    (folder / "embedding.json").write_text(json.dumps(content))
    return folder
