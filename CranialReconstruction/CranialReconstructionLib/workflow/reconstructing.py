"""Step 3: the missing bone of a skull, and two reconstructions beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CranialReconstructionLib.engine.arguments import Compare, Reconstruct
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.scene.results import Reconstruction, Run, show_difference, show_reconstruction
from CranialReconstructionLib.scene.volumes import write_mask
from CranialReconstructionLib.workflow.segment import NodeFiles, Segment
from CranialReconstructionLib.workflow.tasks import Task, Tasks


@dataclass(frozen=True)
class Options:
    """How the missing bone is looked for.

    Attributes:
        method: "network" or "mirror".
        model: name or folder of a model package; the shipped one without it.
        device: "auto", "cpu", "cuda" or "mps".
        complete: also make the complete skull.
    """

    method: str = "network"
    model: str | None = None
    device: str = "auto"
    complete: bool = False


def reconstruct(
    tasks: Tasks,
    files: NodeFiles,
    case: Any,
    skull: Segment,
    options: Options = Options(),
    region: Volume | None = None,
    cut: Volume | None = None,
) -> Task[Reconstruction]:
    """Find the missing bone of ``skull`` and show it in ``case``, beside earlier results.

    Args:
        region: mask on the skull's grid; bone is added inside of it only.
        cut: mask on the skull's grid; bone inside of it counts as missing.
    """
    folder = tasks.new_folder()
    arguments = Reconstruct(
        skull=files.path_of(skull),
        folder=folder,
        method=options.method,
        model=options.model or None,
        device=options.device,
        region=_written(region, folder / "region.nrrd"),
        cut=_written(cut, folder / "cut.nrrd"),
        complete=options.complete,
    )
    source = skull.segmentation

    def finish(result: Mapping[str, Any]) -> Reconstruction:
        used = Path(result.get("skull", arguments.skull))
        run = Run.from_files(_title(result), used, result, options.complete)
        return show_reconstruction(case, run, source)

    return tasks.begin(f"Find the missing bone of {skull.name}", arguments, finish)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two reconstructions of one skull.

    Attributes:
        difference: segmentation of where they differ.
        dice, hd95_mm: how alike they are; the distance is None where one is empty.
        first_ml, second_ml: their volumes.
    """

    difference: Any
    dice: float
    hd95_mm: float | None
    first_ml: float
    second_ml: float


def compare(tasks: Tasks, files: NodeFiles, case: Any, first: Segment, second: Segment) -> Task[Comparison]:
    """Show where two reconstructions on one grid differ, and by how much."""
    arguments = Compare(first=files.path_of(first), second=files.path_of(second), folder=tasks.new_folder())
    names = first.segmentation.GetName(), second.segmentation.GetName()

    def finish(result: Mapping[str, Any]) -> Comparison:
        node = show_difference(case, Path(result["difference"]), *names)
        return Comparison(node, result["dice"], result["hd95_mm"], result["first_ml"], result["second_ml"])

    return tasks.begin("Compare two reconstructions", arguments, finish)


def _written(mask: Volume | None, path: Path) -> Path | None:
    if mask is None:
        return None
    write_mask(mask, path)
    return path


def _title(result: Mapping[str, Any]) -> str:
    model = result.get("model")
    return f"{model['name']} {model['version']}" if model else result["method"]
