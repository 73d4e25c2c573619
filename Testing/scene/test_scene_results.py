"""Reconstructions beside each other, what they say of themselves, and where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from headless import GEOMETRIES, Application, affine, blob

from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.imaging.files import write_volume
from CranialReconstructionLib.imaging.volume import Volume
from CranialReconstructionLib.scene.case import case_nodes
from CranialReconstructionLib.scene.checks import checks_table, place_of_check
from CranialReconstructionLib.scene.results import (
    Run,
    provenance_of,
    reconstructions,
    show_confidence,
    show_difference,
    show_reconstruction,
)
from CranialReconstructionLib.scene.segments import mask_from_segment, reference_node, segment_names
from CranialReconstructionLib.scene.volumes import node_from_volume, volume_from_node

PROVENANCE = {
    "model": {"name": 'shell; "quoted": <ü&>', "version": "1.0"},
    "method": "network",
    "seconds": 12.5,
    "warnings": ["One.", "Two; three: four."],
}


def run(name: str = "network", matrix: np.ndarray = GEOMETRIES["oblique"], **more: Any) -> Run:
    skull = blob(matrix)
    defect = skull.with_voxels(((1 - skull.voxels) * (blob(matrix, 2).voxels)).astype(np.uint8))
    confidence = skull.with_voxels((0.9 * defect.voxels).astype(np.float32))
    return Run(name, skull, defect, **{"confidence": confidence, "provenance": PROVENANCE, **more})


def test_a_run_is_shown_with_all_its_parts(application: Application) -> None:
    case, given = application.case("Case"), run(complete=True)
    shown = show_reconstruction(case, given)
    masks = {name: mask_from_segment(shown.segmentation, i) for i, name in segment_names(shown.segmentation).items()}
    assert list(masks) == ["Skull", "Defect", "Complete"]
    both = given.skull.voxels | given.defect.voxels
    for name, expected in (("Skull", given.skull.voxels), ("Defect", given.defect.voxels), ("Complete", both)):
        np.testing.assert_array_equal(masks[name].voxels, expected)
        assert masks[name].grid.same_as(given.skull.grid)
    np.testing.assert_array_equal(volume_from_node(shown.confidence).voxels, given.confidence.voxels)
    assert case_nodes(case) == [shown.segmentation, shown.confidence]
    assert not shown.segmentation.GetDisplayNode().GetSegmentVisibility("Complete")
    assert shown.segmentation.GetDisplayNode().GetSegmentVisibility("Defect")
    assert shown.segmentation.GetSegmentation().ContainsRepresentation("Closed surface")


def test_runs_stand_beside_each_other_in_order(application: Application) -> None:
    case, other = application.case("Case"), application.case("Other")
    for name in ("network", "mirror", "network"):
        show_reconstruction(case, run(name))
    show_reconstruction(other, run("network", confidence=None))
    found = reconstructions(case)
    assert [entry.name for entry in found] == ["network", "mirror", "network"]
    assert [entry.segmentation.GetName() for entry in found] == ["Case network", "Case mirror", "Case network 2"]
    assert len({entry.confidence.GetID() for entry in found}) == 3
    assert [entry.confidence for entry in reconstructions(other)] == [None]


def test_a_result_says_where_it_came_from(application: Application) -> None:
    shown = show_reconstruction(application.case("Case"), run())
    assert shown.provenance == PROVENANCE
    assert provenance_of(shown.confidence) == PROVENANCE
    assert "method: network" in shown.segmentation.GetDescription()
    assert provenance_of(node_from_volume(application.scene, blob(affine()), "ct")) == {}


def test_the_ct_becomes_the_source_volume_if_it_lies_there(application: Application) -> None:
    case = application.case("Case")
    ct = node_from_volume(application.scene, blob(GEOMETRIES["oblique"]), "ct")
    first = show_reconstruction(case, run(), ct)
    assert reference_node(first.segmentation) is ct
    assert reference_node(show_reconstruction(case, run(), first.segmentation).segmentation) is ct
    elsewhere = show_reconstruction(case, run(matrix=GEOMETRIES["flipped"]), ct).segmentation
    assert reference_node(elsewhere) is None
    assert mask_from_segment(elsewhere, "Skull").grid.same_as(run(matrix=GEOMETRIES["flipped"]).skull.grid)


def test_a_run_is_read_from_the_workers_files(tmp_path: Path) -> None:
    matrix = affine((10, 20, 30), (4.0, 4.0, 4.0))
    given = run(matrix=matrix)
    for name in ("skull", "defect", "confidence"):
        write_volume(getattr(given, name), tmp_path / f"{name}.nrrd")
    outcome = {"defect": str(tmp_path / "defect.nrrd"), "confidence": str(tmp_path / "confidence.nrrd"), **PROVENANCE}
    read = Run.from_files("network", tmp_path / "skull.nrrd", outcome)
    np.testing.assert_array_equal(read.skull.voxels, given.skull.voxels)
    np.testing.assert_array_equal(read.defect.voxels, given.defect.voxels)
    np.testing.assert_array_equal(read.confidence.voxels, given.confidence.voxels)
    assert read.provenance == PROVENANCE


def test_parts_of_different_grids_are_refused() -> None:
    given = run()
    with pytest.raises(UserError, match="different grids"):
        Run("network", given.skull, Volume(given.defect.voxels, affine()))


def test_confidence_has_its_own_colours_from_none_to_all(application: Application) -> None:
    shown = show_reconstruction(application.case("Case"), run())
    display = shown.confidence.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 1.0)
    # Nothing is laid over the CT where there is no confidence.
    assert display.GetLowerThreshold() > 0.0
    assert display.GetApplyThreshold()
    table = display.GetColorNode()
    assert table.GetName() == "Cranial confidence"
    again = show_reconstruction(application.case("Other"), run()).confidence.GetDisplayNode().GetColorNode()
    assert again is table
    show_confidence(shown, True)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(shown.confidence)
    assert (legend.GetTitleText(), bool(legend.GetVisibility())) == ("Confidence", True)
    show_confidence(shown, False)
    assert not legend.GetVisibility()


def test_differences_are_two_segments(application: Application) -> None:
    case = application.case("Case")
    labels = blob(GEOMETRIES["flipped"])
    labels.voxels[3:5] *= 2
    node = show_difference(case, labels, "network", "mirror")
    names = {name: identifier for identifier, name in segment_names(node).items()}
    assert list(names) == ["Only in network", "Only in mirror"]
    for label, name in enumerate(names, start=1):
        np.testing.assert_array_equal(mask_from_segment(node, names[name]).voxels, labels.voxels == label)
    assert case_nodes(case) == [node]


def test_rows_of_checks_lead_to_places(application: Application) -> None:
    case = application.case("Case")
    checks = [
        {"name": "minimum wall", "value": "1.2 mm", "limit": "1.5 mm", "verdict": "fail", "at": (1.0, -2.5, 3.25)},
        {"name": "gap", "value": "0.5 mm", "limit": "0.5 mm", "verdict": "pass", "at": None},
        {"name": "triangles", "value": "9", "limit": "10", "verdict": "pass"},
    ]
    table = checks_table(case, "checks", checks)
    assert [place_of_check(table, row) for row in range(3)] == [(1.0, -2.5, 3.25), None, None]
    assert table.GetTable().GetValueByName(0, "Verdict").ToString() == "fail"
    assert case_nodes(case) == [table]
