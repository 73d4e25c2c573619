"""``cranial segment-skull``: a clean skull out of a head CT."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from CranialReconstructionLib.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cranial segment-skull``."""
    parser.description = (
        "Segment the bone of the skull in a head CT in Hounsfield units, without table, head rest, tubes and "
        "jewellery. Holes stay as open as they are. Mandible and cervical spine are kept."
    )
    parser.add_argument("ct", type=Path, metavar="CT", help="volume file (NRRD, NIfTI, MHA) or DICOM folder")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="SKULL", help="mask to write (NRRD or NIfTI)"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="HU",
        help="value from which a voxel counts as bone, in the image's own units (default: adapted to the scan)",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON on standard output")


def run(options: argparse.Namespace) -> int:
    """Write the skull on the grid of the CT and say what was found."""
    from CranialReconstructionLib.cli.progress import StageLine
    from CranialReconstructionLib.imaging.files import check_writable, write_volume
    from CranialReconstructionLib.imaging.scan import read_scan
    from CranialReconstructionLib.imaging.skull import segment_skull

    check_writable(options.output)
    stage = StageLine()
    stage("read")
    ct, warnings = read_scan(options.ct)
    stage("segment")
    segmentation = segment_skull(ct, options.threshold)
    stage("write")
    write_volume(segmentation.skull, options.output)
    warnings = (*warnings, *segmentation.warnings)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    millilitres = float(segmentation.skull.voxels.sum()) * ct.grid.voxel_volume / 1000.0
    if options.json:
        figures = {
            "input": str(options.ct),
            "skull": str(options.output),
            "threshold": round(segmentation.threshold, 1),
            "threshold_chosen": "by hand" if options.threshold is not None else "from the scan",
            "bone_ml": round(millilitres, 3),
            "warnings": list(warnings),
        }
        print(json.dumps(figures, indent=1))
    else:
        print(f"Skull: {millilitres:.1f} ml of bone from {segmentation.threshold:.0f} upwards, in {options.output}.")
    return 0


COMMAND = Command("Segment the skull in a head CT.", add_arguments, run)
