"""The Slicer module "Cranial Reconstruction": registration, panel, and what scripts call."""

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

from CranialReconstructionLib.workflow.script_actions import ScriptActions


class CranialReconstruction(ScriptedLoadableModule):
    """How the module presents itself to Slicer."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Cranial Reconstruction")
        # What goes in and what comes out are segmentations of bone; a category of Slicer's own is
        # translated already and is where users of other segmentation networks look.
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["SlicerCranialReconstruction developers"]
        parent.helpText = _(
            "Reconstructs missing skull bone from a head CT or a skull mask, and makes the implant. Research "
            "use only: not a medical device, and no result may be used for treatment without a physician's own "
            "judgement."
        )
        parent.acknowledgementText = _(
            "Methods: Wodzinski, Kwarciak, Daniol, Hemmerling, <i>Improving Deep Learning-based Automatic "
            "Cranial Defect Reconstruction by Heavy Data Augmentation</i>, arXiv:2406.06372 (2024). "
            "Wodzinski, Hemmerling, Daniol, <i>Automatic Cranial Defect Reconstruction with Self-Supervised "
            "Deep Deformable Masked Autoencoders</i>, arXiv:2404.13106 (2024). "
            "Kwarciak, Wodzinski, <i>Deep Generative Networks for Heterogeneous Augmentation of Cranial "
            "Defects</i>, ICCV Workshops (2023)."
        )
        slicer.app.connect("startupCompleted()", _register_sample_data)


def _register_sample_data():
    from CranialReconstructionLib.widgets.sample_data import register_sample_data

    register_sample_data()


class CranialReconstructionWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Hands Slicer's events on to the panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def setup(self):
        """Build the panel; called by Slicer when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        from CranialReconstructionLib.widgets.panel import Panel

        self.logic = CranialReconstructionLogic()
        self.panel = Panel(self.logic.session)
        self.layout.addWidget(self.panel.page)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, lambda caller, event: self.panel.show_case(None))
        self.addObserver(scene, scene.EndCloseEvent, self._scene_changed)
        self.addObserver(scene, scene.EndImportEvent, self._scene_loaded)
        self.enter()

    def enter(self):
        """The module is opened."""
        self.panel.show_case(self.logic.current_case())

    def exit(self):
        """Another module is opened."""
        self.panel.leave()

    def cleanup(self):
        """Slicer ends, or the module is loaded again."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def _scene_loaded(self, caller, event):
        from CranialReconstructionLib.scene.colours import restore_colours

        restore_colours(slicer.mrmlScene)
        self.panel.prefer_loaded(self.logic.getAllParameterNodes())
        self._scene_changed(caller, event)

    def _scene_changed(self, caller, event):
        if self.parent.isEntered:
            self.enter()


class CranialReconstructionLogic(ScriptedLoadableModuleLogic, ScriptActions):
    """Every action of the panel as one line for scripts, and the cases of the scene; the README has examples.

    A case is a parameter node; results are kept beside the input that they were made from.
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self.isSingletonParameterNode = False
        from CranialReconstructionLib.widgets.session import Session

        self.session = Session()
        self._case = None

    def new_case(self, name):
        """A new case, which what follows belongs to."""
        self._case = slicer.mrmlScene.AddNode(self.createParameterNode())
        self._case.SetName(slicer.mrmlScene.GenerateUniqueName(name))
        return self._case

    def current_case(self):
        """The case that results belong to: the panel's, the newest of this logic, or the scene's first."""
        if self.session.parameters is not None:
            return self.session.case
        if self._case is None or self._case.GetScene() is None:
            self._case = self.getParameterNode()
        return self._case

    def worker_tasks(self):
        """The tasks of the worker in the Python that the panel's user has chosen."""
        return self.session.tasks

    def worker_files(self):
        """Nodes as files for that worker."""
        return self.session.files

    def turn(self):
        """Slicer's windows stay alive while a script waits."""
        slicer.app.processEvents()

    def close(self):
        """End the worker."""
        self.session.close()


class CranialReconstructionTest(ScriptedLoadableModuleTest):
    """The application's tests, which lie in the source tree and not in the package."""

    def runTest(self):
        """Slicer's own "Reload and Test" runs what a user does first: the demo head, up to its skull."""
        slicer.mrmlScene.Clear()
        from CranialReconstructionLib.widgets.sample_data import load_demo_head

        assert load_demo_head() is not None
