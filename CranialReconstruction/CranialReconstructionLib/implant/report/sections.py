"""The report's sections, in their order, from what is to be told."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from CranialReconstructionLib.implant.checks import Check
from CranialReconstructionLib.implant.design import MATERIALS, Design
from CranialReconstructionLib.implant.export.about import RESEARCH_USE_ONLY, joined
from CranialReconstructionLib.implant.making import Implant
from CranialReconstructionLib.implant.report.contents import ReportContents
from CranialReconstructionLib.implant.report.document import Document, Part, Remark, Section, Signature, Table
from CranialReconstructionLib.implant.report.parameters import parameter_table
from CranialReconstructionLib.implant.report.pictures import head_gallery, implant_galleries

NOTICE = f"{RESEARCH_USE_ONLY}. Not a medical device; not for diagnosis or treatment."
FACT_WIDTHS = (0.38, 0.62)
CHECK_WIDTHS = (0.26, 0.36, 0.26, 0.12)
LEAST_UNDERCUT = 0.005  # that has a place worth telling, ml

Rows = list[tuple[str, ...]]


def document_of(contents: ReportContents, made: datetime) -> Document:
    """The whole report, pictures drawn."""
    design, several = contents.design, len(contents.implants) > 1
    sections = [Section("Summary", _summary(contents, made))]
    if contents.patient:
        sections.append(Section("Patient", (_facts("Patient", list(contents.patient.items())),)))
    sections.append(Section("In place", (head_gallery(contents.skull, contents.defect, contents.implants),)))
    for number, implant in enumerate(contents.implants, start=1):
        which = f" of implant {number}" if several else ""
        sections += [
            Section(f"Checks{which}", (_check_table(implant.checks, which),)),
            Section(f"Implant {number}" if several else "Implant", tuple(implant_galleries(implant, design))),
            Section(f"Measures{which}", _measures(implant, design, which)),
        ]
    sections += [
        Section("Design", (parameter_table(design),)),
        Section("Records", _records(contents)),
        Section("Approval", _approval(contents)),
    ]
    return Document(
        title=design.name,
        subtitle=f"Report of an implant: iteration {design.number}, {made:%d %B %Y, %H:%M}",
        notice=NOTICE,
        stamp=stamp_of(contents),
        sections=tuple(sections),
    )


def stamp_of(contents: ReportContents) -> str | None:
    """What must not be overlooked; None if nothing failed and nothing was forced."""
    names = ", ".join(dict.fromkeys(check.name for check in contents.failed))
    if not names and not contents.forced:
        return None
    failed = f"FAILED CHECKS: {names}. " if names else ""
    return failed + ("Written by force." if contents.forced else "Not fit to be made.")


def _summary(contents: ReportContents, made: datetime) -> tuple[Part, ...]:
    design, counts = contents.design, Counter(check.verdict for check in contents.checks)
    volume = sum(piece.volume for implant in contents.implants for piece in implant.pieces) / 1000.0
    rows = [
        ("Design", design.name),
        ("Iteration", str(design.number)),
        ("Made", f"{made:%Y-%m-%d %H:%M}"),
        ("Implants", f"{len(contents.implants)}, {volume:.1f} ml of {design.material}"),
        ("Checks", f"{counts['pass']} pass, {counts['warn']} warn, {counts['fail']} fail"),
        ("Frame of the files", f"{contents.frame}, millimetres (coordinates in this report are RAS)"),
    ]
    remarks = [Remark(f"Warning: {warning}", "warn") for warning in contents.warnings]
    return (_facts("Summary", rows), *remarks)


def _check_table(checks: Sequence[Check], which: str) -> Table:
    rows = [(check.name, check.value, check.limit, check.verdict.upper()) for check in checks]
    tones = tuple(check.verdict for check in checks)
    return Table(f"Checks{which}", ("Check", "Value", "Limit", "Verdict"), rows, CHECK_WIDTHS, tones)


def _measures(implant: Implant, design: Design, which: str) -> tuple[Part, ...]:
    solid, whole = implant.solid, joined(implant.pieces)
    volume = sum(piece.volume for piece in implant.pieces) / 1000.0
    density = MATERIALS[design.material].density
    extent = " x ".join(f"{length:.1f}" for length in np.ptp(whole.vertices, axis=0))
    pieces = f" in {len(implant.pieces)} pieces" if len(implant.pieces) > 1 else ""
    rows: Rows = [
        ("Volume", f"{volume:.2f} ml{pieces}"),
        ("Weight", f"{volume * density:.1f} g at {density:g} g/ml of {design.material}"),
        ("Missing bone", f"{solid.missing:.2f} ml"),
        ("Extent along right, front, up", f"{extent} mm"),
        ("Surface area", f"{whole.areas.sum() / 100.0:.1f} cm²"),
        ("Triangles", ", ".join(f"{len(piece.triangles):,}" for piece in implant.pieces)),
        ("Insertion axis, from outside to inside (RAS)", " ".join(f"{part:.3f}" for part in solid.axis)),
        ("Tilt of the axis to the mean normal", f"{solid.insertion.tilt:.1f} degrees"),
        ("Undercut taken away", _undercut(implant)),
        ("Still meets bone on the way in", f"{solid.collision:.3f} ml"),
    ]
    if math.isfinite(solid.gap.mean):
        kept = f"{solid.gap.smallest:.2f} to {solid.gap.largest:.2f} mm, mean {solid.gap.mean:.2f} mm"
        rows.append(("Gap where nothing else places the wall", kept))
    if solid.gap.relieved > 0.0:
        rows.append(("Walls further from the bone for the way in",
                     f"{100.0 * solid.gap.relieved:.1f} %, up to {solid.gap.widest:.2f} mm"))  # fmt: skip
    if len(solid.rim.step):
        rows += [
            ("Step at the rim", _spread(solid.rim.step, "mm")),
            ("Angle at the rim", _spread(solid.rim.angle, "degrees")),
        ]
    drilled = [hole for drilling in implant.drilling for hole in drilling.holes]
    rows.append(("Holes", str(len(drilled))))
    rows += [("Holes left out", reason) for reason in _left_out(implant)]
    if implant.mould:
        rows.append(("Mould's cavity", f"{implant.mould.cavity_volume / 1000.0:.2f} ml"))
    rows.append(("Hausdorff distance of the decimation", f"{implant.decimation:.3f} mm"))
    return (_facts(f"Measures{which}", rows),)


def _undercut(implant: Implant) -> str:
    at, volume = implant.solid.undercut_at, implant.solid.undercut
    place = f", about R {at[0]:.0f} A {at[1]:.0f} S {at[2]:.0f} mm" if at and volume >= LEAST_UNDERCUT else ""
    return f"{volume:.2f} ml{place}"


def _left_out(implant: Implant) -> list[str]:
    """Why holes were left out, once for each kind of reason, whatever the millimetres in it."""
    kinds: dict[str, list[str]] = {}
    for drilling in implant.drilling:
        for hole in drilling.skipped:
            kinds.setdefault(re.sub(r"\d+(\.\d+)?", "", hole.reason), []).append(hole.reason)
    return [f"{len(reasons)}, such as: {reasons[0]}" for reasons in kinds.values()]


def _spread(values: np.ndarray, unit: str) -> str:
    size = np.abs(values)
    return f"{size.mean():.2f} {unit} on average, 95 % below {np.percentile(size, 95):.2f}, at most {size.max():.2f}"


def _records(contents: ReportContents) -> tuple[Part, ...]:
    return (
        _digests("Inputs", "Input", contents.inputs),
        _digests("Files", "File", contents.files),
        Table("Versions", ("Software", "Version"), list(contents.versions.items()), FACT_WIDTHS),
    )


def _approval(contents: ReportContents) -> tuple[Part, ...]:
    stamp = stamp_of(contents)
    failed = (Remark(stamp, "fail"),) if stamp else ()
    return (*failed, Remark(NOTICE), Signature(("Name", "Date", "Signature")))


def _facts(title: str, rows: Sequence[tuple[str, ...]]) -> Table:
    return Table(title, ("Item", "Value"), list(rows), FACT_WIDTHS)


def _digests(title: str, first: str, digests: Mapping[str, str]) -> Table:
    rows: Rows = list(digests.items()) or [("none", "")]
    return Table(title, (first, "SHA-256"), rows, FACT_WIDTHS, code=(1,))
