"""Takes the README's pictures of the panel, a step each, in a desktop Slicer.

    Slicer --no-splash --additional-module-paths $PWD/CranialReconstruction \\
        --python-script Testing/application/tutorial_pictures.py FOLDER

The computing is done as for the tests (``run.py``).
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import qt
import slicer

sys.path.insert(0, str(Path(__file__).resolve().parent))

from panel_case import PanelCase

SIZE = (1360, 860)


class Tutorial(PanelCase):
    """The six steps, with a picture after each."""

    def take(self, folder: Path) -> None:
        """Go the whole way."""
        self.setUp()
        self.arrange()
        self.press("input", "sampleButton")
        self.shoot("input", folder)
        self.press("skull", "segmentButton")
        self.done()
        self.look()
        self.shoot("skull", folder)
        self.press("reconstruct", "reconstructButton")
        self.done()
        self.shoot("reconstruct", folder)
        self.open("edit")
        self.steps["edit"].ui.editDefect.checked = True
        self.shoot("edit", folder)
        self.steps["edit"].ui.editDefect.checked = False
        self.open("implant")
        self.parameters.design.perfusion = True
        self.press("implant", "makeButton")
        self.done()
        self.parameters.colour_by = type(self.parameters.colour_by)["thickness"]
        self.shoot("implant", folder)
        self.parameters.export.folder = folder / "files"
        self.parameters.export.three_mf = True
        self.press("export", "exportButton")
        self.done()
        self.shoot("export", folder)

    def arrange(self) -> None:
        """Room for the panel and the views."""
        slicer.util.mainWindow().resize(*SIZE)
        slicer.util.setDataProbeVisible(False)
        slicer.util.setModuleHelpSectionVisible(False)
        slicer.util.setApplicationLogoVisible(False)

    def look(self) -> None:
        """See the head from the side of the defect, without a frame about it."""
        widget = slicer.app.layoutManager().threeDWidget(0)
        view = widget.mrmlViewNode()
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)
        camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view).GetCamera()
        camera.Azimuth(-60.0)
        camera.Elevation(15.0)
        camera.Dolly(2.0)
        widget.threeDView().renderWindow().GetRenderers().GetFirstRenderer().ResetCameraClippingRange()

    def shoot(self, step: str, folder: Path) -> None:
        """A picture with this step alone unfolded, at the top of the panel."""
        for name, other in self.steps.items():
            other.ui.stepButton.collapsed = name != step
        page = self.steps[step].page
        area = page.parent()
        while not isinstance(area, qt.QScrollArea):
            area = area.parent()
        for _turn in range(20):
            slicer.app.processEvents()
        area.verticalScrollBar().value = page.mapTo(area.widget(), qt.QPoint(0, 0)).y() - 40
        for _turn in range(20):
            slicer.app.processEvents()
        slicer.util.mainWindow().grab().save(str(folder / f"step-{list(self.steps).index(step) + 1}-{step}.png"))


if __name__ == "__main__":
    try:
        destination = Path(sys.argv[-1]).resolve()
        destination.mkdir(parents=True, exist_ok=True)
        Tutorial("take").take(destination)
        code = 0
    except BaseException:
        traceback.print_exc()
        code = 1
    slicer.util.exit(code)
