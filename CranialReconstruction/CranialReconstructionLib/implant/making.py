"""From a skull and its missing bone to finished meshes: solid, surface, pieces, holes, mould, host bone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.head_grid import place_head
from CranialReconstructionLib.imaging.pooling import pooled
from CranialReconstructionLib.imaging.symmetry import HeadSurface, find_reflection
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.implant.checks import (
    Check,
    check_holes,
    check_mould,
    check_piece,
    check_reduction,
    check_solid,
    check_symmetry,
)
from CranialReconstructionLib.implant.design import Design
from CranialReconstructionLib.implant.holes import Drilling, drill
from CranialReconstructionLib.implant.host_bone import host_bone
from CranialReconstructionLib.implant.input_checks import check_input
from CranialReconstructionLib.implant.mesh import Mesh
from CranialReconstructionLib.implant.meshing import surface_of, without_scraps
from CranialReconstructionLib.implant.mould import Mould, mould_of
from CranialReconstructionLib.implant.pieces import split
from CranialReconstructionLib.implant.refinement import decimated
from CranialReconstructionLib.implant.solid import Solid, implant_solids
from CranialReconstructionLib.implant.symmetry import Symmetry, symmetry_of

# Cubic millimetres: a smaller shell is a crumb that the grid made.
CRUMB = 30.0
# Voxels on which the two sides of the head are compared, millimetres.
SYMMETRY_SPACING = 2.0
# Of the triangle budget, where there are holes.
HOLES_SHARE = 0.25

Report = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Implant:
    """The implant of one connected defect.

    Attributes:
        solid: its body as a field, with axis, rim, gap and undercut.
        symmetry: of the outer surface and the other side; None without one.
        pieces: finished meshes, several where the design cuts it.
        drilling: the holes of each piece.
        mould: two halves for casting, if asked for.
        decimation: Hausdorff distance of the decimation, millimetres.
        volume_change: by the decimation, as a share of the body's volume.
        checks: of the solid and of every piece.
    """

    solid: Solid
    symmetry: Symmetry | None
    pieces: tuple[Mesh, ...]
    drilling: tuple[Drilling, ...]
    mould: Mould | None
    decimation: float
    volume_change: float
    checks: tuple[Check, ...]


def make_implants(
    skull: Volume,
    defect: Volume,
    design: Design,
    confidence: Volume | None = None,
    report: Report = lambda stage: None,
) -> tuple[list[Implant], tuple[str, ...]]:
    """One implant for each connected part of the defect, largest first, and warnings about the masks.

    Args:
        skull, defect: masks on one grid.
        confidence: 0 to 1 on the same grid, for a surface below the voxel size.

    Raises:
        UserError: the masks do not fit each other, or the design cannot be made.
    """
    warnings = check_input(skull, defect, confidence)
    with ThreadPoolExecutor(1) as pool:
        # The other side of the head is found and compared with meanwhile.
        mirror = pool.submit(_mirror, skull)
        solids = implant_solids(skull, defect, design, confidence, report)
        symmetries = [pool.submit(_symmetry, solid, skull, mirror) for solid in solids]
        bodies = [_body(solid, design, report) for solid in solids]
        report("holes")
        # Of all implants together: a single hole belongs to the part that it lies on.
        parts = [(part, body.solid.axis) for body in bodies for part in body.parts]
        drilled = iter(drill([part for part, _ in parts], [axis for _, axis in parts], design))
        report("checks")
        implants = [
            _finished(body, tuple(next(drilled) for _ in body.parts), symmetry, design)
            for body, symmetry in zip(bodies, symmetries, strict=True)
        ]
    return implants, warnings


def make_host_bone(skull: Volume, defect: Volume, design: Design) -> Mesh:
    """The skull about the defect, to print and try the implant on."""
    return host_bone(skull, defect, budget=design.triangle_budget)


def _mirror(skull: Volume) -> npt.NDArray[np.float64] | None:
    """From a place to its partner on the other side of the head (4x4, RAS to RAS); None where no head is recognised,
    as in a scan of its top alone."""
    try:
        place = place_head(skull)
        surface = HeadSurface.of(pooled(skull, SYMMETRY_SPACING), place.centre, place.scale)
    except (UserError, ValueError):
        return None
    return find_reflection(surface).matrix


def _symmetry(solid: Solid, skull: Volume, mirror: Future[npt.NDArray[np.float64] | None]) -> Symmetry | None:
    matrix = mirror.result()
    return None if matrix is None else symmetry_of(solid.outer, skull, matrix)


def _has_holes(design: Design) -> bool:
    return bool(design.perfusion or design.holes)


def _before_holes(design: Design) -> int:
    """Triangles that the body may have: the walls of holes need some of the budget."""
    share = HOLES_SHARE if _has_holes(design) else 0.0
    return int((1.0 - share) * design.triangle_budget)


@dataclass(frozen=True, eq=False)
class _Body:
    """An implant before it has holes; ``parts`` are where the design's planes cut it."""

    solid: Solid
    parts: list[Mesh]
    mould: Mould | None
    decimation: float
    volume_change: float


def _body(solid: Solid, design: Design, report: Report) -> _Body:
    report("surface")
    bodies, _ = without_scraps(surface_of(solid.field), CRUMB)
    if not bodies:
        raise UserError(
            "nothing is left of the implant", where="design", remedy="Use a smaller gap or a thicker implant."
        )
    whole = max(bodies, key=lambda mesh: mesh.volume)
    body, decimation = decimated(whole, _before_holes(design))
    report("mould")
    mould = mould_of(solid.field) if design.mould else None
    parts = list(split(body, design.cuts)) if design.cuts else [body]
    return _Body(solid, parts, mould, decimation, body.volume / whole.volume - 1.0)


def _finished(
    body: _Body, drilling: tuple[Drilling, ...], comparison: Future[Symmetry | None], design: Design
) -> Implant:
    symmetry = comparison.result()
    checks = [
        *check_solid(body.solid, design),
        check_symmetry(symmetry),
        *check_reduction(body.volume_change, body.decimation),
    ]
    for number, drilled in enumerate(drilling, start=1):
        which = f" of piece {number}" if len(drilling) > 1 else ""
        checks += [*check_piece(drilled.mesh, design, which), *check_holes(drilled, design, which)]
    if body.mould:
        checks += check_mould(body.mould)
    pieces = tuple(drilled.mesh for drilled in drilling)
    return Implant(
        body.solid, symmetry, pieces, drilling, body.mould, body.decimation, body.volume_change, tuple(checks)
    )
