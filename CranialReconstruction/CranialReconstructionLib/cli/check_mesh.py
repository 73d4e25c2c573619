"""``cranial check-mesh``: whether a surface can be printed, and how it lies to the bone."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from CranialReconstructionLib.cli.command import Command

if TYPE_CHECKING:
    from CranialReconstructionLib.implant.mesh_quality import Quality

FAILED = 1


class _Check(NamedTuple):
    """One line of the answer; ``passed`` is None for a figure that is told and not judged."""

    name: str
    value: str
    passed: bool | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial check-mesh``."""
    parser.description = (
        "Check a surface: watertight, two-manifold, no self-intersection, one shell, outward normals. Exit "
        "status 0 if it passes, 1 if a check fails, 2 if the file cannot be judged. Research use only."
    )
    parser.add_argument("mesh", type=Path, metavar="MESH", help="STL, PLY or OBJ file, in millimetres")
    parser.add_argument("--skull", type=Path, metavar="SKULL", help="skull mask: also measure distance and overlap")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON on standard output")


def run(options: argparse.Namespace) -> int:
    """Print the checks of the mesh; 0 if all pass, 1 if one fails."""
    from CranialReconstructionLib.imaging.mask import as_skull_mask
    from CranialReconstructionLib.imaging.scan import read_scan
    from CranialReconstructionLib.implant.clearance import measure_clearance
    from CranialReconstructionLib.implant.mesh_file import read_mesh
    from CranialReconstructionLib.implant.mesh_quality import examine

    mesh = read_mesh(options.mesh)
    skull = None
    if options.skull is not None:
        volume, warnings = read_scan(options.skull)
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        skull = as_skull_mask(volume)
    quality = examine(mesh)
    checks = _checks(quality)
    figures = _figures(quality)
    if skull is not None:
        clearance = measure_clearance(mesh, skull)
        near = math.isfinite(clearance.nearest)
        figures["nearest_bone_mm"] = round(clearance.nearest, 3) if near else None
        figures["overlap_ml"] = round(clearance.overlap / 1000.0, 4)
        distance = f"{clearance.nearest:.2f} mm" if near else "none within reach"
        checks += [
            _Check("nearest bone", distance, None),
            _Check("overlap with bone", f"{clearance.overlap / 1000.0:.3f} ml", None),
        ]
    passed = quality.sound
    if options.json:
        judged = {check.name: check.passed for check in checks if check.passed is not None}
        print(json.dumps({"mesh": str(options.mesh), "passed": passed, "checks": judged, **figures}, indent=1))
    else:
        _print_table(checks)
        print(f"{options.mesh}: {'passes' if passed else 'FAILS'}. Research use only.")
    return 0 if passed else FAILED


def _checks(quality: Quality) -> list[_Check]:
    extent = " x ".join(f"{length:.1f}" for length in quality.extent)
    told = [
        _Check("triangles", f"{quality.triangles:,}", None),
        _Check("volume", f"{quality.volume / 1000.0:.3f} ml", None),
        _Check("area", f"{quality.area / 100.0:.2f} cm²", None),
        _Check("extent", f"{extent} mm", None),
        _Check("sharp edges", f"{quality.sharp_edges:.1f} mm", None),
    ]
    if quality.wall is not None and math.isfinite(quality.wall.thinnest):
        told.append(_Check("thinnest wall", f"{quality.wall.thinnest:.2f} mm", None))
    crowded = f"{quality.crowded_edges} crowded edges, {quality.bow_tie_vertices} bow-tie vertices"
    turned = f"{quality.turned_edges} turned edges, {quality.inward_shells} inward shells"
    return [
        _Check("watertight", f"{quality.open_edges} open edges", quality.watertight),
        _Check("two-manifold", crowded, quality.two_manifold),
        _Check("outward normals", turned, quality.outward),
        _Check("no self-intersection", f"{quality.intersections} pairs of triangles", quality.intersections == 0),
        _Check("one shell", f"{quality.shells} shells", quality.shells == 1),
        _Check("no flat triangles", f"{quality.degenerate_triangles} without area", quality.degenerate_triangles == 0),
        _Check("solid (manifold3d)", "yes" if quality.solid else "no", quality.solid),
        *told,
    ]


def _figures(quality: Quality) -> dict[str, Any]:
    """The numbers behind the checks, for programs."""
    wall = quality.wall
    return {
        "triangles": quality.triangles,
        "open_edges": quality.open_edges,
        "crowded_edges": quality.crowded_edges,
        "bow_tie_vertices": quality.bow_tie_vertices,
        "turned_edges": quality.turned_edges,
        "inward_shells": quality.inward_shells,
        "shells": quality.shells,
        "degenerate_triangles": quality.degenerate_triangles,
        "self_intersections": quality.intersections,
        "self_intersection_places_ras": quality.intersection_places[:20].round(3).tolist(),
        "volume_ml": round(quality.volume / 1000.0, 4),
        "area_cm2": round(quality.area / 100.0, 3),
        "extent_mm": [round(length, 3) for length in quality.extent],
        "sharp_edges_mm": round(quality.sharp_edges, 2),
        "thinnest_wall_mm": round(wall.thinnest, 3) if wall is not None and math.isfinite(wall.thinnest) else None,
    }


def _print_table(checks: list[_Check]) -> None:
    from rich.console import Console
    from rich.table import Table

    words = {True: "pass", False: "FAIL", None: ""}
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        table.add_row(check.name, check.value, words[check.passed])
    # A pipe has no width of its own; the table must not lose columns in it.
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


COMMAND = Command("Check whether a surface can be printed.", add_arguments, run)
