"""Frames a second of a slider between two cases, on one core: from a latent, or a label volume, to the model node.

    python Testing/benchmarks/interpolation_speed.py [--side 64] [--run RUN] [--cases A.nrrd B.nrrd] [--view]

Without a run, what lies between two cases is blended; with one, its generator decodes it. Without cases, these are
hollow balls with as many triangles as a skull. With ``--view`` each frame is drawn as well, without a GPU where there
is none. Seconds are those of the processor.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parents[1] / "scene"))

from trainer_scene import TrainerApplication

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid, read_case
from CranialAugmentationTrainerLib.datasets.skull_case import SkullCase
from CranialAugmentationTrainerLib.scene.label_surfaces import FINEST, surfaces_of_masks, surfaces_of_shares
from CranialAugmentationTrainerLib.scene.sequences import models_of, new_frames, put_frame, show_frame, show_surfaces
from CranialReconstructionLib.imaging.volume import Volume

GOAL = 10.0
Given = TypeVar("Given")
Made = TypeVar("Made")
Shares = npt.NDArray[np.float32]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64, help="voxels along each edge (64; a run's own with --run)")
    parser.add_argument("--finest", type=int, default=FINEST, help=f"voxels that surfaces are made of ({FINEST})")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--run", type=Path, help="a run or a package of a generator")
    parser.add_argument("--cases", type=Path, nargs=2, help="two label volumes")
    parser.add_argument("--view", action="store_true", help="draw the frames, too")
    options = parser.parse_args()
    if options.run:
        decode, side = decoder(options.run)
    else:
        side = options.side
        ends = [read_case(SkullCase(path.name, path.name, labels=path), side) for path in options.cases or ()]
        decode = blender(*(ends or [ball(side, 80.0), ball(side, 95.0)]))
    grid = case_grid(side)
    way = np.linspace(0.0, 1.0, options.frames)

    with tempfile.TemporaryDirectory() as folder:
        application = TrainerApplication(Path(folder))
        browser = new_frames(application.trainer(), "speed", "way", "share of the way")
        decoded, decoding = timed(decode, list(way))
        surfaces, meshing = timed(lambda shares: surfaces_of_shares(shares, grid, options.finest), decoded)
        masks = [[Volume(part > 0.5, grid.ijk_to_ras) for part in shares] for shares in decoded]
        _, from_labels = timed(lambda pair: surfaces_of_masks(*pair, options.finest), masks)
        _, recording = timed(lambda entry: put_frame(browser, *entry), list(zip(way, surfaces, strict=True)))
        _, playing = timed(lambda number: show_frame(browser, number), list(range(options.frames)))
        _, replacing = timed(lambda shown: show_surfaces(browser, shown), surfaces)
        rows = {
            "decode" if options.run else "blend": decoding,
            "surfaces of shares": meshing,
            "surfaces of labels": from_labels,
            "replace the models' surfaces": replacing,
            "record a frame": recording,
            "play a recorded frame": playing,
        }
        live = decoding + meshing + replacing
        if options.view:
            from rendering import View

            view = View(application)
            show_frame(browser, 0)
            view.picture()

            def draw(number: int) -> None:
                show_frame(browser, number)
                view.draw()

            rows["draw"] = timed(draw, list(range(options.frames)))[1] - playing
            live += rows["draw"]
        cells = [model.GetMesh().GetNumberOfCells() for model in models_of(browser).values()]
        application.scene.Clear(True)

    table = Table("", "ms", title=f"{side} voxels an edge, {cells[0]} and {cells[1]} triangles")
    for name, seconds in rows.items():
        table.add_row(name, f"{1000.0 * seconds:.1f}")
    table.add_section()
    table.add_row("following a slider, frames a second", f"{1.0 / live:.1f}")
    table.add_row("playing what was recorded, frames a second", f"{1.0 / (playing + rows.get('draw', 0.0)):.1f}")
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    return 0 if 1.0 / live >= GOAL else 1


def timed(work: Callable[[Given], Made], entries: list[Given]) -> tuple[list[Made], float]:
    """What ``work`` gives for each, and its seconds for one; the first, which warms up, is done twice."""
    work(entries[0])
    begun = time.process_time()
    found = [work(entry) for entry in entries]
    return found, (time.process_time() - begun) / len(entries)


def blender(first: Shares, last: Shares) -> Callable[[float], Shares]:
    """Between two cases."""
    return lambda share: np.asarray(first + np.float32(share) * (last - first), np.float32)


def decoder(run: Path) -> tuple[Callable[[float], Shares], int]:
    """Between the first two seeds of a generator; and its voxels an edge."""
    import torch

    from CranialAugmentationTrainerLib.latent.encoding import latent_of
    from CranialAugmentationTrainerLib.latent.interpolation import spherical
    from CranialAugmentationTrainerLib.synthesis.generator_package import generator_source

    torch.set_num_threads(1)
    generator = generator_source(run, "cpu").load()
    ends = [latent_of(seed, generator) for seed in ("0", "1")]

    def decode(share: float) -> Shares:
        with torch.inference_mode():
            return np.asarray(generator.decode(spherical(*ends, share)[None])[0].float().numpy())

    return decode, decode(0.0).shape[-1]


def ball(side: int, radius: float) -> Shares:
    """Shares of a hollow ball (mm), a piece of it missing in front."""
    edge = case_grid(side).spacing[0]
    places = np.stack(np.meshgrid(*3 * [np.arange(side) - (side - 1) / 2], indexing="ij")) * edge
    distance = np.linalg.norm(places, axis=0)
    bone = np.clip((radius - distance) / edge + 0.5, 0.0, 1.0) * np.clip(
        (distance - radius + 10.0) / edge + 0.5, 0.0, 1.0
    )
    missing = places[1] > 0.6 * radius
    return np.stack([bone * ~missing, bone * missing]).astype(np.float32)


if __name__ == "__main__":
    raise SystemExit(main())
