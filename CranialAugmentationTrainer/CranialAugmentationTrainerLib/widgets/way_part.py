"""From A to B through a latent space: interpolated, walked along with a slider, played, kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import qt
import vtk
from slicer.i18n import tr as _

from CranialAugmentationTrainerLib.scene.interpolation import WAY, folder_of, nearest_frame, show_interpolation
from CranialAugmentationTrainerLib.scene.label_surfaces import SKULL
from CranialAugmentationTrainerLib.scene.sequences import (
    frame_note,
    frame_values,
    models_of,
    remove_frames,
    show_frame,
)
from CranialAugmentationTrainerLib.scene.shown_alone import show_alone
from CranialAugmentationTrainerLib.widgets.front_view import FrontView
from CranialAugmentationTrainerLib.widgets.latent_part import LatentPart
from CranialAugmentationTrainerLib.widgets.moving_view import MovingView
from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession
from CranialAugmentationTrainerLib.workflow.animated_picture import animated_picture, save_animated_picture
from CranialAugmentationTrainerLib.workflow.latent_orders import InterpolationOrder


class WayPart(LatentPart):
    """Ends, the interpolation, and the slider along it."""

    PAGE = "Way"
    WIDGETS: ClassVar = {
        "firstFileButton": "QPushButton",
        "lastFileButton": "QPushButton",
        "interpolateButton": "QPushButton",
        "openWayButton": "QPushButton",
        "journeySelector": "qMRMLNodeComboBox",
        "removeWayButton": "QPushButton",
        "shareSlider": "ctkSliderWidget",
        "stepText": "QLabel",
        "playButton": "QPushButton",
        "rateBox": "QDoubleSpinBox",
        "showPictureButton": "QPushButton",
        "savePictureButton": "QPushButton",
    }

    def __init__(self, session: TrainerSession, view: FrontView) -> None:
        super().__init__(session, view)
        self._browser: Any = None
        self._observed = 0
        self._moving = MovingView()
        self.ui.firstFileButton.connect("clicked()", lambda: self._choose_file("first"))
        self.ui.lastFileButton.connect("clicked()", lambda: self._choose_file("last"))
        self.ui.interpolateButton.connect("clicked()", self._interpolate)
        self.ui.openWayButton.connect("clicked()", self._open)
        self.ui.journeySelector.addAttribute("vtkMRMLSequenceBrowserNode", WAY)
        self.ui.journeySelector.connect("currentNodeChanged(vtkMRMLNode*)", self._choose)
        self.ui.removeWayButton.connect("clicked()", self._remove)
        self.ui.shareSlider.maximum = 1.0
        self.ui.shareSlider.connect("valueChanged(double)", self._move)
        self.ui.playButton.connect("toggled(bool)", self._play)
        self.ui.rateBox.connect("valueChanged(double)", self._set_rate)
        self.ui.showPictureButton.connect("clicked()", self._show_picture)
        self.ui.savePictureButton.connect("clicked()", self._save_picture)

    def bind(self, parameters: Any) -> None:
        """Show the choices of this scene, and the way that was shown last where it stands."""
        self._moving.rest()
        self._follow(None)
        super().bind(parameters)
        if parameters is not None:
            self._follow(parameters.latent.journey)

    def refresh(self) -> None:
        """Enable what can be done now."""
        for widget in (
            self.ui.shareSlider,
            self.ui.playButton,
            self.ui.rateBox,
            self.ui.removeWayButton,
            self.ui.showPictureButton,
            self.ui.savePictureButton,
        ):
            widget.enabled = self._browser is not None

    def stop(self) -> None:
        """Stand still."""
        if self._browser is not None:
            self._browser.SetPlaybackActive(False)

    def show_way(self, folder: Path, name: str) -> None:
        """Show a way that ``cranial interpolate`` wrote; a second or so."""
        browser = show_interpolation(self.session.node, folder, name)
        self.latent.journey = browser
        self._choose(browser)

    def _follow(self, browser: Any) -> None:
        """Show where this way is, however it is moved along; None lets it go."""
        if browser is not self._browser:
            if self._browser is not None:
                self._browser.RemoveObserver(self._observed)
            self._browser = browser
            if browser is not None:
                event = vtk.vtkCommand.ModifiedEvent
                self._observed = browser.AddObserver(event, lambda caller, event: self._step())
        self._show_step()
        self.refresh()

    def _step(self) -> None:
        self._moving.moved()
        self._show_step()

    def _show_step(self) -> None:
        browser, ui = self._browser, self.ui
        values = [] if browser is None else frame_values(browser)
        if not values:
            ui.stepText.text = _("No way is shown.")
            return
        number = max(browser.GetSelectedItemNumber(), 0)
        ui.shareSlider.singleStep = 1.0 / max(len(values) - 1, 1)
        for widget, value in ((ui.shareSlider, values[number]), (ui.rateBox, browser.GetPlaybackRateFps())):
            blocked = widget.blockSignals(True)
            widget.value = value
            widget.blockSignals(blocked)
        blocked = ui.playButton.blockSignals(True)
        ui.playButton.checked = browser.GetPlaybackActive()
        ui.playButton.blockSignals(blocked)
        text = _("{name}: step {number} of {count}").format(
            name=browser.GetName(), number=number + 1, count=len(values)
        )
        concern = frame_note(browser, number)
        why = _("{text}. A set would not take it: {concern}.")
        ui.stepText.text = why.format(text=text, concern=concern) if concern else f"{text}."

    def _choose(self, browser: Any) -> None:
        """Another way is to be seen."""
        if self.session.parameters is None:
            return
        self.stop()
        self._follow(browser)
        if browser is not None:
            self._show_models()
            self.view.look(models_of(browser).values())

    def _move(self, share: float) -> None:
        """The slider was moved by hand."""
        browser = self._browser
        if browser is None:
            return
        self.stop()
        if not models_of(browser)[SKULL].GetDisplayVisibility():
            self._show_models()
        number = nearest_frame(browser, share)
        if number != browser.GetSelectedItemNumber():
            show_frame(browser, number)

    def _show_models(self) -> None:
        show_alone(self.session.node, models_of(self._browser).values())

    def _play(self, on: bool) -> None:
        if self._browser is not None:
            self._show_models()
            self._browser.SetPlaybackActive(on)

    def _set_rate(self, rate: float) -> None:
        if self._browser is not None:
            self._browser.SetPlaybackRateFps(rate)

    def _choose_file(self, end: str) -> None:
        path = qt.QFileDialog.getOpenFileName(self.page, _("A label volume: 1 skull, 2 missing bone"))
        if path:
            setattr(self.latent, end, path)

    def _interpolate(self) -> None:
        latent = self.latent
        order = self.do(
            lambda: InterpolationOrder(
                latent.generator, latent.first.strip(), latent.last.strip(), latent.steps, latent.way.value
            )
        )
        if order is None:
            return
        folder = self.results(order.stem)
        title = _("Interpolate {title}").format(title=order.title)
        self.start(title, folder, order.words(folder), lambda: self.show_way(folder, order.title))

    def _open(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.page, _("Folder that cranial interpolate wrote"))
        if folder:
            self.do(lambda: self.show_way(Path(folder), Path(folder).name))

    def _remove(self) -> None:
        browser = self._browser
        if browser is not None:
            self.stop()
            self._follow(None)
            remove_frames(self.session.node, browser)

    def _show_picture(self) -> None:
        path = self.do(lambda: animated_picture(folder_of(self._browser)))
        if path is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path)))

    def _save_picture(self) -> None:
        folder = folder_of(self._browser)
        if self.do(lambda: animated_picture(folder)) is None:
            return
        name = str(Path.home() / f"{folder.name}.gif")
        target = qt.QFileDialog.getSaveFileName(self.page, _("Save the animated picture"), name, "GIF (*.gif)")
        if target:
            self.do(lambda: save_animated_picture(folder, Path(target)))
