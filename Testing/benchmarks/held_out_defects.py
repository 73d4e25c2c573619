"""Cut defects that training never makes into complete skulls, at their full resolution.

    python Testing/benchmarks/held_out_defects.py --data SKULLFIX --cases 001,002 --per-case 8 -o FOLDER

writes ``FOLDER/skull/NAME.nrrd`` and ``FOLDER/truth/NAME.nrrd`` for every case, and ``FOLDER/index.csv``.
SKULLFIX holds ``defective_skull/NNN.nrrd`` and ``implant/NNN.nrrd``, whose union is the complete skull.
How well a model restores these is how well it generalises: other shapes, other rims, the whole vault.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from families import FAMILIES, drawn
from openings import Opening, area_of, opened
from scipy import ndimage
from vault import Vault, find_vault

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.evaluation.box import bounding_box, widened
from CranialReconstructionLib.imaging.files import read_volume, write_volume
from CranialReconstructionLib.imaging.volume import Volume

Mask = npt.NDArray[np.bool_]

VOLUME_LIMITS_ML = (3.0, 150.0)

# Nothing deeper than this under the outer surface is vault.
_DEEPEST_MM = 25.0
_TRIES = 20
# A piece of bone or of defect smaller than this share of the defect is a splinter, not a part.
_SPLINTER = 0.05
_ANY_NEIGHBOUR = np.ones((3, 3, 3))


@dataclass(frozen=True)
class HeldOutCase:
    """A complete skull with a defect.

    Attributes:
        skull: the defective skull (uint8, the grid of the complete one).
        defect: the bone that was cut away (uint8, same grid).
        area: of the openings on the outer surface, square centimetres.
        volume: of the defect, millilitres.
    """

    skull: Volume
    defect: Volume
    area: float
    volume: float


def cut(complete: Volume, family: str, seed: int) -> tuple[Volume, Volume]:
    """The defective skull and the defect of a case of ``family``; the same for the same seed.

    Together they are the complete skull, voxel for voxel, and they share none.

    Args:
        complete: complete skull, roughly upright, any grid; above zero is bone.
        family: one of ``FAMILIES``.
        seed: any integer, 0 or more.

    Raises:
        UserError: an unknown family, no vault in the mask, or no place for the defect.
    """
    case = make_case(complete, family, seed)
    return case.skull, case.defect


def make_case(complete: Volume, family: str, seed: int) -> HeldOutCase:
    """As ``cut``, with the case's figures."""
    bone = complete.voxels > 0
    vault = find_vault(complete)
    rng = np.random.default_rng([seed, *family.encode()])
    low, high = VOLUME_LIMITS_ML
    for _ in range(_TRIES):
        plans = drawn(family, vault, rng)
        defect = _taken(complete, bone, vault, [opened(plan, vault, rng) for plan in plans])
        volume = np.count_nonzero(defect) * complete.grid.voxel_volume / 1000.0
        if low <= volume <= high:
            return HeldOutCase(
                complete.with_voxels((bone & ~defect).astype(np.uint8)),
                complete.with_voxels(defect.astype(np.uint8)),
                sum(area_of(plan, vault) for plan in plans),
                volume,
            )
    raise UserError(
        f"no defect of {low:g} to {high:g} ml came about",
        where=f"{complete.name}, {family}",
        remedy="Use another seed, head or family.",
    )


def _taken(complete: Volume, bone: Mask, vault: Vault, openings: list[Opening]) -> Mask:
    """The bone inside the openings, without splinters of it, and with what bone it would leave loose."""
    defect = np.zeros_like(bone)
    for k in range(bone.shape[0]):
        j, i = np.nonzero(bone[k])
        directions, distances = vault.seen(complete.grid.ras_of(np.stack([i, j, np.full_like(i, k)], axis=1)))
        near = np.logical_or.reduce([directions @ opening.frame[2] > opening.nearness for opening in openings])
        i, j, directions = i[near], j[near], directions[near]
        depths = vault.outer_at(directions) - distances[near]
        taken = np.logical_or.reduce([opening.takes(directions, depths) for opening in openings])
        taken &= (depths < _DEEPEST_MM) & vault.holds(directions)
        defect[k, j[taken], i[taken]] = True
    box = bounding_box(defect)
    if box is None:
        return defect
    box = widened(box, 3.0, complete.spacing[::-1])
    part = defect[box]
    smallest = _SPLINTER * np.count_nonzero(part)
    part &= ~_small_pieces(part, smallest)
    loose = _small_pieces(bone[box] & ~part, smallest)
    part |= loose & ~_small_pieces(bone[box], smallest)
    return defect


def _small_pieces(mask: Mask, smallest: float) -> Mask:
    """Pieces of fewer than ``smallest`` voxels that do not go on beyond the array."""
    pieces, count = ndimage.label(mask, _ANY_NEIGHBOUR)
    small = np.bincount(pieces.ravel(), minlength=count + 1) < smallest
    for axis in range(3):
        for face in (0, -1):
            small[np.unique(np.take(pieces, face, axis=axis))] = False
    small[0] = False
    found: Mask = small[pieces]
    return found


def main() -> int:
    """Make the cases that the command line asks for."""
    parser = argparse.ArgumentParser(description="Cut defects that training never makes into complete skulls.")
    parser.add_argument("--data", type=Path, required=True, help="folder with defective_skull/ and implant/")
    parser.add_argument("--cases", required=True, help="names of skulls, with commas between them")
    parser.add_argument("--families", default=",".join(FAMILIES), help="families, with commas between them")
    parser.add_argument("--per-case", type=int, default=1, help="defects in each skull; families take turns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    families = options.families.split(",")
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "index.csv").open("w", newline="") as file:
        index = csv.writer(file, lineterminator="\n")
        index.writerow(["name", "skull", "family", "seed", "area_cm2", "volume_ml"])
        turn = 0
        for name in options.cases.split(","):
            rest = read_volume(options.data / "defective_skull" / f"{name}.nrrd")
            implant = read_volume(options.data / "implant" / f"{name}.nrrd")
            complete = rest.with_voxels(((rest.voxels > 0) | (implant.voxels > 0)).astype(np.uint8))
            for _ in range(options.per_case):
                family, seed = families[turn % len(families)], options.seed + turn
                turn += 1
                case = make_case(complete, family, seed)
                case_name = f"{name}_{family}_{seed}"
                write_volume(case.skull, options.output / "skull" / f"{case_name}.nrrd")
                write_volume(case.defect, options.output / "truth" / f"{case_name}.nrrd")
                index.writerow([case_name, name, family, seed, f"{case.area:.1f}", f"{case.volume:.1f}"])
                print(f"{case_name}: {case.area:.0f} cm2, {case.volume:.0f} ml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
