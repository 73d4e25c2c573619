"""Sets of cases: ordered, watched as they grow, paused and gone on with; the effect of alpha tried."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import qt
import vtk
from slicer.i18n import tr as _

from CranialAugmentationTrainerLib.scene.set_cases import forget_cases
from CranialAugmentationTrainerLib.widgets.folder_rows import FolderRow, FolderRows, folder_of_row
from CranialAugmentationTrainerLib.widgets.parameters import SetKind
from CranialAugmentationTrainerLib.widgets.set_choices import (
    folder_of,
    order_of_choices,
    registered_of,
    statistics_of_choices,
)
from CranialAugmentationTrainerLib.widgets.set_view import SetView
from CranialAugmentationTrainerLib.widgets.trainer_page import TrainerPage
from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession
from CranialAugmentationTrainerLib.workflow.commands import Command
from CranialAugmentationTrainerLib.workflow.set_actions import (
    generating_runs,
    pause_set,
    trial_of,
    words_to_go_on,
    words_to_start,
)
from CranialAugmentationTrainerLib.workflow.set_watch import CAN_GO_ON, SetWatch, WatchedSet, pace_of, set_launch
from CranialReconstructionLib.errors import UserError

WHOLE = 1000


class SetsPage(TrainerPage):
    """What a set is made by, the sets that there are, and what they hold.

    Attributes:
        view: their cases and figures.
    """

    PAGE = "Sets"
    WIDGETS: ClassVar = {
        "pageButton": "ctkCollapsibleButton",
        "generatorBox": "ctkCollapsibleGroupBox",
        "runSelector": "QComboBox",
        "leastSkull": "QDoubleSpinBox",
        "mostSkull": "QDoubleSpinBox",
        "mainSkull": "QDoubleSpinBox",
        "joinedDefect": "QDoubleSpinBox",
        "skullsBox": "ctkCollapsibleGroupBox",
        "pairsBox": "ctkCollapsibleGroupBox",
        "tryButton": "QPushButton",
        "cutsBox": "ctkCollapsibleGroupBox",
        "radiusBox": "QDoubleSpinBox",
        "deviationBox": "QDoubleSpinBox",
        "startButton": "QPushButton",
        "pauseButton": "QPushButton",
        "goOnButton": "QPushButton",
        "openButton": "QPushButton",
        "progressBar": "QProgressBar",
        "progressText": "QLabel",
        "setsTable": "QTreeWidget",
        "addButton": "QPushButton",
        "forgetButton": "QPushButton",
        "views": "QWidget",
    }

    def __init__(self, session: TrainerSession) -> None:
        super().__init__(session)
        self.view = SetView(session, self._measure)
        self.ui.views.layout().addWidget(self.view.page)
        self._watches: dict[Path, SetWatch] = {}
        self._runs: list[Path] = []
        self._trials: tempfile.TemporaryDirectory[str] | None = None
        self._observed: tuple[Any, int] | None = None
        self._rows = FolderRows(self.ui.setsTable, (_("Set"), _("State"), _("Cases"), _("Folder")))
        self.ui.setsTable.connect("currentItemChanged(QTreeWidgetItem*,QTreeWidgetItem*)", self._choose)
        self.ui.runSelector.connect("activated(int)", self._choose_run)
        self.ui.startButton.connect("clicked()", self._start)
        self.ui.pauseButton.connect("clicked()", self._pause)
        self.ui.goOnButton.connect("clicked()", self._go_on)
        self.ui.openButton.connect("clicked()", self._open)
        self.ui.tryButton.connect("clicked()", self._try_alpha)
        self.ui.addButton.connect("clicked()", self._add)
        self.ui.forgetButton.connect("clicked()", self._forget)

    def bind(self, parameters: Any) -> None:
        """Show the choices of this scene, and follow its sets that are being made."""
        if self._observed is not None:
            node, tag = self._observed
            node.RemoveObserver(tag)
            self._observed = None
        super().bind(parameters)
        self.view.bind(parameters)
        self._watches = {}
        self._rows.clear()
        if parameters is None:
            return
        node = parameters.parameterNode
        self._observed = node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: self._arrange())
        for folder in known_sets(parameters):
            self._watch(folder)
        self._arrange()

    def tick(self) -> None:
        """Read what the sets' makers have written, and show one more case."""
        new = [watch.poll() for watch in self._watches.values()]
        if any(new):
            self.refresh()
        self.view.tick()

    def refresh(self) -> None:
        """How the sets stand, and what can be done with the chosen one."""
        if self.session.parameters is None:
            return
        self._list_runs()
        self._list_sets()
        self._show_progress()
        self.view.refresh()

    @property
    def chosen(self) -> SetWatch | None:
        """The set that lies in the chosen folder, if one does."""
        parameters = self.session.parameters
        return None if parameters is None else self._watches.get(parameters.sets.folder.absolute())

    def choose(self, folder: Path) -> None:
        """Make a set the one that buttons and views are about.

        Raises:
            UserError: the folder is no set's.
        """
        parameters = self.session.parameters
        if parameters is not None:
            if folder not in self._watches:
                self._watches[folder] = SetWatch(folder)
            parameters.sets.folder = folder

    def _arrange(self) -> None:
        """Show the options of the chosen kind alone, and the set in the chosen folder."""
        parameters = self.session.parameters or self._bound
        if parameters is None:
            return
        sets = parameters.sets
        synthetic = sets.kind == SetKind.synthetic
        self.ui.generatorBox.visible = synthetic
        self.ui.skullsBox.visible = not synthetic
        self.ui.pairsBox.visible = sets.kind == SetKind.registered
        self.ui.cutsBox.visible = sets.kind == SetKind.masked
        for widget in (self.ui.leastSkull, self.ui.mostSkull, self.ui.mainSkull, self.ui.joinedDefect):
            widget.enabled = not sets.keep_all
        self.ui.radiusBox.enabled = self.ui.deviationBox.enabled = sets.own_size
        if sets.folder != Path() and sets.folder.absolute() not in self._watches:
            self._watch(sets.folder.absolute())
        self.view.choose(self._watches.get(sets.folder.absolute()))
        if self.session.parameters is not None:
            self.refresh()

    def _watch(self, folder: Path) -> None:
        """Watch the set in a folder, if there is one, and follow whoever makes it."""
        try:
            watch = SetWatch(folder)
        except UserError:
            # An empty folder gets its set later; one that is listed may lie on a disk that is not there now.
            return
        self._watches[folder] = watch
        launch = set_launch(folder)
        if launch is not None and watch.set.state == "working":
            self.session.follow(Command(title_of(folder), launch), lambda: self._made(folder))
        self._remember()

    def _remember(self) -> None:
        parameters = self.session.parameters
        if parameters is not None:
            known = [*known_sets(parameters)]
            new = [folder for folder in self._watches if folder not in known]
            if new:
                parameters.sets.known = json.dumps([str(folder) for folder in (*known, *new)])

    def _list_runs(self) -> None:
        runs = [run.folder for run in generating_runs(self.session.runs.runs)]
        if runs != self._runs or self.ui.runSelector.count == 0:
            self._runs = runs
            self.ui.runSelector.clear()
            self.ui.runSelector.addItem(_("Choose a run") if runs else _("No run has written a checkpoint yet"))
            for folder in runs:
                self.ui.runSelector.addItem(folder.name)
        parameters = self.session.parameters
        generator = None if parameters is None else parameters.sets.generator
        self.ui.runSelector.currentIndex = runs.index(generator) + 1 if generator in runs else 0

    def _choose_run(self, number: int) -> None:
        parameters = self.session.parameters
        if parameters is not None and number > 0:
            parameters.sets.generator = self._runs[number - 1]

    def _list_sets(self) -> None:
        rows = {
            folder: FolderRow((folder.name, state_in_words(made), count_in_words(made), str(folder.parent)))
            for folder, made in ((folder, watch.set) for folder, watch in self._watches.items())
        }
        chosen = self.chosen
        self._rows.show(rows, None if chosen is None else chosen.folder)

    def _show_progress(self) -> None:
        watch = self.chosen
        made = None if watch is None else watch.set
        working = made is not None and made.state == "working"
        self.ui.startButton.enabled = self.ui.tryButton.enabled = not working
        self.ui.pauseButton.enabled = working
        self.ui.goOnButton.enabled = made is not None and made.state in CAN_GO_ON
        self.ui.openButton.enabled = self.ui.forgetButton.enabled = made is not None
        self.ui.progressBar.visible = made is not None
        self.ui.progressText.text = _("No set is in this folder yet.") if made is None else progress_in_words(made)
        if made is not None:
            self.ui.progressBar.maximum = WHOLE
            self.ui.progressBar.value = round(WHOLE * made.share)

    def _choose(self, item: Any, former: Any) -> None:
        if item is not None:
            self.do(lambda: self.choose(folder_of_row(item)))

    def _start(self) -> None:
        parameters = self.session.parameters
        if parameters is None:
            return

        def asked() -> tuple[Path, list[str]]:
            folder = folder_of(parameters.sets)
            return folder, words_to_start(order_of_choices(parameters.sets), folder)

        found = self.do(asked)
        if found is not None:
            self._begin(*found)

    def _go_on(self) -> None:
        watch = self.chosen
        words = None if watch is None else self.do(lambda: words_to_go_on(watch.folder))
        if watch is not None and words is not None:
            self._begin(watch.folder, words)

    def _begin(self, folder: Path, words: list[str]) -> None:
        parameters = self.session.parameters
        begun = self.start(title_of(folder), folder, words, lambda: self._made(folder))
        if begun is None or parameters is None:
            return
        # With the index that a former attempt may have left.
        self._watches[folder] = SetWatch(folder)
        self._remember()
        parameters.sets.shown = True
        self._arrange()

    def _made(self, folder: Path) -> None:
        watch = SetWatch(folder)
        while watch.poll():
            pass
        self.session.tell(f"{title_of(folder)}: {progress_in_words(watch.set)}")
        parameters = self.session.parameters
        if parameters is not None and parameters.sets.statistics and watch.set.accepted:
            self._measure(folder)

    def _measure(self, folder: Path) -> None:
        parameters = self.session.parameters
        order = None if parameters is None else self.do(lambda: statistics_of_choices(parameters.sets, folder))
        if order is not None:
            title = _("Statistics of {name}").format(name=folder.name)
            self.start(title, order.folder, order.words, lambda: self.view.show_statistics(folder))

    def _pause(self) -> None:
        watch = self.chosen
        if watch is not None:
            pause_set(watch.folder)
            self.session.tell(_("{name} is asked to pause.").format(name=watch.folder.name))

    def _try_alpha(self) -> None:
        parameters = self.session.parameters
        if parameters is None:
            return
        if self._trials is None:
            self._trials = tempfile.TemporaryDirectory(prefix="cranial-trials-")
        folder, cache = Path(tempfile.mkdtemp(dir=self._trials.name)), Path(self._trials.name) / "heads"
        order = self.do(lambda: trial_of(registered_of(parameters.sets, keep_pairs=False), cache))
        if order is not None:
            title = _("Alpha {alpha:g} on one pair").format(alpha=order.alpha)
            self.start(title, folder, order.words(folder), lambda: self.view.show_trial(folder))

    def _open(self) -> None:
        watch = self.chosen
        if watch is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(watch.folder)))

    def _add(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.page, _("Folder of a set"))
        if folder:
            self.do(lambda: self.choose(Path(folder)))
            self._remember()

    def _forget(self) -> None:
        parameters, watch = self.session.parameters, self.chosen
        if parameters is None or watch is None:
            return
        forget_cases(self.session.node, watch.folder)
        del self._watches[watch.folder]
        parameters.sets.known = json.dumps([str(folder) for folder in self._watches])
        parameters.sets.folder = Path()


def known_sets(parameters: Any) -> list[Path]:
    """The folders of the sets that are listed."""
    return [Path(folder) for folder in json.loads(parameters.sets.known or "[]")]


def title_of(folder: Path) -> str:
    """What the making of a set is called."""
    return _("Set {name}").format(name=folder.name)


def state_in_words(made: WatchedSet) -> str:
    """As the panel shows it."""
    return {
        "working": _("being made"),
        "done": _("done"),
        "stopped": _("paused"),
        "failed": _("failed"),
        "killed": _("killed"),
        "there": _("there"),
        "gone": _("gone"),
    }[made.state]


def count_in_words(made: WatchedSet) -> str:
    """Cases that are there, of how many."""
    if not made.wanted:
        return f"{made.accepted:,}"
    return _("{done:,} of {wanted:,}").format(done=made.done, wanted=made.wanted)


def progress_in_words(made: WatchedSet) -> str:
    """How far a set is, how fast it grows, and what was not let in."""
    words = (count_in_words(made), state_in_words(made), pace_of(made))
    lines = [", ".join(word for word in words if word)]
    if made.rejected:
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in made.rejected.items())
        lines.append(_("Rejected: {reasons}").format(reasons=reasons))
    return "\n".join([*lines, made.said] if made.said else lines)
