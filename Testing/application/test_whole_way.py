"""From the sample to the STL with the panel's own buttons, and what a surgeon may do on the way."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from panel_case import PanelCase


class WholeWay(PanelCase):
    """The six steps."""

    def test_from_the_sample_to_the_stl(self) -> None:
        self.load_demo_head()
        self.reconstruct()
        self.assertGreater(self.defect_ml(), 10.0)

        self.assertTrue(self.defect_in_3d())
        self.open("implant")
        self.parameters.design.gap = 0.8
        self.wait(lambda: self.parameters.preview is not None, 60.0, "no preview")
        self.assertFalse(self.defect_in_3d(), "missing bone and implant are shown in the same place")
        self.assertGreater(self.parameters.preview.GetPolyData().GetNumberOfPoints(), 100)

        self.press("implant", "makeButton")
        self.done()
        table = self.steps["implant"].ui.checksTable
        self.assertGreater(table.rowCount, 8)
        self.assertTrue(self.parameters.implant.GetDisplayVisibility())
        self.assertFalse(self.parameters.preview.GetDisplayVisibility())

        export = self.parameters.export
        export.folder = self.folder / "out"
        export.three_mf = True
        self.press("export", "exportButton")
        self.done()
        written = {path.name for path in (self.folder / "out").iterdir()}
        self.assertTrue({"implant.stl", "implant.3mf", "report.html", "report.pdf", "design.json"} <= written)
        self.wait_quietly(1.0)
        self.assertTrue(self.parameters.implant.GetDisplayVisibility(), "a preview took the implant's place")
        model = slicer.util.loadModel(str(self.folder / "out" / "implant.stl"))
        bounds, expected = np.zeros(6), np.zeros(6)
        model.GetRASBounds(bounds)
        self.parameters.implant.GetRASBounds(expected)
        np.testing.assert_allclose(bounds, expected, atol=0.1)

    def test_the_preview_follows_a_change_within_a_second(self) -> None:
        self.load_demo_head()
        self.reconstruct("mirror")
        self.open("implant")
        self.wait(lambda: self.parameters.preview is not None, 60.0, "no preview")
        volume = self.volume_of_preview()
        self.parameters.design.gap = 2.0
        self.wait(lambda: self.volume_of_preview() < 0.98 * volume, 3.0, "the preview did not follow")

    def test_results_are_kept_beside_each_other_and_compared(self) -> None:
        self.load_demo_head()
        self.reconstruct("mirror")
        first = self.parameters.defect.segmentation
        self.reconstruct("network")
        self.assertIs(self.parameters.compared, first)
        self.press("reconstruct", "compareButton")
        self.done()
        self.assertIn("Dice", self.steps["reconstruct"].ui.compareText.text)

    def test_the_segment_editor_opens_on_the_defect_and_undoes(self) -> None:
        self.load_demo_head()
        self.reconstruct("mirror")
        ui = self.steps["edit"].ui
        self.open("edit")
        ui.editDefect.checked = True
        self.assertTrue(ui.defectEditor.visible)
        self.assertEqual(ui.defectEditor.currentSegmentID(), self.parameters.defect.segment)
        before = self.defect_ml()
        ui.defectEditor.setActiveEffectByName("Margin")
        effect = ui.defectEditor.activeEffect()
        effect.setParameter("MarginSizeMm", 3.0)
        effect.self().onApply()
        self.assertGreater(self.defect_ml(), before)
        ui.defectEditor.undo()
        self.assertAlmostEqual(self.defect_ml(), before, places=3)
        ui.editDefect.checked = False

    def test_a_curve_limits_the_missing_bone(self) -> None:
        self.load_demo_head()
        self.reconstruct("mirror")
        before = self.defect_ml()
        self.parameters.curve = self.circle(25.0)
        self.press("edit", "limitButton")
        self.assertEqual(self.failure(), "")
        self.assertLess(self.defect_ml(), before)
        self.assertGreater(self.defect_ml(), 0.0)

    def test_the_axis_handle_takes_the_way_in_over(self) -> None:
        self.load_demo_head()
        self.reconstruct("mirror")
        self.open("implant")
        self.wait(lambda: self.parameters.preview is not None, 60.0, "no preview")
        self.steps["implant"].ui.axisButton.checked = True
        line = self.parameters.axis
        self.assertTrue(self.parameters.automatic_axis)
        place = np.array(line.GetNthControlPointPositionWorld(0))
        line.SetNthControlPointPositionWorld(0, *(place + np.array([0.0, 15.0, 0.0])))
        self.assertFalse(self.parameters.automatic_axis)

    def defect_ml(self) -> float:
        choice = self.parameters.defect
        array = slicer.util.arrayFromSegmentBinaryLabelmap(choice.segmentation, choice.segment)
        image = slicer.vtkOrientedImageData()
        choice.segmentation.GetBinaryLabelmapRepresentation(choice.segment, image)
        return float(array.sum() * np.prod(image.GetSpacing()) / 1000.0)

    def defect_in_3d(self) -> bool:
        choice = self.parameters.defect
        return bool(choice.segmentation.GetDisplayNode().GetSegmentVisibility3D(choice.segment))

    def volume_of_preview(self) -> float:
        measure = vtk.vtkMassProperties()
        measure.SetInputData(self.parameters.preview.GetPolyData())
        return float(measure.GetVolume())

    def circle(self, radius: float) -> object:
        """A closed curve around the middle of the missing bone's outer surface."""
        choice = self.parameters.defect
        middle = np.array(choice.segmentation.GetSegmentCenterRAS(choice.segment))
        skull = self.parameters.skull
        outward = middle - np.array(skull.segmentation.GetSegmentCenterRAS(skull.segment))
        outward /= np.linalg.norm(outward)
        side = np.cross(outward, [0.0, 0.0, 1.0])
        side /= np.linalg.norm(side)
        up = np.cross(side, outward)
        curve = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsClosedCurveNode", "Rim")
        for angle in np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False):
            place = middle + 3.0 * outward + radius * (np.cos(angle) * side + np.sin(angle) * up)
            curve.AddControlPointWorld(*(float(part) for part in place))
        return curve
