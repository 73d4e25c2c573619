"""Where it is computed: chosen, looked at, tried, and furnished with packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import qt
from slicer.i18n import tr as _

from CranialReconstructionLib.engine.arguments import SelfTest
from CranialReconstructionLib.engine.environment import REQUIREMENTS, Requirement, own_python
from CranialReconstructionLib.widgets import place
from CranialReconstructionLib.widgets.packages import install, lacking
from CranialReconstructionLib.widgets.session import Session


class PlaceBox:
    """Chooses between Slicer's Python and another one.

    Args:
        ui: the panel's own page.
        page: parent of the file dialogs.
        device: gives the device to try.
        log: shows a line.
        requirements: what the Python must have.
    """

    WIDGETS: ClassVar[Mapping[str, str]] = {
        "placeButton": "ctkCollapsibleButton",
        "placeSelector": "QComboBox",
        "pythonPath": "ctkPathLineEdit",
        "pythonPathLabel": "QLabel",
        "placeState": "QLabel",
        "testButton": "QPushButton",
        "installButton": "QPushButton",
        "wheelsButton": "QPushButton",
    }

    def __init__(
        self,
        ui: Any,
        page: Any,
        session: Session,
        device: Callable[[], str],
        log: Callable[[str], None],
        requirements: Sequence[Requirement] = REQUIREMENTS,
    ) -> None:
        self._ui, self._page, self._session, self._device, self._log = ui, page, session, device, log
        self._requirements = requirements
        ui.placeSelector.addItem(_("Slicer's Python"))
        ui.placeSelector.addItem(_("Another Python environment"))
        ui.placeSelector.currentIndex = int(place.uses_other_python())
        ui.pythonPath.currentPath = place.other_python()
        ui.placeSelector.connect("currentIndexChanged(int)", self._choose)
        ui.pythonPath.connect("currentPathChanged(QString)", self._choose)
        ui.testButton.connect("clicked()", self.test)
        ui.installButton.connect("clicked()", self._install)
        ui.wheelsButton.connect("clicked()", self._install_from_folder)
        self._show_choice()

    def open(self) -> None:
        """Bring it before the user's eyes."""
        self._ui.placeButton.collapsed = False
        self._ui.placeSelector.setFocus()

    def ready(self) -> bool:
        """Whether the chosen Python has everything; offers to install what it lacks."""
        missing = self._session.do(lambda: lacking(place.chosen_python(), self._requirements))
        if missing is None:
            return False
        if not missing:
            return True
        self.install()
        return self._session.do(lambda: lacking(place.chosen_python(), self._requirements)) == ()

    def install(self, wheels: Path | None = None) -> None:
        """Install what is missing, after asking."""
        python = place.chosen_python()
        # A worker that runs holds on to the packages that it has loaded.
        self._session.close()
        self._session.do(lambda: install(python, self._log, self._installed, wheels, self._requirements))

    def test(self) -> None:
        """Start the worker, show its versions, and try the device."""
        self._session.at(None)
        if self.ready():
            arguments = SelfTest(self._device())
            self._session.run(lambda: self._session.tasks.begin(_("Test"), arguments, dict), self._tested)

    def _tested(self, found: Mapping[str, Any]) -> None:
        working = ", ".join(entry["name"] for entry in found["devices"] if entry["works"])
        self._ui.placeState.text = _("PyTorch {torch} on {title}; works on: {working}").format(
            torch=found["torch"], title=found["title"], working=working
        )

    def _installed(self, code: int) -> None:
        if code:
            self._ui.placeState.text = _("The installation failed (exit code {code}); see the log.").format(code=code)
        else:
            self._ui.placeState.text = _("Everything that is needed is installed.")

    def _install(self) -> None:
        self._session.at(None)
        self.install()

    def _install_from_folder(self) -> None:
        self._session.at(None)
        folder = qt.QFileDialog.getExistingDirectory(self._page, _("Folder of wheel files"))
        if folder:
            self.install(Path(folder))

    def _choose(self, *_changed: object) -> None:
        place.choose(bool(self._ui.placeSelector.currentIndex), self._ui.pythonPath.currentPath)
        self._ui.placeState.text = ""
        self._show_choice()

    def _show_choice(self) -> None:
        other = place.uses_other_python()
        self._ui.pythonPath.visible = self._ui.pythonPathLabel.visible = other
        self._ui.placeSelector.toolTip = str(place.chosen_python() if other else own_python())
