"""What the runs do while they train: curves of several, sampled skulls of one, and warnings in words."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar

import qt
import slicer
from slicer.i18n import tr as _

from CranialAugmentationTrainerLib.scene.loss_curves import (
    choose_curves,
    chosen_curves,
    curve_names,
    loss_chart,
    restore_chart,
    runs_shown,
)
from CranialAugmentationTrainerLib.scene.preview_surfaces import previews_of
from CranialAugmentationTrainerLib.scene.sequences import frame_values, models_of, show_frame
from CranialAugmentationTrainerLib.scene.shown_alone import hide, show_alone
from CranialAugmentationTrainerLib.scene.training_views import LAYOUT, show_chart
from CranialAugmentationTrainerLib.widgets.front_view import FrontView
from CranialAugmentationTrainerLib.widgets.moving_view import MovingView
from CranialAugmentationTrainerLib.widgets.plot_fit import PlotFit
from CranialAugmentationTrainerLib.widgets.runs_page import shown_runs
from CranialAugmentationTrainerLib.widgets.trainer_page import TrainerPage
from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession
from CranialAugmentationTrainerLib.workflow.run_rows import concerns_of
from CranialAugmentationTrainerLib.workflow.run_watch import RunWatch
from CranialAugmentationTrainerLib.workflow.showing import show_curves, show_next_preview


class WatchPage(TrainerPage):
    """Curves, previews and warnings."""

    PAGE = "Watch"
    WIDGETS: ClassVar = {
        "pageButton": "ctkCollapsibleButton",
        "curveList": "QListWidget",
        "plotButton": "QPushButton",
        "previewBox": "QCheckBox",
        "previewSlider": "QSlider",
        "latestButton": "QPushButton",
        "previewText": "QLabel",
        "warningText": "QLabel",
    }

    def __init__(self, session: TrainerSession) -> None:
        super().__init__(session)
        # What each run's curves in the scene were made of.
        self._drawn: dict[Path, object] = {}
        self._refused: set[Path] = set()
        # The run whose previews were asked for last.
        self._seen = ""
        self._view, self._moving, self._plot = FrontView(), MovingView(), PlotFit()
        self.ui.curveList.connect("itemChanged(QListWidgetItem*)", self._choose_curves)
        self.ui.plotButton.connect("clicked()", self.show_views)
        self.ui.previewSlider.connect("valueChanged(int)", self._move)
        self.ui.latestButton.connect("clicked()", self._show_latest)

    def bind(self, parameters: Any) -> None:
        """Show the choices of this scene."""
        self._moving.rest()
        super().bind(parameters)
        self._drawn, self._refused, self._seen = {}, set(), ""
        self._view.forget()

    def restore(self) -> None:
        """Give a loaded chart its curves back."""
        restore_chart(self.session.node)

    def tick(self) -> None:
        """Draw what the ticked runs have told, and one preview of the selected one."""
        parameters = self.session.parameters
        if parameters is None:
            return
        for folder in shown_runs(parameters):
            watch = self.session.runs.watches.get(folder)
            if watch is not None:
                self._draw(watch)
        watch = self._watch
        if watch is not None and parameters.watch.previews and watch.folder not in self._refused:
            self._draw_preview(watch)

    def refresh(self) -> None:
        """Show what there is to choose from, and the warnings of the selected run."""
        parameters = self.session.parameters
        if parameters is None:
            return
        self._hide_other_curves(parameters)
        self._follow_choice(parameters)
        self._list_curves()
        self._show_previews()
        watch = self._watch
        concerns = [] if watch is None else concerns_of(watch.run, watch.silence)
        self.ui.warningText.text = "\n".join(f"\u26a0 {sentence}" for sentence in concerns)
        self.ui.warningText.visible = bool(concerns)

    def show_views(self) -> None:
        """Arrange the views: skulls above, curves below."""
        slicer.app.layoutManager().setLayout(LAYOUT)
        chart = loss_chart(self.session.node)
        show_chart(slicer.mrmlScene, chart)
        self._plot.fit(chart, anew=True)

    @property
    def _watch(self) -> RunWatch | None:
        parameters = self.session.parameters
        return None if parameters is None else self.session.runs.watches.get(Path(parameters.watch.run))

    @property
    def _browser(self) -> Any:
        parameters = self.session.parameters
        return None if parameters is None else previews_of(self.session.node, parameters.watch.run)

    def _draw(self, watch: RunWatch) -> None:
        state = (watch.run.step, len(watch.figures), [len(curve.steps) for curve in watch.figures.values()])
        if self._drawn.get(watch.folder) != state:
            self._drawn[watch.folder] = state
            show_curves(self.session.node, watch)
            self._list_curves()
            self._plot.fit(loss_chart(self.session.node))

    def _draw_preview(self, watch: RunWatch) -> None:
        """Show one more; what cannot be read is told once, and not asked for again."""
        node, first = self.session.node, self._browser is None
        drawn = self.do(lambda: show_next_preview(node, watch))
        if drawn is None:
            self._refused.add(watch.folder)
        if drawn and first:
            self._show_skulls()
        if drawn:
            self._show_previews()

    def _hide_other_curves(self, parameters: Any) -> None:
        node = self.session.node
        shown = {str(folder) for folder in shown_runs(parameters)}
        there = runs_shown(node)
        names, hidden = chosen_curves(node)
        if hidden != there.keys() - shown:
            self._choose(names, there.keys() - shown)

    def _follow_choice(self, parameters: Any) -> None:
        """Another run is selected, or its previews are wanted, or no more."""
        wanted = parameters.watch.run if parameters.watch.previews else ""
        if wanted == self._seen:
            return
        node, former = self.session.node, previews_of(self.session.node, self._seen)
        self._seen = wanted
        if former is not None:
            hide(models_of(former).values())
        if wanted and previews_of(node, wanted) is not None:
            self._show_skulls()

    def _show_skulls(self) -> None:
        """The selected run's, and nothing else in their place."""
        models = models_of(self._browser).values()
        show_alone(self.session.node, models)
        self._view.look(models)

    def _list_curves(self) -> None:
        node = self.session.node
        names, (chosen, _hidden) = curve_names(node), chosen_curves(node)
        known = [self.ui.curveList.item(number).data(qt.Qt.UserRole) for number in range(self.ui.curveList.count)]
        if known == list(names):
            return
        blocked = self.ui.curveList.blockSignals(True)
        self.ui.curveList.clear()
        for name in names:
            item = qt.QListWidgetItem(name.replace("_", " "))
            item.setData(qt.Qt.UserRole, name)
            item.setCheckState(qt.Qt.Checked if name in chosen else qt.Qt.Unchecked)
            self.ui.curveList.addItem(item)
        self.ui.curveList.blockSignals(blocked)

    def _choose_curves(self, item: Any) -> None:
        items = [self.ui.curveList.item(number) for number in range(self.ui.curveList.count)]
        names = [entry.data(qt.Qt.UserRole) for entry in items if entry.checkState() == qt.Qt.Checked]
        self._choose(names, chosen_curves(self.session.node)[1])

    def _choose(self, names: Collection[str], hidden: Collection[str]) -> None:
        node = self.session.node
        choose_curves(node, names, hidden)
        self._plot.fit(loss_chart(node))

    def _show_previews(self) -> None:
        browser = self._browser
        steps = [] if browser is None else frame_values(browser)
        slider = self.ui.previewSlider
        slider.enabled = self.ui.latestButton.enabled = bool(steps)
        if not steps:
            watch = self._watch
            self.ui.previewText.text = (
                _("Select a run to see its skulls.")
                if watch is None
                else _("{name} has written no skulls yet.").format(name=watch.folder.name)
            )
            return
        blocked = slider.blockSignals(True)
        slider.maximum = len(steps) - 1
        slider.value = max(browser.GetSelectedItemNumber(), 0)
        slider.blockSignals(blocked)
        self.ui.previewText.text = _("Step {step:,.0f}; previews up to step {last:,.0f}").format(
            step=steps[slider.value], last=steps[-1]
        )

    def _move(self, number: int) -> None:
        browser = self._browser
        if browser is not None and number < len(frame_values(browser)):
            self._moving.moved()
            show_frame(browser, number)
            self._show_skulls()
            self._show_previews()

    def _show_latest(self) -> None:
        self._move(self.ui.previewSlider.maximum)
