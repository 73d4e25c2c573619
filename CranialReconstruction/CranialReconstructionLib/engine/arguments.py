"""What each operation of the worker is asked with. Nothing but the standard library: Slicer fills these in.

Paths are absolute, as the worker has its own working folder. A folder is made if it is missing. It holds
whole results once the job has ended with a ``Result``; after a failure it is the caller's to delete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from CranialReconstructionLib.engine.records import MisfitError, from_json
from CranialReconstructionLib.errors import UserError

A = TypeVar("A")

METHODS = ("network", "mirror")
DEVICES = ("auto", "cpu", "cuda", "mps")
FRAMES = ("LPS", "RAS")


@dataclass(frozen=True)
class SelfTest:
    """Run a small network on ``device`` and compare with the CPU."""

    operation: ClassVar[str] = "self_test"

    device: str = "auto"

    def __post_init__(self) -> None:
        _require_one_of(DEVICES, self.device, "device")


@dataclass(frozen=True)
class Estimate:
    """How much memory a reconstruction needs, and how much there is.

    Attributes:
        shape: voxels (K, J, I) of the skull.
        method, model, device: as of ``Reconstruct``.
    """

    operation: ClassVar[str] = "estimate"

    shape: tuple[int, int, int]
    method: str = "network"
    model: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        _require_one_of(METHODS, self.method, "method")
        _require_one_of(DEVICES, self.device, "device")
        if min(self.shape) < 1:
            raise UserError(f"the shape {self.shape} has no voxels", where="shape", remedy="Give the grid's shape.")


@dataclass(frozen=True)
class Models:
    """The model packages that can be used by name."""

    operation: ClassVar[str] = "models"


@dataclass(frozen=True)
class InstallModel:
    """Copy a model package into the user's own, after verification.

    Attributes:
        source: its folder, or a zip archive that holds it.
        replace: in the place of one of its name that is there.
    """

    operation: ClassVar[str] = "install_model"

    source: Path
    replace: bool = False

    def __post_init__(self) -> None:
        _require_absolute(source=self.source)


@dataclass(frozen=True)
class SegmentSkull:
    """Segment the skull of a head CT.

    Attributes:
        ct: volume file, or folder of a DICOM series.
        folder: gets ``skull.nrrd``.
        threshold: from which value a voxel counts as bone; adapted to the scan without it.
    """

    operation: ClassVar[str] = "segment_skull"

    ct: Path
    folder: Path
    threshold: float | None = None

    def __post_init__(self) -> None:
        _require_absolute(ct=self.ct, folder=self.folder)


@dataclass(frozen=True)
class Reconstruct:
    """Find the missing bone of a skull.

    Attributes:
        skull: volume file of a mask.
        folder: gets ``defect.nrrd`` and ``confidence.nrrd``, on the skull's grid.
        method: "network" or "mirror".
        model: name or folder of a model package; the shipped one without it.
        device: "auto", "cpu", "cuda" or "mps".
        memory_share: of the device's free memory that the plan may take, above 0 to 1; the predictor's
            own share without it.
        region: volume file of a mask on the skull's grid; outside of it no bone is added.
        cut: volume file of a mask on the skull's grid; bone inside of it is taken away before, so that the
            rim runs along its border. ``folder`` gets ``skull.nrrd``, what is left.
        complete: also write ``complete.nrrd``, skull and missing bone.
    """

    operation: ClassVar[str] = "reconstruct"

    skull: Path
    folder: Path
    method: str = "network"
    model: str | None = None
    device: str = "auto"
    memory_share: float | None = None
    region: Path | None = None
    cut: Path | None = None
    complete: bool = False

    def __post_init__(self) -> None:
        _require_absolute(skull=self.skull, folder=self.folder, region=self.region, cut=self.cut)
        _require_one_of(METHODS, self.method, "method")
        _require_one_of(DEVICES, self.device, "device")
        if self.memory_share is not None and not 0.0 < self.memory_share <= 1.0:
            raise UserError(
                f"a share of {self.memory_share:g} of the memory is not within 0 to 1",
                where="memory_share",
                remedy="Give a share, or leave it out.",
            )


@dataclass(frozen=True)
class Compare:
    """How much two defects differ, and where.

    Attributes:
        first, second: volume files of masks on one grid.
        folder: gets ``difference.nrrd``, labels on that grid: 1 only in the first, 2 only in the second.
        skull: volume file of the skull's mask, for the Dice near the bone.
    """

    operation: ClassVar[str] = "compare"

    first: Path
    second: Path
    folder: Path
    skull: Path | None = None

    def __post_init__(self) -> None:
        _require_absolute(first=self.first, second=self.second, folder=self.folder, skull=self.skull)


@dataclass(frozen=True)
class PreviewImplant:
    """Make the outer shape of the implants at reduced detail.

    Asked again with another design for the same files, it takes a fraction of a second: the worker keeps what
    does not depend on the design.

    Attributes:
        skull, defect: volume files of masks on one grid.
        folder: gets ``preview-1.ply`` and so on, in RAS.
        design: as ``Design.as_json`` gives it; what is left out is the default.
        confidence: volume file of probabilities on the same grid.
        spacing: of the voxels that it is made on, millimetres, 0.6 to 2.5; a thinner implant gets finer ones.
    """

    operation: ClassVar[str] = "preview_implant"

    skull: Path
    defect: Path
    folder: Path
    design: Mapping[str, Any] = field(default_factory=dict)
    confidence: Path | None = None
    spacing: float = 1.2

    def __post_init__(self) -> None:
        _require_absolute(skull=self.skull, defect=self.defect, folder=self.folder, confidence=self.confidence)
        if not 0.6 <= self.spacing <= 2.5:
            raise UserError(
                f"a spacing of {self.spacing:g} mm is not within 0.6 to 2.5 mm",
                where="spacing",
                remedy="Give another one, or leave it out.",
            )


@dataclass(frozen=True)
class MakeImplant:
    """Make the implants of a defect, check them, and write them unless a check fails.

    Attributes:
        skull, defect: volume files of masks on one grid.
        folder: gets mesh files of each part, ``design.json``, ``report.json`` and the report's pages.
        design: as ``Design.as_json`` gives it; what is left out is the default.
        confidence: volume file of probabilities on the same grid, for a finer surface.
        formats: of "stl", "ply", "obj", "3mf", "glb", "dicom-stl" and "dicom-seg".
        frame: of the files' coordinates, "LPS" or "RAS".
        force: write even if a check fails.
        report: also make report.html and report.pdf.
        dicom: folder of the series that the skull comes from, whose patient and study DICOM files join.
        patient: name the patient of that series in the report.
        surfaces: folder that gets the pieces for display, whether or not the files are withheld;
            ``folder``/preview without it.
    """

    operation: ClassVar[str] = "implant"

    skull: Path
    defect: Path
    folder: Path
    design: Mapping[str, Any] = field(default_factory=dict)
    confidence: Path | None = None
    formats: tuple[str, ...] = ("stl", "3mf")
    frame: str = "LPS"
    force: bool = False
    report: bool = True
    dicom: Path | None = None
    patient: bool = False
    surfaces: Path | None = None

    def __post_init__(self) -> None:
        _require_absolute(
            skull=self.skull,
            defect=self.defect,
            folder=self.folder,
            confidence=self.confidence,
            dicom=self.dicom,
            surfaces=self.surfaces,
        )
        _require_one_of(FRAMES, self.frame, "frame")


Arguments = (
    SelfTest | Estimate | Models | InstallModel | SegmentSkull | Reconstruct | Compare | PreviewImplant | MakeImplant
)


def parse_arguments(kind: type[A], operation: str, values: Mapping[str, Any]) -> A:
    """The arguments of an operation from what its request holds.

    Raises:
        UserError: an entry is missing, unknown, of another type, or a value that it cannot have.
    """
    try:
        return from_json(kind, values)
    except MisfitError as error:
        raise UserError(
            f"the argument {error}", where=operation, remedy="Correct the arguments of the operation."
        ) from error


def _require_one_of(known: tuple[str, ...], value: str, name: str) -> None:
    if value not in known:
        raise UserError(f"{name} {value!r} is unknown", where=name, remedy=f"Use one of {', '.join(known)}.")


def _require_absolute(**paths: Path | None) -> None:
    for name, path in paths.items():
        if path is not None and not path.is_absolute():
            raise UserError("the path is not absolute", where=f"{name} {path}", remedy="Give the whole path.")
