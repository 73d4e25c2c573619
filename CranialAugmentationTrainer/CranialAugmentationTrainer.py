"""The Slicer module "Cranial Augmentation Trainer": registration, panel, and what scripts call."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from CranialAugmentationTrainerLib.workflow.trainer_actions import TrainerActions


class CranialAugmentationTrainer(ScriptedLoadableModule):
    """How the module presents itself to Slicer."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Cranial Augmentation Trainer")
        # Beside Cranial Reconstruction, for which it makes the models.
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["CranialReconstruction"]
        parent.contributors = ["SlicerCranialReconstruction developers"]
        parent.helpText = _(
            "Trains the networks that reconstruct missing skull bone, on skulls whose number and variety "
            "are raised by augmentation. Research use only."
        )
        parent.acknowledgementText = _(
            "Methods: Kwarciak, Wodzinski, <i>Deep Generative Networks for Heterogeneous Augmentation of "
            "Cranial Defects</i>, ICCV Workshops (2023). "
            "Wodzinski, Kwarciak, Daniol, Hemmerling, <i>Improving Deep Learning-based Automatic Cranial "
            "Defect Reconstruction by Heavy Data Augmentation</i>, arXiv:2406.06372 (2024). "
            "Wodzinski, Hemmerling, Daniol, <i>Automatic Cranial Defect Reconstruction with Self-Supervised "
            "Deep Deformable Masked Autoencoders</i>, arXiv:2404.13106 (2024)."
        )

        slicer.app.connect("startupCompleted()", _add_layout)


def _add_layout():
    """Before any scene is loaded that was saved with it."""
    from CranialAugmentationTrainerLib.scene.training_views import add_layout

    manager = slicer.app.layoutManager()
    if manager is not None:
        add_layout(manager.layoutLogic().GetLayoutNode())


class CranialAugmentationTrainerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Hands Slicer's events on to the panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def setup(self):
        """Build the panel; called by Slicer when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        from CranialAugmentationTrainerLib.widgets.trainer_panel import TrainerPanel

        self.logic = CranialAugmentationTrainerLogic()
        self.panel = TrainerPanel(self.logic.session)
        self.layout.addWidget(self.panel.page)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, lambda caller, event: self.panel.show(None))
        self.addObserver(scene, scene.EndCloseEvent, self._scene_changed)
        self.addObserver(scene, scene.StartImportEvent, lambda caller, event: self.panel.show(None))
        self.addObserver(scene, scene.EndImportEvent, self._scene_changed)
        self.enter()

    def enter(self):
        """The module is opened."""
        self.panel.show(self.logic.getParameterNode())

    def exit(self):
        """Another module is opened."""
        self.panel.leave()

    def cleanup(self):
        """Slicer ends, or the module is loaded again."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def _scene_changed(self, caller, event):
        if self.parent.isEntered:
            self.enter()


class CranialAugmentationTrainerLogic(ScriptedLoadableModuleLogic, TrainerActions):
    """Every action of the panel as one line for scripts; the README has examples."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession

        self.session = TrainerSession()

    def trainer_node(self):
        """The node that owns what is shown in the scene."""
        return self.getParameterNode()

    def python(self):
        """The Python that computes, as chosen in either module's panel."""
        return self.session.python

    def turn(self):
        """Slicer's windows stay alive while a script waits."""
        slicer.app.processEvents()


class CranialAugmentationTrainerTest(ScriptedLoadableModuleTest):
    """The application's tests, which lie in the source tree and not in the package."""

    def runTest(self):
        """Slicer's own "Reload and Test": the panel opens and knows where runs are looked for."""
        slicer.mrmlScene.Clear()
        slicer.util.selectModule("CranialAugmentationTrainer")
        assert slicer.util.getModuleWidget("CranialAugmentationTrainer").panel.session.runs.folders
