"""What belongs to a case, and what does not."""

from __future__ import annotations

from typing import Any

import slicer
from headless import Application, affine, blob

from CranialReconstructionLib.scene.case import (
    adopt,
    case_nodes,
    case_of,
    remove_case,
    remove_nodes,
    rename_case,
    unique_name,
)
from CranialReconstructionLib.scene.segments import new_segmentation
from CranialReconstructionLib.scene.volumes import node_from_volume


def filled(application: Application, name: str) -> tuple[Any, list[Any]]:
    """A case with a volume and a segmentation."""
    case = application.case(name)
    volume = node_from_volume(application.scene, blob(affine()), unique_name(application.scene, "ct"))
    nodes = [volume, new_segmentation(application.scene, unique_name(application.scene, "skull"), volume)]
    for node in nodes:
        adopt(case, node)
    return case, nodes


def ids(application: Application) -> set[str]:
    nodes = application.scene.GetNodes()
    return {nodes.GetItemAsObject(number).GetID() for number in range(nodes.GetNumberOfItems())}


def hierarchy(application: Application) -> Any:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(application.scene)


def folder_name(application: Application, node: Any) -> str:
    tree = hierarchy(application)
    return str(tree.GetItemName(tree.GetItemParent(tree.GetItemByDataNode(node))))


def test_each_case_knows_its_own_nodes(application: Application) -> None:
    first, first_nodes = filled(application, "A")
    second, second_nodes = filled(application, "B")
    stranger = node_from_volume(application.scene, blob(affine()), "stranger")
    assert case_nodes(first) == first_nodes
    assert case_nodes(second) == second_nodes
    assert [case_of(node) for node in (*first_nodes, *second_nodes)] == [first, first, second, second]
    assert case_of(stranger) is None
    assert stranger.GetNumberOfNodeReferenceRoles() == first_nodes[0].GetNumberOfNodeReferenceRoles() - 1


def test_a_node_changes_hands(application: Application) -> None:
    first, (volume, segmentation) = filled(application, "A")
    second, nodes = filled(application, "B")
    adopt(second, volume)
    assert case_nodes(first) == [segmentation]
    assert set(case_nodes(second)) == {volume, *nodes}
    assert folder_name(application, volume) == "B"


def test_names_are_not_given_twice(application: Application) -> None:
    _, nodes = filled(application, "A")
    _, others = filled(application, "B")
    assert [node.GetName() for node in (*nodes, *others)] == ["ct", "skull", "ct 2", "skull 2"]
    assert unique_name(application.scene, "ct") == "ct 3"


def test_a_case_has_one_folder_that_follows_its_name(application: Application) -> None:
    case, nodes = filled(application, "A")
    assert {folder_name(application, node) for node in nodes} == {"A"}
    rename_case(case, "Patient 7")
    late = node_from_volume(application.scene, blob(affine()), "late")
    adopt(case, late)
    assert (case.GetName(), {folder_name(application, node) for node in (*nodes, late)}) == ("Patient 7", {"Patient 7"})


def test_a_removed_case_takes_its_own_along_and_nothing_else(application: Application) -> None:
    filled(application, "A")
    before = ids(application)
    tree_before = hierarchy(application).GetNumberOfItems()
    case, nodes = filled(application, "B")
    guest = node_from_volume(application.scene, blob(affine()), "guest")
    tree = hierarchy(application)
    tree.CreateItem(tree.GetItemParent(tree.GetItemByDataNode(nodes[0])), guest)
    guests = {guest.GetID(), guest.GetDisplayNode().GetID()}
    remove_case(case)
    assert ids(application) == before | guests
    assert tree.GetNumberOfItems() == tree_before + 1
    assert tree.GetItemParent(tree.GetItemByDataNode(guest)) == tree.GetSceneItemID()


def test_a_removed_node_leaves_the_others_of_its_case(application: Application) -> None:
    case, (volume, segmentation) = filled(application, "A")
    gone = volume.GetDisplayNode()
    remove_nodes(case, [volume])
    assert case_nodes(case) == [segmentation]
    assert not application.scene.IsNodePresent(gone)
    assert application.scene.IsNodePresent(segmentation.GetDisplayNode())
