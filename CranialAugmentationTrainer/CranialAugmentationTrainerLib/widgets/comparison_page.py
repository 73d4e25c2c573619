"""Reconstruction networks held against each other, and the best one installed for Cranial Reconstruction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import qt
from slicer.i18n import tr as _

from CranialAugmentationTrainerLib.widgets.trainer_page import TrainerPage
from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession
from CranialAugmentationTrainerLib.workflow.commands import Command, find
from CranialAugmentationTrainerLib.workflow.comparing import (
    COMMAND,
    ComparisonFolder,
    ComparisonOrder,
    InstallOrder,
    comparable,
    names_best_first,
    plain_name,
    plot_of,
    proposed_folders,
    results_of,
    rows_of,
    show_comparison,
)
from CranialAugmentationTrainerLib.workflow.run_watch import WatchedRun

RUN = qt.Qt.UserRole
# Of the picture in the page; it is opened in full beside.
PICTURE_WIDTH = 400


class ComparisonPage(TrainerPage):
    """The networks to compare, what was found, and the installation of one."""

    PAGE = "Comparison"
    WIDGETS: ClassVar = {
        "pageButton": "ctkCollapsibleButton",
        "runList": "QListWidget",
        "data": "ctkPathLineEdit",
        "partSelector": "QComboBox",
        "resolutionBox": "QCheckBox",
        "folder": "ctkPathLineEdit",
        "compareButton": "QPushButton",
        "foundText": "QLabel",
        "linesTable": "QTableWidget",
        "verdictText": "QLabel",
        "plotLabel": "QLabel",
        "plotButton": "QPushButton",
        "installBox": "ctkCollapsibleGroupBox",
        "networkSelector": "QComboBox",
        "packageEdit": "QLineEdit",
        "licenceEdit": "QLineEdit",
        "wordsEdit": "QLineEdit",
        "replaceBox": "QCheckBox",
        "installButton": "QPushButton",
    }

    def __init__(self, session: TrainerSession) -> None:
        super().__init__(session)
        self._results = ComparisonFolder()
        self._listed: tuple[Path, ...] = ()
        self._command: Command | None = None
        self.ui.linesTable.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        self.ui.linesTable.verticalHeader().visible = False
        self.ui.runList.connect("itemChanged(QListWidgetItem*)", self._tick_run)
        self.ui.compareButton.connect("clicked()", self._compare)
        self.ui.plotButton.connect("clicked()", self._open_plot)
        self.ui.networkSelector.connect("activated(int)", self._choose_network)
        self.ui.installButton.connect("clicked()", self._install)
        self._show_results()

    @property
    def chosen(self) -> tuple[WatchedRun, ...]:
        """The finished runs that are ticked."""
        parameters = self.session.parameters
        ticked = set() if parameters is None else set(json.loads(parameters.comparison.runs or "[]"))
        return tuple(run for run in comparable(self.session.runs.runs) if str(run.folder) in ticked)

    def bind(self, parameters: Any) -> None:
        """Show the choices of this scene, and follow a comparison that is under way."""
        super().bind(parameters)
        self._listed, self._results = (), ComparisonFolder()
        if parameters is None:
            return
        command = find(self._title, parameters.comparison.folder, COMMAND)
        if command is not None and command.state == "working":
            self._command = command
            self.session.follow(command, self._compared)

    def tick(self) -> None:
        """Show what has come into the folder of the results, or into another one that was chosen."""
        parameters = self.session.parameters
        if parameters is not None and self._results.look(parameters.comparison.folder):
            self._show_results()

    def refresh(self) -> None:
        """List the finished runs, and what can be done."""
        parameters = self.session.parameters
        if parameters is None:
            return
        runs = comparable(self.session.runs.runs)
        if tuple(run.folder for run in runs) != self._listed:
            self._list(runs, {run.folder for run in self.chosen})
        busy = self._command in self.session.commands
        self.ui.compareButton.enabled = not busy and len(self.chosen) > 1
        self.ui.installButton.enabled = not busy and self._results.found is not None

    @property
    def _title(self) -> str:
        return _("Compare networks")

    def _list(self, runs: tuple[WatchedRun, ...], ticked: set[Path]) -> None:
        blocked = self.ui.runList.blockSignals(True)
        self.ui.runList.clear()
        for run in runs:
            data = ", ".join(folder.name for folder in run.data)
            item = qt.QListWidgetItem(_("{name}: learned from {data}").format(name=run.folder.name, data=data))
            item.setData(RUN, str(run.folder))
            item.setToolTip(str(run.folder))
            item.setCheckState(qt.Qt.Checked if run.folder in ticked else qt.Qt.Unchecked)
            self.ui.runList.addItem(item)
        self.ui.runList.blockSignals(blocked)
        self._listed = tuple(run.folder for run in runs)

    def _tick_run(self, item: Any) -> None:
        parameters = self.session.parameters
        if parameters is None:
            return
        ticked = {str(run.folder) for run in self.chosen} - {item.data(RUN)}
        if item.checkState() == qt.Qt.Checked:
            ticked.add(item.data(RUN))
        choices = parameters.comparison
        choices.runs = json.dumps(sorted(ticked))
        data, folder = proposed_folders(self.chosen)
        if choices.data == Path():
            choices.data = data
        if choices.folder == Path():
            choices.folder = folder
        self.session.changed()

    def _compare(self) -> None:
        parameters = self.session.parameters
        if parameters is None:
            return
        choices = parameters.comparison
        runs = tuple(run.folder for run in self.chosen)
        order = ComparisonOrder(runs, choices.data, choices.part.value, choices.own_resolution)
        words = self.do(lambda: order.words(choices.folder))
        if words is not None:
            self._command = self.start(self._title, choices.folder, words, self._compared)
            self.refresh()

    def _compared(self) -> None:
        self.tick()
        found = self._results.found
        if found is not None:
            self.session.tell(_("{name} is best.").format(name=found.winner))

    def _show_results(self) -> None:
        parameters, found = self.session.parameters, self._results.found
        for widget in (self.ui.linesTable, self.ui.plotLabel, self.ui.plotButton, self.ui.installBox):
            widget.visible = found is not None
        self.ui.verdictText.text = "" if found is None else "\n".join(found.verdicts())
        if found is None or parameters is None:
            self.ui.foundText.text = self._results.problem
            return
        choices = parameters.comparison
        text = _("Best is {name}: {rule}. {count} {part} skulls of {data}.")
        words = text.format(
            name=found.winner, rule=found.rule, count=len(found.skulls), part=found.part, data=Path(found.data).name
        )
        self.ui.foundText.text = "\n".join([words, *found.warnings])
        self._fill_table()
        picture = qt.QPixmap(str(plot_of(choices.folder)))
        if not picture.isNull():
            picture = picture.scaledToWidth(PICTURE_WIDTH, qt.Qt.SmoothTransformation)
        self.ui.plotLabel.setPixmap(picture)
        self._offer(choices)
        self.do(lambda: show_comparison(self.session.node, choices.folder, found))
        self.refresh()

    def _fill_table(self) -> None:
        found = self._results.found
        if found is None:
            return
        table, rows = self.ui.linesTable, rows_of(found)
        labels = [figure.label for figure in found.figures]
        titles = [_("Network"), _("Measured on"), *labels, _("Cases"), _("Failed")]
        table.setColumnCount(len(titles))
        table.setHorizontalHeaderLabels(titles)
        table.setRowCount(len(rows))
        failed = _("Bone was found where none is missing, or none where some is.")
        for number, row in enumerate(rows):
            name = _("{name} (best)").format(name=row.network) if row.best else row.network
            cells = [(name, row.about), (row.kind, row.measured)]
            cells += [(text, _("Median (quartiles), mean")) for text in row.figures]
            cells += [(row.cases, row.measured), (row.failed, failed)]
            for column, (text, tip) in enumerate(cells):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(tip)
                table.setItem(number, column, item)
        table.resizeColumnsToContents()

    def _offer(self, choices: Any) -> None:
        """Propose the best network, and what to call it."""
        found = self._results.found
        if found is None:
            return
        names = names_best_first(found)
        if choices.network not in names:
            choices.network = found.winner
        self.ui.networkSelector.clear()
        for name in names:
            self.ui.networkSelector.addItem(name)
        self.ui.networkSelector.currentIndex = names.index(choices.network)
        if not choices.package:
            choices.package = plain_name(choices.network)
        if not choices.words:
            choices.words = ", ".join(found.network(choices.network).data)

    def _choose_network(self, index: int) -> None:
        parameters = self.session.parameters
        if parameters is not None:
            parameters.comparison.network = self.ui.networkSelector.itemText(index)

    def _open_plot(self) -> None:
        parameters = self.session.parameters
        if parameters is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(plot_of(parameters.comparison.folder))))

    def _install(self) -> None:
        parameters, found = self.session.parameters, self._results.found
        if parameters is None or found is None:
            return
        choices = parameters.comparison
        run = Path(found.network(choices.network or found.winner).run)
        name, folder = choices.package.strip(), choices.folder
        order = InstallOrder(run, name, choices.licence, choices.words, results_of(folder), choices.replace)
        words = self.do(lambda: order.words(folder / "packages" / name))
        if words is not None:
            told = _("Cranial Reconstruction offers the model {name} now.").format(name=name)
            title = _("Install {name}").format(name=name)
            self._command = self.start(title, folder / "install", words, lambda: self.session.tell(told))
            self.refresh()
