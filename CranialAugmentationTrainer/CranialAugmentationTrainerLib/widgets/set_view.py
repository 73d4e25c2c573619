"""What a set holds: its first cases, its pairs with what they were made of, and its figures beside real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import qt
from slicer.i18n import tr as _

from CranialAugmentationTrainerLib.scene.sequences import frame_note, frame_values, models_of, show_frame
from CranialAugmentationTrainerLib.scene.set_cases import IN_A_ROW, rows_of, shown_cases
from CranialAugmentationTrainerLib.scene.set_statistics import rows_of_table
from CranialAugmentationTrainerLib.widgets.front_view import FrontView
from CranialAugmentationTrainerLib.widgets.trainer_page import TrainerPage
from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession
from CranialAugmentationTrainerLib.workflow.set_actions import figures_of, picture_of
from CranialAugmentationTrainerLib.workflow.set_showing import (
    hide_sets,
    reveal_cases,
    reveal_pair,
    show_figures,
    show_next_case,
)
from CranialAugmentationTrainerLib.workflow.set_watch import SetCase, SetWatch
from CranialReconstructionLib.errors import UserError
from CranialReconstructionLib.scene.surfaces import set_visible

ROLES = {"moving": "movingBox", "fixed": "fixedBox", "warped": "warpedBox"}
PICTURE_WIDTH = 480


class SetView(TrainerPage):
    """Cases and figures of the chosen set.

    Args:
        measure: measures a set.
    """

    PAGE = "SetView"
    WIDGETS: ClassVar = {
        "shownBox": "QCheckBox",
        "shownSelector": "QComboBox",
        "rowSlider": "QSlider",
        "movingBox": "QCheckBox",
        "fixedBox": "QCheckBox",
        "warpedBox": "QCheckBox",
        "shownText": "QLabel",
        "measureButton": "QPushButton",
        "pictureButton": "QPushButton",
        "statisticsTable": "QTableWidget",
        "pictureLabel": "QLabel",
    }

    def __init__(self, session: TrainerSession, measure: Callable[[Path], None]) -> None:
        super().__init__(session)
        self._watch: SetWatch | None = None
        self._front = FrontView()
        # Pairs that were tried, with what they are called; those of all sets.
        self._trials: list[tuple[str, SetCase]] = []
        self._entries: list[tuple[str, SetCase | None]] = []
        self._models: dict[str, Any] = {}
        self._refused: set[Path] = set()
        # What is in the views by this page: a set's rows, or a pair.
        self._in_view: object = None
        self.ui.shownBox.connect("clicked()", self._show)
        self.ui.shownSelector.connect("activated(int)", lambda number: self._choose_entry())
        self.ui.rowSlider.connect("valueChanged(int)", self._move)
        self.ui.movingBox.connect("clicked()", self._show_roles)
        self.ui.fixedBox.connect("clicked()", self._show_roles)
        self.ui.warpedBox.connect("clicked()", self._show_roles)
        self.ui.measureButton.connect("clicked()", lambda: self._watch and measure(self._watch.folder))
        self.ui.pictureButton.connect("clicked()", self._open_picture)

    def bind(self, parameters: Any) -> None:
        """Show the choices of this scene."""
        super().bind(parameters)
        self._watch, self._in_view, self._models, self._refused = None, None, {}, set()
        self._front.forget()

    def choose(self, watch: SetWatch | None) -> None:
        """Show this set; None shows none."""
        if watch is self._watch:
            return
        self._watch = watch
        self._front.forget()
        self.ui.shownSelector.currentIndex = 0
        self._fill_figures(None if watch is None else watch.folder)

    def tick(self) -> None:
        """Show one more of the first cases."""
        watch, parameters = self._watch, self.session.parameters
        if watch is None or parameters is None or not parameters.sets.shown or watch.folder in self._refused:
            return
        if self._entry is not None:
            return
        drawn = self.do(lambda: show_next_case(self.session.node, watch))
        if drawn is None:
            self._refused.add(watch.folder)
        if drawn and len(shown_cases(self.session.node, watch.folder)) <= IN_A_ROW:
            # The row is still growing in width.
            self._front.forget()
        if drawn or self._in_view != watch.folder:
            self._show()

    def refresh(self) -> None:
        """What there is to choose from."""
        parameters = self.session.parameters
        if parameters is None:
            return
        if parameters.sets.shown and parameters.watch.previews:
            # A run's skulls lie in the same place: whoever comes last is seen.
            if self._in_view is None:
                parameters.watch.previews = False
            else:
                parameters.sets.shown = False
                hide_sets(self.session.node)
                self._in_view = None
        self._list_entries()
        self._show_row()
        made = self._watch
        self.ui.measureButton.enabled = made is not None and made.set.accepted > 0 and made.set.state != "working"
        self.ui.pictureButton.enabled = made is not None and picture_of(made.folder).is_file()

    def show_trial(self, folder: Path) -> None:
        """Show the pair that alpha was tried on.

        Raises:
            UserError: it gave no case.
        """
        watch = SetWatch(folder)
        if not watch.cases:
            reasons = "; ".join(watch.set.rejected) or "nothing was written"
            raise UserError(f"the pair gave no case ({reasons})", where=str(folder), remedy="Try another seed.")
        case = watch.cases[0]
        name = _("Trial {number}: alpha {alpha:g}, {pair}").format(
            number=len(self._trials) + 1, alpha=case.facts["alpha"], pair=pair_in_words(case)
        )
        self._trials.append((name, case))
        parameters = self.session.parameters
        if parameters is not None:
            parameters.sets.shown = True
            self._list_entries()
            self.ui.shownSelector.currentIndex = len(self._trials)
            self._choose_entry()

    def show_statistics(self, folder: Path) -> None:
        """Put the figures of a set into the scene, and show them if it is the chosen one.

        Raises:
            UserError: it has none.
        """
        show_figures(self.session.node, folder)
        if self._watch is not None and self._watch.folder == folder:
            self._fill_figures(folder)

    @property
    def _entry(self) -> SetCase | None:
        """The pair that is chosen; None for the rows of first cases."""
        number = self.ui.shownSelector.currentIndex
        return self._entries[number][1] if 0 <= number < len(self._entries) else None

    def _list_entries(self) -> None:
        cases = [] if self._watch is None else self._watch.cases
        pairs = [(f"{case.number:06d}: {pair_in_words(case)}", case) for case in cases if case.pair is not None]
        entries = [(_("The first cases, in rows"), None), *self._trials, *pairs]
        if [name for name, _case in entries] != [name for name, _case in self._entries]:
            chosen = self.ui.shownSelector.currentText
            self.ui.shownSelector.clear()
            self.ui.shownSelector.addItems([name for name, _case in entries])
            self.ui.shownSelector.currentIndex = max(0, self.ui.shownSelector.findText(chosen))
        self._entries = entries

    def _choose_entry(self) -> None:
        parameters = self.session.parameters
        if parameters is not None:
            parameters.sets.shown = True
        self._front.forget()
        self._show()

    def _show(self) -> None:
        """Bring the views up to what is chosen."""
        parameters = self.session.parameters
        if parameters is None:
            return
        node = self.session.node
        # The box is read itself: the parameter follows it later.
        if not self.ui.shownBox.checked:
            hide_sets(node)
            self._in_view = None
            return
        parameters.watch.previews = False
        entry, watch = self._entry, self._watch
        if entry is not None and entry.pair is not None:
            files = entry.pair
            shown = self.do(lambda: reveal_pair(node, files, pair_in_words(entry)))
            if shown is not None:
                self._models, self._in_view = shown.models, entry
                self.ui.shownText.text = facts_in_words(entry, shown.folded)
                self._show_roles()
        elif watch is not None:
            self._models, self._in_view = {}, watch.folder
            reveal_cases(node, watch.folder)
        self._show_row()
        browser = None if watch is None else rows_of(node, watch.folder)
        seen = self._models or ({} if browser is None else models_of(browser))
        if seen:
            self._front.look(seen.values())

    def _show_roles(self) -> None:
        for role, model in self._models.items():
            set_visible(model, getattr(self.ui, ROLES[role]).checked)

    def _show_row(self) -> None:
        pair = self._entry is not None
        watch = self._watch
        browser = None if watch is None else rows_of(self.session.node, watch.folder)
        rows = [] if browser is None else frame_values(browser)
        for box in ROLES.values():
            getattr(self.ui, box).visible = pair
        slider = self.ui.rowSlider
        slider.enabled = not pair and len(rows) > 1
        if pair:
            return
        blocked = slider.blockSignals(True)
        slider.maximum = max(0, len(rows) - 1)
        slider.value = 0 if browser is None else max(0, browser.GetSelectedItemNumber())
        slider.blockSignals(blocked)
        numbers = ", ".join(json.loads(frame_note(browser, slider.value))) if rows else ""
        self.ui.shownText.text = _("From the left: cases {numbers}").format(numbers=numbers) if numbers else ""

    def _move(self, row: int) -> None:
        browser = None if self._watch is None else rows_of(self.session.node, self._watch.folder)
        if browser is not None and row < len(frame_values(browser)):
            show_frame(browser, row)
            self._show_row()

    def _fill_figures(self, folder: Path | None) -> None:
        table = self.ui.statisticsTable
        there = folder is not None and figures_of(folder).is_file()
        node = self.do(lambda: show_figures(self.session.node, folder)) if there and folder is not None else None
        table.visible = self.ui.pictureLabel.visible = node is not None
        if node is None or folder is None:
            return
        titles, rows = rows_of_table(node)
        table.setColumnCount(len(titles))
        table.setRowCount(len(rows))
        table.setHorizontalHeaderLabels(titles)
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                table.setItem(number, column, qt.QTableWidgetItem(text))
        table.resizeColumnsToContents()
        picture = qt.QPixmap(str(picture_of(folder)))
        if not picture.isNull():
            picture = picture.scaledToWidth(PICTURE_WIDTH, qt.Qt.SmoothTransformation)
        self.ui.pictureLabel.setPixmap(picture)

    def _open_picture(self) -> None:
        if self._watch is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(picture_of(self._watch.folder))))


def pair_in_words(case: SetCase) -> str:
    """Which head was warped towards which."""
    moving, fixed = (*case.facts.get("sources", ()), "?", "?")[:2]
    return _("{moving} towards {fixed}").format(moving=moving, fixed=fixed)


def facts_in_words(case: SetCase, folded: float | None) -> str:
    """What its warp is like.

    Args:
        folded: share of the warped surface where it folds; None where that is not known.
    """
    facts = case.facts
    lines = [
        _("Alpha {alpha:g}, after {iterations} iterations").format(
            alpha=facts.get("alpha", 0.0), iterations=facts.get("iterations", 0)
        ),
        _("Folded: {share:.3%} of all voxels").format(share=facts.get("folding_fraction", 0.0)),
        _("Mean squared difference to the fixed skull: {mismatch:.5f}").format(mismatch=facts.get("mismatch", 0.0)),
    ]
    if folded is not None:
        lines[1] += ", " + _("{share:.2%} of the surface").format(share=folded)
        lines.append(_("Colours: local volume; 1 is unchanged, 0 and less is folded"))
    return "\n".join(lines)
