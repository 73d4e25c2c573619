"""The Slicer module "Cranial Augmentation Trainer": registration and panel."""

from __future__ import annotations

import ctk
import qt
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget


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


class CranialAugmentationTrainerWidget(ScriptedLoadableModuleWidget):
    """The panel: what can be trained today, and what has been."""

    def setup(self):
        """Build the panel; called by Slicer when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        from CranialReconstructionLib.widgets.installed_models import installed_models_table

        commands = qt.QLabel(
            _(
                "In this version training runs on the command line, in a terminal:\n\n"
                "cranial train METHOD --data FOLDER --run FOLDER\n"
                "    train a generator or a reconstruction network; all that happens is written into FOLDER\n"
                "cranial runs list FOLDER\n"
                "    how the runs are getting on; show, stop and resume them\n"
                "cranial generate RUN -n COUNT -o FOLDER\n"
                "    a synthetic set from a generator\n"
                "cranial train-reconstruction CONFIG --data FOLDER --run FOLDER\n"
                "    train a network of the kind that is shipped\n"
                "cranial package-model --first RUN --data FOLDER --card FILE -o FOLDER\n"
                "    make a model package of it\n"
                "cranial models add FOLDER\n"
                "    make a trained package known to Cranial Reconstruction"
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
