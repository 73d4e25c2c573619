"""The Slicer module "Cranial Reconstruction": registration and panel."""

from __future__ import annotations

import ctk
import qt
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget

from CranialReconstructionLib.widgets.installed_models import installed_models_table


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
            "Reconstructs missing skull bone from a head CT or a skull mask. Research use only: not a "
            "medical device, and no result may be used for treatment without a physician's own judgement."
        )
        parent.acknowledgementText = _(
            "Methods: Wodzinski, Kwarciak, Daniol, Hemmerling, <i>Improving Deep Learning-based Automatic "
            "Cranial Defect Reconstruction by Heavy Data Augmentation</i>, arXiv:2406.06372 (2024). "
            "Wodzinski, Hemmerling, Daniol, <i>Automatic Cranial Defect Reconstruction with Self-Supervised "
            "Deep Deformable Masked Autoencoders</i>, arXiv:2404.13106 (2024). "
            "Kwarciak, Wodzinski, <i>Deep Generative Networks for Heterogeneous Augmentation of Cranial "
            "Defects</i>, ICCV Workshops (2023)."
        )


class CranialReconstructionWidget(ScriptedLoadableModuleWidget):
    """The panel: what can be done today, and with which models."""

    def setup(self):
        """Build the panel; called by Slicer when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)

        commands = qt.QLabel(
            _(
                "In this version the reconstruction runs on the command line, in a terminal:\n\n"
                "cranial segment-skull CT -o SKULL\n"
                "    the skull from a head CT\n"
                "cranial reconstruct CT_OR_SKULL -o FOLDER\n"
                "    the missing bone, its confidence, the complete skull, a picture and a report\n"
                "cranial evaluate PREDICTION TRUTH\n"
                "    the figures against a known truth\n"
                "cranial models list\n"
                "    the model packages that are there\n\n"
                "Results lie on the grid of their input: load defect.nrrd as a segmentation over the CT."
            )
        )
        commands.wordWrap = True
        commands.textInteractionFlags = qt.Qt.TextSelectableByMouse
        self.layout.addWidget(commands)

        models = ctk.ctkCollapsibleButton()
        models.text = _("Installed model packages")
        qt.QVBoxLayout(models).addWidget(installed_models_table())
        self.layout.addWidget(models)
        self.layout.addStretch(1)
