"""All that the panel holds of a case, typed, kept in the scene by one parameter node a case."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

# The wrapper resolves annotations when the class is made, so the names of nodes stand here.
from slicer import (
    vtkMRMLMarkupsClosedCurveNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLMarkupsLineNode,
    vtkMRMLMarkupsPlaneNode,
    vtkMRMLModelNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
)
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import (
    Maximum,
    Minimum,
    WithinRange,
    parameterNodeWrapper,
    parameterPack,
)

if TYPE_CHECKING:

    class Decorated:
        """What Slicer's decorators add, for the type checker."""

        parameterNode: Any

        def __init__(self, *parts: Any) -> None: ...

        def connectParametersToGui(self, widgets: Any) -> int: ...

        def disconnectGui(self, tag: int) -> None: ...

        def Modified(self) -> None: ...
else:
    Decorated = object


class Source(enum.Enum):
    """What the input is."""

    volume = "volume"
    segment = "segment"

    def label(self) -> str:
        """As the panel shows it."""
        return {Source.volume: _("CT or label map"), Source.segment: _("Segment")}[self]


class Method(enum.Enum):
    """What finds the missing bone."""

    network = "network"
    mirror = "mirror"

    def label(self) -> str:
        """As the panel shows it."""
        return {Method.network: _("Network"), Method.mirror: _("Mirror of the other side")}[self]


class Device(enum.Enum):
    """What the network runs on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"

    def label(self) -> str:
        """As the panel shows it."""
        return {
            Device.auto: _("The fastest there is"),
            Device.cpu: _("Processor (CPU)"),
            Device.cuda: _("NVIDIA graphics card (CUDA)"),
            Device.mps: _("Apple graphics (MPS)"),
        }[self]


class Material(enum.Enum):
    """What an implant is made of: the names of ``implant.design.MATERIALS``."""

    PEEK = "PEEK"
    PMMA = "PMMA"
    titanium = "titanium"
    bone_like = "bone-like"

    def label(self) -> str:
        """As the panel shows it."""
        return {
            Material.PEEK: _("PEEK"),
            Material.PMMA: _("PMMA"),
            Material.titanium: _("Titanium"),
            Material.bone_like: _("Bone-like"),
        }[self]


class Thickness(enum.Enum):
    """Where an implant's thickness comes from."""

    material = "material"
    anatomical = "anatomical"
    constant = "constant"

    def label(self) -> str:
        """As the panel shows it."""
        return {
            Thickness.material: _("Usual for the material"),
            Thickness.anatomical: _("As the bone"),
            Thickness.constant: _("Constant"),
        }[self]


class Map(enum.Enum):
    """What the implant's surface is coloured by."""

    plain = "plain"
    thickness = "thickness"
    gap = "gap"

    def label(self) -> str:
        """As the panel shows it."""
        return {Map.plain: _("One colour"), Map.thickness: _("Thickness"), Map.gap: _("Fit: gap to the bone")}[self]


class Frame(enum.Enum):
    """Coordinates of the exported files."""

    LPS = "LPS"
    RAS = "RAS"

    def label(self) -> str:
        """As the panel shows it."""
        return {Frame.LPS: _("LPS (as Slicer writes STL)"), Frame.RAS: _("RAS (as the scene)")}[self]


@parameterPack
class SegmentChoice(Decorated):
    """A segment of a segmentation."""

    segmentation: vtkMRMLSegmentationNode
    segment: str


@parameterPack
class DesignChoices(Decorated):
    """``implant.design.Design`` as the panel edits it: what may be None there is a choice and a value here."""

    material: Material
    thickness: Thickness
    thickness_mm: Annotated[float, WithinRange(0.6, 10.0)] = 4.0
    own_minimum_wall: bool = False
    minimum_wall: Annotated[float, WithinRange(0.3, 5.0)] = 1.5
    gap: Annotated[float, WithinRange(0.0, 2.0)] = 0.5
    bevel: Annotated[float, WithinRange(0.0, 30.0)] = 0.0
    inner_clearance: Annotated[float, WithinRange(0.0, 10.0)] = 0.0
    perfusion: bool = False
    perfusion_diameter: Annotated[float, WithinRange(0.5, 10.0)] = 2.0
    perfusion_pitch: Annotated[float, WithinRange(1.0, 50.0)] = 10.0
    perfusion_margin: Annotated[float, WithinRange(0.3, 50.0)] = 5.0
    hole_diameter: Annotated[float, WithinRange(0.5, 10.0)] = 2.0
    flange: bool = False
    flange_width: Annotated[float, WithinRange(2.0, 25.0)] = 8.0
    own_flange_thickness: bool = False
    flange_thickness: Annotated[float, WithinRange(0.4, 4.0)] = 0.8
    cut_gap: Annotated[float, WithinRange(0.0, 5.0)] = 0.2
    mould: bool = False
    host_model: bool = False
    triangle_budget: Annotated[int, Minimum(1000), Maximum(5000000)] = 200000
    name: str = "implant"
    number: Annotated[int, Minimum(1)] = 1


@parameterPack
class ExportChoices(Decorated):
    """What is written where."""

    stl: bool = True
    ply: bool = False
    obj: bool = False
    three_mf: bool = False
    gltf: bool = False
    dicom_stl: bool = False
    dicom_seg: bool = False
    frame: Frame
    folder: Path
    source_series: Path
    report: bool = True
    patient: bool = False
    force: bool = False
    to_database: bool = False


@parameterNodeWrapper
class CaseParameters(Decorated):
    """One case: its input, its results, and every choice of the panel.

    Attributes:
        source, volume, input_segment: a CT or a label map, or a segment.
        automatic_threshold, threshold: from which value a voxel of the CT counts as bone.
        skull: the segment that is reconstructed.
        method, model, device, complete: of the reconstruction; ``model`` empty is the one that is shipped.
        defect: the missing bone, which is edited and which the implant is made of.
        confidence: how sure the method is of it, 0 to 1.
        compared: another reconstruction beside it.
        curve: on the bone; limits or moves the rim.
        design, automatic_axis, axis, holes, cut: the implant's design.
        preview, implant, checks: what became of it.
        live_preview, colour_by: how it is shown.
        export: what is written.
    """

    source: Source
    volume: vtkMRMLScalarVolumeNode
    input_segment: SegmentChoice
    automatic_threshold: bool = True
    threshold: Annotated[float, WithinRange(-1024.0, 3071.0)] = 250.0
    skull: SegmentChoice
    method: Method
    model: str
    device: Device
    complete: bool = False
    defect: SegmentChoice
    confidence: vtkMRMLScalarVolumeNode
    compared: vtkMRMLSegmentationNode
    curve: vtkMRMLMarkupsClosedCurveNode
    design: DesignChoices
    automatic_axis: bool = True
    axis: vtkMRMLMarkupsLineNode
    holes: vtkMRMLMarkupsFiducialNode
    cut: vtkMRMLMarkupsPlaneNode
    preview: vtkMRMLModelNode
    implant: vtkMRMLModelNode
    checks: vtkMRMLTableNode
    live_preview: bool = True
    colour_by: Map
    export: ExportChoices
