"""The Trainer's part of a scene as the application has it, without the application."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from headless import Application


class TrainerApplication(Application):
    """With sequences that move their models, and what reads them back.

    Args:
        folder: for what is unpacked when a scene is read.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._sequences = slicer.vtkSlicerSequencesLogic()
        self._sequences.SetMRMLApplicationLogic(self.logic)
        self._sequences.SetMRMLScene(self.scene)
        folder.mkdir(parents=True, exist_ok=True)
        self._cache, self._files = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        self._cache.SetRemoteCacheDirectory(str(folder))
        self._files.SetCacheManager(self._cache)
        self.scene.SetCacheManager(self._cache)
        self.scene.SetDataIOManager(self._files)

    def trainer(self) -> Any:
        """The Trainer's parameter node, a new one."""
        node = self.scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "CranialAugmentationTrainer")
        node.SetModuleName("CranialAugmentationTrainer")
        return node


def reopened(application: Application, folder: Path) -> tuple[TrainerApplication, Any]:
    """Another application with the scene, saved and read, and its trainer."""
    (folder / "saved").mkdir(parents=True)
    assert application.scene.SaveSceneToSlicerDataBundleDirectory(str(folder / "saved"))
    opened = TrainerApplication(folder / "cache")
    opened.scene.SetURL(str(next((folder / "saved").glob("*.mrml"))))
    assert opened.scene.Connect()
    return opened, opened.scene.GetFirstNodeByName("CranialAugmentationTrainer")
