"""What reconstructions left behind in the scene: segmentations, confidence, and where they came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import read_volume
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.scene.case import adopt, case_nodes, unique_name
from CranialReconstructionLib.scene.colours import Colour, colour_table, show_legend
from CranialReconstructionLib.scene.segments import (
    make_surfaces,
    new_segmentation,
    put_segment,
    reference_node,
    segment_names,
)
from CranialReconstructionLib.scene.volumes import grid_of, node_from_volume

BONE: Colour = (0.945, 0.894, 0.765)
DEFECT: Colour = (0.878, 0.290, 0.145)
COMPLETE: Colour = (0.475, 0.690, 0.835)
FIRST_ONLY: Colour = (0.247, 0.463, 0.710)
SECOND_ONLY: Colour = (0.812, 0.451, 0.153)

RUN = "CranialReconstruction.Run"
PROVENANCE = "CranialReconstruction.Provenance"
CONFIDENCE = "CranialReconstruction.Confidence"
# Below this, nothing is shown over the CT.
LEAST_CONFIDENCE = 0.02

SKULL_ID, DEFECT_ID, COMPLETE_ID = "Skull", "Defect", "Complete"
# Of a whole skull about the missing bone, in 3D.
_OPACITY = {SKULL_ID: 1.0, DEFECT_ID: 1.0, COMPLETE_ID: 0.35}


@dataclass(frozen=True, eq=False)
class Run:
    """What one reconstruction found.

    Attributes:
        name: tells it apart from others of the case.
        skull, defect: masks on one grid.
        confidence: 0 to 1 on that grid, or None.
        complete: also show both as one.
        provenance: model, version, method, seconds, warnings: what JSON can hold.
    """

    name: str
    skull: Volume
    defect: Volume
    confidence: Volume | None = None
    complete: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        others = [volume for volume in (self.defect, self.confidence) if volume is not None]
        if not all(volume.grid.same_as(self.skull.grid) for volume in others):
            raise UserError("its parts lie on different grids", where=self.name, remedy="Run the reconstruction again.")

    @classmethod
    def from_files(cls, name: str, skull: Path, outcome: Mapping[str, Any], complete: bool = False) -> Run:
        """From the worker's result, which names its files, and the skull that it was given.

        Raises:
            UserError: as of ``read_volume``, or the grids differ.
        """
        files = {key: Path(outcome[key]) for key in ("defect", "confidence") if outcome.get(key)}
        left_out = {"skull", "defect", "confidence", "complete"}
        return cls(
            name,
            read_volume(skull),
            read_volume(files["defect"]),
            read_volume(files["confidence"]) if "confidence" in files else None,
            complete,
            {key: value for key, value in outcome.items() if key not in left_out},
        )


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A run as it stands in the scene.

    Attributes:
        segmentation: the node with the segments.
        skull_id, defect_id: of its segments.
        complete_id: the same; None without it.
        confidence: volume node; None without it.
    """

    segmentation: Any
    skull_id: str
    defect_id: str
    complete_id: str | None
    confidence: Any

    @property
    def name(self) -> str:
        """As the run was called."""
        return str(self.segmentation.GetAttribute(RUN))

    @property
    def provenance(self) -> dict[str, Any]:
        """Where it came from."""
        return provenance_of(self.segmentation)


def show_reconstruction(case: Any, run: Run, input_node: Any = None) -> Reconstruction:
    """Put a run into the scene, beside those that are there.

    Args:
        case: the parameter node.
        run: what was found.
        input_node: volume or segmentation that it was found in; what lies on the same grid becomes the
            source volume of the new segmentation.
    """
    scene = case.GetScene()
    name = unique_name(scene, f"{case.GetName()} {run.name}")
    segmentation = new_segmentation(scene, name, _source(input_node, run), run.skull.grid)
    put_segment(segmentation, run.skull, "Skull", BONE, SKULL_ID)
    put_segment(segmentation, run.defect, "Defect", DEFECT, DEFECT_ID)
    if run.complete:
        both = ((run.skull.voxels > 0) | (run.defect.voxels > 0)).view(np.uint8)
        put_segment(segmentation, run.skull.with_voxels(both), "Complete", COMPLETE, COMPLETE_ID)
    display = segmentation.GetDisplayNode()
    for identifier in segment_names(segmentation):
        display.SetSegmentOpacity3D(identifier, _OPACITY[identifier])
        # Shown on demand: it covers the two others.
        if identifier == COMPLETE_ID:
            display.SetSegmentVisibility(identifier, False)
    segmentation.SetAttribute(RUN, run.name)
    _remember(segmentation, run.provenance)
    make_surfaces(segmentation)
    adopt(case, segmentation)
    if run.confidence is not None:
        confidence = _show_confidence(scene, run.confidence, unique_name(scene, f"{name} confidence"))
        _remember(confidence, run.provenance)
        segmentation.SetNodeReferenceID(CONFIDENCE, confidence.GetID())
        adopt(case, confidence)
    return _found(segmentation)


def reconstructions(case: Any) -> list[Reconstruction]:
    """All runs of a case that are in the scene, in the order in which they were made."""
    return [_found(node) for node in case_nodes(case) if node.GetAttribute(RUN) is not None]


def show_difference(case: Any, difference: Volume | Path, first: str, second: str) -> Any:
    """A segmentation of where two masks differ.

    Args:
        case: the parameter node.
        difference: labels, 1 in the first only, 2 in the second only; or their file.
        first, second: names of the two.
    """
    labels = difference if isinstance(difference, Volume) else read_volume(difference)
    scene = case.GetScene()
    name = unique_name(scene, f"{first} against {second}")
    segmentation = new_segmentation(scene, name, grid=labels.grid)
    for label, which, colour in ((1, first, FIRST_ONLY), (2, second, SECOND_ONLY)):
        only = labels.with_voxels((labels.voxels == label).view(np.uint8))
        put_segment(segmentation, only, f"Only in {which}", colour)
    make_surfaces(segmentation)
    adopt(case, segmentation)
    return segmentation


def show_confidence(reconstruction: Reconstruction, shown: bool) -> None:
    """The bar with the confidence's colours in the views, or none."""
    if reconstruction.confidence is not None:
        show_legend(reconstruction.confidence, "Confidence", shown)


def provenance_of(node: Any) -> dict[str, Any]:
    """Where a result came from; empty where nothing says so."""
    stated = node.GetAttribute(PROVENANCE)
    return dict(json.loads(stated)) if stated else {}


def _source(input_node: Any, run: Run) -> Any:
    """The volume node on the run's grid that the input is, or was made on; None if there is none."""
    if input_node is None:
        return None
    volume = reference_node(input_node) if input_node.IsA("vtkMRMLSegmentationNode") else input_node
    return volume if volume is not None and grid_of(volume).same_as(run.skull.grid) else None


def _show_confidence(scene: Any, confidence: Volume, name: str) -> Any:
    node = node_from_volume(scene, confidence, name)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(colour_table(scene, "confidence").GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, 1.0)
    display.AutoThresholdOff()
    display.SetLowerThreshold(LEAST_CONFIDENCE)
    display.ApplyThresholdOn()
    return node


def _remember(node: Any, provenance: Mapping[str, Any]) -> None:
    node.SetAttribute(PROVENANCE, json.dumps(provenance, default=str))
    told = {key: value for key, value in provenance.items() if isinstance(value, str | int | float)}
    node.SetDescription("; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in told.items()))


def _found(segmentation: Any) -> Reconstruction:
    ids = segment_names(segmentation)
    return Reconstruction(
        segmentation,
        SKULL_ID,
        DEFECT_ID,
        COMPLETE_ID if COMPLETE_ID in ids else None,
        segmentation.GetNodeReference(CONFIDENCE),
    )
