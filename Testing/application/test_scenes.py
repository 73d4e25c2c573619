"""Scenes: saved and loaded, closed, with several cases; and the module loaded again."""

from __future__ import annotations

import sys

import slicer
from panel_case import MODULE, PanelCase


class Scenes(PanelCase):
    """What belongs to a scene."""

    def test_a_saved_scene_brings_everything_back(self) -> None:
        self.load_demo_head()
        self.reconstruct("mirror")
        self.parameters.design.gap = 1.25
        self.parameters.design.name = "plate"
        self.press("implant", "makeButton")
        self.done()
        names = {
            "defect": self.parameters.defect.segmentation.GetName(),
            "implant": self.parameters.implant.GetName(),
            "checks": self.parameters.checks.GetName(),
        }
        rows = self.steps["implant"].ui.checksTable.rowCount
        path = self.folder / "scene.mrb"
        self.assertTrue(slicer.util.saveScene(str(path)))
        slicer.mrmlScene.Clear()
        self.assertIsNone(self.parameters.defect.segmentation)

        slicer.util.loadScene(str(path))
        slicer.util.selectModule(MODULE)
        slicer.app.processEvents()

        self.assertAlmostEqual(self.parameters.design.gap, 1.25)
        self.assertEqual(self.parameters.design.name, "plate")
        self.assertEqual(self.steps["implant"].ui.nameEdit.text, "plate")
        self.assertEqual(self.parameters.defect.segmentation.GetName(), names["defect"])
        self.assertEqual(self.parameters.implant.GetName(), names["implant"])
        self.assertEqual(self.parameters.checks.GetName(), names["checks"])
        self.assertEqual(self.steps["implant"].ui.checksTable.rowCount, rows)

    def test_closing_the_scene_resets_the_panel(self) -> None:
        self.press("input", "sampleButton")
        self.parameters.design.gap = 1.5
        slicer.mrmlScene.Clear()
        slicer.app.processEvents()
        self.assertIsNone(self.parameters.volume)
        self.assertAlmostEqual(self.parameters.design.gap, 0.5)

    def test_two_cases_do_not_mix(self) -> None:
        self.load_demo_head()
        first = self.session.case
        self.parameters.design.gap = 1.0
        self.panel.ui.caseSelector.addNode()
        self.assertIsNot(self.session.case, first)
        self.assertIsNone(self.parameters.volume)
        self.assertAlmostEqual(self.parameters.design.gap, 0.5)
        self.panel.ui.caseSelector.setCurrentNode(first)
        self.assertAlmostEqual(self.parameters.design.gap, 1.0)
        self.assertIsNotNone(self.parameters.skull.segmentation)

    def test_the_module_can_be_loaded_again(self) -> None:
        slicer.util.reloadScriptedModule(MODULE)
        self.take_widget()
        self.press("input", "sampleButton")
        self.assertIsNotNone(self.parameters.volume)

    def test_slicers_process_never_loads_torch(self) -> None:
        self.load_demo_head()
        self.reconstruct("mirror")
        self.assertEqual({"torch", "monai", "lightning"} & set(sys.modules), set())

    def test_a_script_does_it_in_a_few_lines(self) -> None:
        from CranialReconstruction import CranialReconstructionLogic
        from CranialReconstructionLib.widgets.sample_data import load_demo_head

        logic = CranialReconstructionLogic()
        self.addCleanup(logic.close)
        skull = logic.segment_skull(load_demo_head()).segment
        found = logic.reconstruct(skull, method="mirror")
        made = logic.make_implant(found, {"gap": 0.7}, self.folder, ("stl",), report=False, force=True)
        self.assertTrue((self.folder / "implant.stl").is_file())
        self.assertTrue(made.written)
