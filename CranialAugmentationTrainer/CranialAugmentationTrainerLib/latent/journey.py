"""From one case to another in steps: volumes, surfaces and an animated picture of what lies between."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from CranialAugmentationTrainerLib.datasets.case_grid import case_grid
from CranialAugmentationTrainerLib.datasets.synthetic_set import DEFECT_LABEL, SKULL_LABEL
from CranialAugmentationTrainerLib.latent.animation import frame_of, write_animation
from CranialAugmentationTrainerLib.latent.interpolation import Way, interpolated
from CranialAugmentationTrainerLib.latent.surfaces import case_surfaces, write_surfaces
from CranialAugmentationTrainerLib.sampling.sampler import latent_digest
from CranialAugmentationTrainerLib.synthesis.post_processing import PostProcessing, post_process
from CranialAugmentationTrainerLib.synthesis.quality import QualityLimits, reason_to_reject
from CranialAugmentationTrainerLib.synthesis.source import CaseGenerator, device_of
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.imaging.whole_file import whole_file


@dataclass(frozen=True)
class Step:
    """One case on the way.

    Attributes:
        share: of the way, 0 to 1.
        latent: its digest.
        concern: why a set would not take it; empty if it would.
        skull_ml, defect_ml: volumes.
        volume, surfaces: files, relative to the folder.
    """

    share: float
    latent: str
    concern: str
    skull_ml: float
    defect_ml: float
    volume: str
    surfaces: tuple[str, ...]


def write_journey(
    generator: CaseGenerator,
    first: torch.Tensor,
    last: torch.Tensor,
    folder: Path,
    *,
    steps: int = 12,
    way: Way = "spherical",
    suffix: str = ".nrrd",
    report: Callable[[int, int], None] = lambda done, of: None,
) -> list[Step]:
    """Decode ``steps`` latents and write ``volumes/``, ``surfaces/``, ``interpolation.gif`` and ``.json``.

    Every step is written, those too that a synthetic set would reject: where a way breaks is what it shows.
    """
    made, frames = [], []
    for number, latent in enumerate(interpolated(first, last, steps, way)):
        with torch.inference_mode():
            shares = generator.decode(latent[None].to(device_of(generator)))[0].float().cpu().numpy()
        side = shares.shape[-1]
        constants = PostProcessing.for_side(side)
        labels = post_process(shares, constants)
        grid = case_grid(side)
        name = f"{number:03d}"
        volume = folder / "volumes" / f"{name}{suffix}"
        write_volume(Volume(labels, grid.ijk_to_ras), volume)
        surfaces = write_surfaces(case_surfaces(shares, labels, constants.threshold), folder / "surfaces", name)
        frames.append(frame_of(shares * (labels > 0)))
        millilitres = grid.voxel_volume / 1000.0
        made.append(
            Step(
                share=number / (steps - 1),
                latent=latent_digest(latent),
                concern=reason_to_reject(labels, QualityLimits()),
                skull_ml=round(int((labels == SKULL_LABEL).sum()) * millilitres, 3),
                defect_ml=round(int((labels == DEFECT_LABEL).sum()) * millilitres, 3),
                volume=volume.relative_to(folder).as_posix(),
                surfaces=tuple(path.relative_to(folder).as_posix() for path in surfaces),
            )
        )
        report(number + 1, steps)
    write_animation(frames, folder / "interpolation.gif")
    with whole_file(folder / "interpolation.json") as part:
        part.write_text(json.dumps({"way": way, "steps": [asdict(step) for step in made]}, indent=1) + "\n")
    return made
