"""Make the demo head: a skull with a craniectomy that is nobody's, and the bone that was taken out.

    python Testing/makers/make_demo_head.py --data FOLDER -o Resources/SampleData/DemoHead --exclude 004 ...

FOLDER is in SkullFix's layout. Skulls drawn by the seed are averaged in their mean shape, varied,
sampled as an oblique scan of full resolution, and sawn open on one side. ``provenance.json`` says how,
and how far the result is from every skull in FOLDER.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from average_head import SCHEDULE, Field, Mask, Shell, Variation, mean_shell, smooth_noise, varied
from craniectomy import Craniectomy, saw_field
from resemblance import bone_dice, rigid_surface_distance
from scipy import ndimage
from scipy.spatial.transform import Rotation
from skimage.measure import marching_cubes, mesh_surface_area

from CranialAugmentationTrainerLib.datasets.paired_skulls import PairedSkull, find_paired_skulls
from CranialAugmentationTrainerLib.training.head_cache import CachedHead, cache_heads
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.head_grid import VAULT_BOX, place_head
from CranialReconstructionLib.imaging.resampling import occupancy, resample
from CranialReconstructionLib.imaging.volume import Grid, Volume
from CranialReconstructionLib.reconstruction.head_frame import HeadFrame

SPACING = 1.5
# Cubic interpolation goes to this spacing, linear interpolation on to the scan's own.
FINE_SPACING = 0.75
# A head whose scan ends above the box's floor would leave the mean base to the others: square
# millimetres of bone on the floor that show that the scan goes on.
FLOOR_BONE = 1000.0
# Bone up to this far from the cavity is vault; the zygomatic arch stands further out. Millimetres.
VAULT_THICKNESS = 13.0
# Roughness of the outer and the inner table, millimetres, and the size of its bumps.
ROUGHNESS, BUMP = 0.15, 1.5
PACKAGES = ("numpy", "scipy", "scikit-image", "SimpleITK", "torch")
LICENCE = "CC BY-NC-SA 4.0"
METHOD = (
    "The skulls were registered to the one most like the others (affine, then dense displacement); signed"
    " depths of the outer surface and of the endocranial cavity were averaged and moved to the mean shape;"
    " stretch, bend and thickness were varied by smooth random fields; the head was sampled as an oblique"
    " scan and sawn open."
)
SOURCE = "SkullFix: Kodym et al., Data in Brief 35:106902 (2021), from CQ500"


@dataclass(frozen=True)
class Scan:
    """The scan that the head is sampled as.

    Attributes:
        shape: voxels (K, J, I).
        spacing: along (I, J, K), millimetres.
        tilt: degrees about (right, anterior, superior).
        centre: of the scan from the vault's centre, millimetres (right, anterior, superior).
        table: where the vault's centre lies in the scanner, RAS millimetres.
    """

    shape: tuple[int, int, int] = (262, 512, 512)
    spacing: tuple[float, float, float] = (0.45, 0.45, 0.6)
    tilt: tuple[float, float, float] = (3.0, 1.5, -4.0)
    centre: tuple[float, float, float] = (0.0, 0.0, 18.0)
    table: tuple[float, float, float] = (3.0, -21.0, 640.0)

    def grid(self) -> Grid:
        """Columns towards the left, rows towards the back, slices upwards, as scanners write them."""
        axes = Rotation.from_euler("xyz", self.tilt, degrees=True).as_matrix() @ np.diag([-1.0, -1.0, 1.0])
        matrix = np.eye(4)
        matrix[:3, :3] = axes * np.array(self.spacing)
        middle = (np.array(self.shape[::-1]) - 1.0) / 2.0
        matrix[:3, 3] = np.array(self.table) + self.centre - matrix[:3, :3] @ middle
        return Grid(self.shape, matrix)


def heads_in_order(cases: Sequence[PairedSkull], generator: np.random.Generator, cache: Path) -> Iterator[CachedHead]:
    """``cases`` in a random order, those whose scan reaches the floor of the head box."""
    for number in generator.permutation(len(cases)):
        (head,) = cache_heads([cases[number]], cache, VAULT_BOX, SPACING)
        if int((head.complete[0] > 127).sum()) * SPACING**2 >= FLOOR_BONE:
            yield head


def sampled(field: Field, scan: Scan, generator: np.random.Generator | None) -> Field:
    """``field`` of the head box as the scan sees it, roughened where a generator is given."""
    centre = np.array(scan.table)
    coarse = VAULT_BOX.grid(centre, SPACING)
    volume = resample(Volume(field, coarse.ijk_to_ras), VAULT_BOX.grid(centre, FINE_SPACING), "bspline")
    if generator is not None:
        rough = smooth_noise(volume.voxels.shape, BUMP / FINE_SPACING, generator)
        volume = volume.with_voxels(volume.voxels + np.float32(ROUGHNESS) * rough)
    return resample(volume, scan.grid(), outside=-1.0).voxels


def saw_open(shell: Shell, saw: Field, scan: Scan, generator: np.random.Generator) -> tuple[Volume, Volume]:
    """The skull without the bone that ``saw`` takes, and that bone, uint8 on the scan's grid.

    The skull is one connected piece, and so are both together.
    """
    cavity = sampled(shell.cavity, scan, generator)
    complete = _largest_piece((sampled(shell.outside, scan, generator) > 0.0) & (cavity <= 0.0))
    skull = _largest_piece(complete & ~((sampled(saw, scan, None) > 0.0) & (cavity > -VAULT_THICKNESS)))
    matrix = scan.grid().ijk_to_ras
    return Volume(skull.view(np.uint8), matrix), Volume((complete & ~skull).view(np.uint8), matrix)


def _largest_piece(mask: Mask) -> Mask:
    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest: Mask = pieces == int(sizes.argmax())
    return largest


def outer_area(shell: Shell, saw: Field) -> float:
    """What ``saw`` takes of the outer table, square centimetres."""
    taken = (saw > 0.0) & (shell.cavity > -VAULT_THICKNESS)
    corners, faces, _, _ = marching_cubes(shell.outside, 0.0, spacing=(SPACING,) * 3)
    at_face = np.rint(corners[faces].mean(axis=1) / SPACING).astype(int)
    return float(mesh_surface_area(corners, faces[taken[tuple(at_face.T)]])) / 100.0


def likeness(skull: Volume, defect: Volume, heads: Sequence[CachedHead]) -> dict[str, Any]:
    """How like the made head is to each of ``heads``, placed as they were, from the defective skull."""
    complete = skull.with_voxels(skull.voxels | defect.voxels)
    made = occupancy(complete, VAULT_BOX.grid(place_head(skull).centre, SPACING)).voxels > 0.5
    dice, distance = {}, {}
    for head in heads:
        other = head.complete.numpy() > 127
        dice[head.name] = bone_dice(made, other)
        distance[head.name] = rigid_surface_distance(made, other, SPACING, np.random.default_rng(0))
    nearest = min(distance, key=lambda name: distance[name])
    return {
        "compared_with": len(heads),
        "largest_dice_of_bone": round(max(dice.values()), 3),
        "nearest_mean_surface_distance_mm": round(distance[nearest], 2),
        "median_mean_surface_distance_mm": round(float(np.median(list(distance.values()))), 2),
        "how": "Dice on the canonical head grid, 1.5 mm, without registration; mean distance of the"
        " surfaces, both ways, after the best rigid fit to each skull.",
    }


def write_texts(folder: Path, provenance: dict[str, Any]) -> None:
    """``provenance.json`` and the README.md that a reader meets first."""
    (folder / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    defect, near = provenance["defect"], provenance["likeness"]
    text = f"""# The demo head

A skull that is nobody's, with a frontotemporoparietal craniectomy on the patient's {defect["side"]}.

| file | what |
|---|---|
| `defective_skull.nrrd` | the skull as a scan shows it, {provenance["grid"]} |
| `defect.nrrd` | the bone that was sawn out: {defect["volume_ml"]} ml, {defect["area_cm2"]} cm2 |
| `provenance.json` | the command, the seed, the method, SHA256 of both files, the distance to real skulls |

The two together are the whole head, the truth that a reconstruction is measured against.

It was made from {len(provenance["skulls"])} skulls of SkullFix: they were registered to each other, their
outer and inner surfaces averaged in their mean shape, and the mean head bent, stretched and given
another thickness at random. Of the {near["compared_with"]} skulls it was compared with, the nearest is
{near["nearest_mean_surface_distance_mm"]} mm away on average over the surface, after the best rigid fit.

Made again by:

    {provenance["command"]}

## Licence

{LICENCE}, as a work derived from SkullFix: O. Kodym, J. Li, A. Pepe, C. Gsaxner, S. Chilamkurthy, J. Egger,
M. Španěl, "SkullBreak / SkullFix – Dataset for automatic cranial implant design and a benchmark for
volumetric shape learning tasks", Data in Brief 35:106902 (2021). https://creativecommons.org/licenses/by-nc-sa/4.0/
"""
    (folder / "README.md").write_text(text, encoding="utf-8")


def make(arguments: argparse.Namespace, cache: Path) -> None:
    """Make the head and write it with its texts."""
    generator = np.random.default_rng(arguments.seed)
    torch.manual_seed(arguments.seed)
    cases = find_paired_skulls(arguments.data)
    allowed = [case for case in cases if case.name not in arguments.exclude]
    candidates = heads_in_order(allowed, generator, cache)
    heads = [head for head, _ in zip(candidates, range(arguments.skulls), strict=False)]
    if len(heads) < arguments.skulls:
        raise SystemExit(f"{arguments.data} has only {len(heads)} skulls whose scan reaches low enough")
    print(f"averaging {', '.join(head.name for head in heads)}")
    middle = tuple(int(-low / SPACING) for low in VAULT_BOX.low[::-1])
    shares = [head.complete.numpy().astype(np.float32) / 255.0 for head in heads]
    variation, scan = Variation(), Scan()
    shell = varied(mean_shell(shares, SPACING, (middle[0], middle[1], middle[2])), variation, generator)
    plan = Craniectomy(side=int(generator.choice((-1, 1))))
    places = HeadFrame(VAULT_BOX).places(SPACING).movedim(-1, 0).numpy()
    saw = saw_field(places, shell.outside, plan, generator)
    print("sampling the scan and sawing")
    skull, defect = saw_open(shell, saw, scan, generator)
    write_volume(skull, arguments.output / "defective_skull.nrrd")
    write_volume(defect, arguments.output / "defect.nrrd")
    print("comparing with every skull")
    files = ("defective_skull.nrrd", "defect.nrrd")
    k, j, i = scan.shape
    write_texts(
        arguments.output,
        {
            "command": "python Testing/makers/make_demo_head.py --data FOLDER -o Resources/SampleData/DemoHead"
            f" --seed {arguments.seed} --skulls {arguments.skulls}"
            f" --exclude {' '.join(arguments.exclude)}",
            "seed": arguments.seed,
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            "licence": LICENCE,
            "source": SOURCE,
            "skulls": sorted(head.name for head in heads),
            "excluded": arguments.exclude,
            "method": METHOD,
            "registration": asdict(SCHEDULE),
            "variation": asdict(variation),
            "craniectomy": asdict(plan),
            "scan": asdict(scan),
            "grid": f"{i} x {j} x {k} voxels of {' x '.join(map(str, scan.spacing))} mm, oblique",
            "defect": {
                "side": "right" if plan.side > 0 else "left",
                "volume_ml": round(float(defect.voxels.sum()) * defect.grid.voxel_volume / 1000.0, 1),
                "area_cm2": round(outer_area(shell, saw), 1),
            },
            "sha256": {name: hashlib.sha256((arguments.output / name).read_bytes()).hexdigest() for name in files},
            "likeness": likeness(skull, defect, cache_heads(cases, cache, VAULT_BOX, SPACING)),
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="skulls in SkullFix's layout")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the head")
    parser.add_argument("--seed", type=int, default=1, help="of every random draw (default 1)")
    parser.add_argument("--skulls", type=int, default=8, help="how many are averaged (default 8)")
    parser.add_argument("--exclude", nargs="*", default=[], metavar="NAME", help="skulls to leave out")
    parser.add_argument("--cache", type=Path, help="folder for resampled heads (default: a temporary one)")
    arguments = parser.parse_args()
    if arguments.cache is not None:
        make(arguments, arguments.cache)
        return
    with tempfile.TemporaryDirectory() as cache:
        make(arguments, Path(cache))


if __name__ == "__main__":
    main()
