"""Where a defect came from, as the report beside it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from CranialReconstructionLib.digest import sha256_of
from CranialReconstructionLib.implant.export.algorithm import Algorithm

CONFIDENCE = "confidence.nrrd"


@dataclass(frozen=True)
class DefectOrigin:
    """What is known of how a defect was found.

    Attributes:
        algorithm: as DICOM asks it.
        model: the model's weights, what -> SHA256.
        confidence: the file that belongs to the very same defect, if there is one.
        warnings: what the user should know.
    """

    algorithm: Algorithm
    model: Mapping[str, str] = field(default_factory=dict)
    confidence: Path | None = None
    warnings: tuple[str, ...] = ()


def origin_beside(defect: Path) -> DefectOrigin:
    """What the ``report.json`` of ``cranial reconstruct`` beside the defect says of it.

    The confidence is taken only if neither it nor the defect has changed since they were written together: the
    surface is cut from the confidence, so somebody's corrections of the mask would be lost.
    """
    report = _report(defect.parent / "report.json")
    confidence = defect.parent / CONFIDENCE
    stated = report.get("files", {}) if report else {}
    if not report or defect.name not in stated:
        unused = f"{confidence} is not used: nothing says that it belongs to the defect. Name it to have it used."
        return DefectOrigin(Algorithm(), warnings=(unused,) if confidence.is_file() else ())
    if stated[defect.name] != sha256_of(defect):
        changed = "the defect has been changed since it was reconstructed: it is taken as it is, without confidence"
        origin = origin_in(report, "SEMIAUTOMATIC")
        return DefectOrigin(origin.algorithm, origin.model, warnings=(changed,))
    origin = origin_in(report)
    belongs = confidence.is_file() and stated.get(CONFIDENCE) == sha256_of(confidence)
    return DefectOrigin(origin.algorithm, origin.model, confidence if belongs else None)


def origin_in(report: Mapping[str, Any], kind: Literal["AUTOMATIC", "SEMIAUTOMATIC"] = "AUTOMATIC") -> DefectOrigin:
    """What a report of ``cranial reconstruct`` says of its defect."""
    model = report.get("model")
    if not model:
        return DefectOrigin(Algorithm(kind, str(report["method"]), str(report["cranial"])))
    title = f"{model['name']} {model['version']}"
    weights = {f"model ({title}, {part})": str(digest) for part, digest in model.get("sha256", {}).items()}
    return DefectOrigin(Algorithm(kind, str(model["name"]), str(model["version"]), learned=True), weights)


def _report(path: Path) -> dict[str, Any] | None:
    """The report, if it is one of a reconstruction."""
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
    except ValueError:
        return None
    return content if isinstance(content, dict) and {"method", "cranial", "files"} <= set(content) else None
