"""What belongs to a case. Its parameter node is the owner, and every node made for it refers back to that.

Node references survive saving, loading, and a scene that is added to another, where ids change.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import slicer
from vtkmodules.vtkCommonCore import vtkIdList

OWNER = "CranialReconstruction.Case"
FOLDER = "CranialReconstruction.Folder"


def adopt(case: Any, node: Any) -> None:
    """Make ``node`` one of the case's, and put it into the case's folder of the subject hierarchy."""
    hierarchy = _hierarchy(case)
    # Before the node is one of the case's: it may lie in another's folder.
    folder = hierarchy and (_folder(case, hierarchy) or _new_folder(case, hierarchy))
    node.SetNodeReferenceID(OWNER, case.GetID())
    if not folder:
        return
    item = hierarchy.GetItemByDataNode(node)
    if item == hierarchy.GetInvalidItemID():
        hierarchy.CreateItem(folder, node)
    else:
        hierarchy.SetItemParent(item, folder)


def case_nodes(case: Any) -> list[Any]:
    """The nodes of a case in the order in which they came into the scene."""
    nodes = case.GetScene().GetNodes()
    every = (nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems()))
    return [node for node in every if _has_owner(node) and node.GetNodeReferenceID(OWNER) == case.GetID()]


def case_of(node: Any) -> Any:
    """The parameter node of the case that ``node`` belongs to; None if to none."""
    return node.GetNodeReference(OWNER) if _has_owner(node) else None


def unique_name(scene: Any, name: str) -> str:
    """``name``, with a number behind it where the scene has a node of that name already."""
    if scene.GetFirstNodeByName(name) is None:
        return name
    return next(f"{name} {number}" for number in count(2) if scene.GetFirstNodeByName(f"{name} {number}") is None)


def rename_case(case: Any, name: str) -> None:
    """Name the case and its folder."""
    case.SetName(name)
    hierarchy = _hierarchy(case)
    folder = hierarchy and _folder(case, hierarchy)
    if folder:
        hierarchy.SetItemName(folder, name)


def remove_nodes(case: Any, nodes: list[Any]) -> None:
    """Take nodes of the case, and what displays and stores them, out of the scene."""
    scene, hierarchy = case.GetScene(), _hierarchy(case)
    for node in nodes:
        helpers = _helpers(node)
        item = hierarchy and hierarchy.GetItemByDataNode(node)
        folder = item and hierarchy.GetItemParent(item)
        scene.RemoveNode(node)
        for helper in helpers:
            if scene.IsNodePresent(helper):
                scene.RemoveNode(helper)
        # The application takes it out by itself, slicer-core does not.
        if item and item in _children(hierarchy, folder):
            hierarchy.RemoveItem(item, False, True)


def remove_case(case: Any) -> None:
    """Take the case out of the scene: its nodes, its folder, and the parameter node itself. Nothing of others."""
    scene, hierarchy = case.GetScene(), _hierarchy(case)
    folder = hierarchy and _folder(case, hierarchy)
    remove_nodes(case, case_nodes(case))
    if folder:
        # What the user has put in there besides stays, one level higher.
        hierarchy.RemoveItem(folder, False, False)
    scene.RemoveNode(case)


def _has_owner(node: Any) -> bool:
    # To ask for a reference adds its role to a node that has none.
    return OWNER in {node.GetNthNodeReferenceRole(number) for number in range(node.GetNumberOfNodeReferenceRoles())}


def _children(hierarchy: Any, item: int) -> list[int]:
    found = vtkIdList()
    hierarchy.GetItemChildren(item, found, False)
    return [found.GetId(number) for number in range(found.GetNumberOfIds())]


def _helpers(node: Any) -> list[Any]:
    """Display and storage nodes that serve this node alone."""
    found = []
    if node.IsA("vtkMRMLDisplayableNode"):
        found += [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        found += [node.GetNthStorageNode(number) for number in range(node.GetNumberOfStorageNodes())]
    return [helper for helper in found if helper is not None]


def _hierarchy(case: Any) -> Any:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(case.GetScene())


def _folder(case: Any, hierarchy: Any) -> int:
    """The folder's item: above one of the case's nodes, wherever the user has moved it; 0 without one."""
    for node in case_nodes(case):
        item = hierarchy.GetItemByDataNode(node)
        while item and item != hierarchy.GetSceneItemID():
            if hierarchy.HasItemAttribute(item, FOLDER):
                return int(item)
            item = hierarchy.GetItemParent(item)
    return 0


def _new_folder(case: Any, hierarchy: Any) -> int:
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), case.GetName())
    hierarchy.SetItemAttribute(folder, FOLDER, "1")
    return int(folder)
