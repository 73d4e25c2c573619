"""What is told about a finished implant beside its meshes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from CranialReconstructionLib.implant.making import Implant


def figures(implant: Implant) -> dict[str, Any]:
    """Millilitres, millimetres (axis in RAS), counts, and the checks; may hold NaN where nothing was to be measured."""
    solid, mould = implant.solid, implant.mould
    return {
        "volume_ml": round(sum(piece.volume for piece in implant.pieces) / 1000.0, 3),
        "missing_bone_ml": round(solid.missing, 3),
        "axis_ras": [round(float(part), 4) for part in solid.axis],
        "gap": asdict(solid.gap),
        "undercut_ml": round(solid.undercut, 3),
        "collision_ml": round(solid.collision, 4),
        "symmetry": asdict(implant.symmetry) if implant.symmetry is not None else None,
        "mould": {"undercut_ml": mould.undercut, "wall_mm": mould.wall} if mould is not None else None,
        "decimation_hausdorff_mm": round(implant.decimation, 4),
        "decimation_volume_change": round(implant.volume_change, 6),
        "triangles": [len(piece.triangles) for piece in implant.pieces],
        "holes": sum(len(drilled.holes) for drilled in implant.drilling),
        "holes_left_out": sum(len(drilled.skipped) for drilled in implant.drilling),
        "checks": [asdict(check) for check in implant.checks],
    }
