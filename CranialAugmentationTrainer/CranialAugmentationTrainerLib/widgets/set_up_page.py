"""A new run: data, method, settings, what it will cost, and its start."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import qt
import slicer
from slicer.i18n import tr as _

from CranialAugmentationTrainerLib.widgets.settings_tree import SettingsTree
from CranialAugmentationTrainerLib.widgets.trainer_page import TrainerPage
from CranialAugmentationTrainerLib.widgets.trainer_session import TrainerSession, kept_folders
from CranialAugmentationTrainerLib.workflow.commands import Command
from CranialAugmentationTrainerLib.workflow.data_check import DataCheck, check_words, read_data_check
from CranialAugmentationTrainerLib.workflow.estimating import estimate_words, read_estimate
from CranialAugmentationTrainerLib.workflow.methods import ALL, FAMILIES, METHODS, PRESETS
from CranialAugmentationTrainerLib.workflow.parameter_guide import settings_of
from CranialAugmentationTrainerLib.workflow.set_up import (
    GEOMETRIC,
    SetUp,
    augment_of,
    autoencoder_runs,
    begin_set_up,
    changes_of,
    fitting_changes,
    free_name,
    like_run,
)
from CranialReconstructionLib.errors import UserError

NAMES = tuple(PRESETS)


class SetUpPage(TrainerPage):
    """A run that is being set up; all of it is kept with the scene."""

    PAGE = "SetUp"
    WIDGETS: ClassVar = {
        "pageButton": "ctkCollapsibleButton",
        "dataList": "QListWidget",
        "addDataButton": "QPushButton",
        "removeDataButton": "QPushButton",
        "checkDataButton": "QPushButton",
        "dataText": "QLabel",
        "brokenTree": "QTreeWidget",
        "dataPicture": "QLabel",
        "familySelector": "QComboBox",
        "methodSelector": "QComboBox",
        "methodText": "QLabel",
        "presetSelector": "QComboBox",
        "presetText": "QLabel",
        "autoencoderSelector": "QComboBox",
        "autoencoderSelectorLabel": "QLabel",
        "geometricSelector": "QComboBox",
        "maskingBox": "QCheckBox",
        "registrationBox": "QCheckBox",
        "settingsBox": "ctkCollapsibleGroupBox",
        "settingsTree": "QTreeWidget",
        "settingText": "QLabel",
        "resetButton": "QPushButton",
        "resetAllButton": "QPushButton",
        "settingsProblem": "QLabel",
        "parentFolder": "ctkPathLineEdit",
        "nameEdit": "QLineEdit",
        "cacheFolder": "ctkPathLineEdit",
        "splitFile": "ctkPathLineEdit",
        "estimateButton": "QPushButton",
        "startButton": "QPushButton",
        "estimateText": "QLabel",
    }

    def __init__(self, session: TrainerSession) -> None:
        super().__init__(session)
        # The widgets are being filled: what they tell of it is no choice of the user's.
        self._filling = False
        self._check: tuple[tuple[Path, ...], DataCheck] | None = None
        self._autoencoders: list[Path] = []
        self._measuring: Command | None = None
        self._estimate = ""
        self._fill_choices()
        self.tree = SettingsTree(self.ui.settingsTree, self._change_setting, self._explain)
        self.ui.brokenTree.setHeaderLabels([_("Case"), _("Reason"), _("File")])
        self.ui.addDataButton.connect("clicked()", self._add_data)
        self.ui.removeDataButton.connect("clicked()", self._remove_data)
        self.ui.checkDataButton.connect("clicked()", self.check_data)
        self.ui.familySelector.connect("activated(int)", self._choose_family)
        self.ui.methodSelector.connect("activated(int)", self._choose_method)
        self.ui.presetSelector.connect("activated(int)", lambda index: self.choose(preset=NAMES[index]))
        self.ui.autoencoderSelector.connect("activated(int)", self._choose_autoencoder)
        self.ui.geometricSelector.connect("activated(int)", lambda index: self._choose_augmentation())
        self.ui.maskingBox.connect("clicked()", self._choose_augmentation)
        self.ui.registrationBox.connect("clicked()", self._choose_augmentation)
        self.ui.resetButton.connect("clicked()", self._reset)
        self.ui.resetAllButton.connect("clicked()", lambda: self.choose(changes={}))
        self.ui.parentFolder.connect("currentPathChanged(QString)", lambda path: self._choose_path(parent=path))
        self.ui.cacheFolder.connect("currentPathChanged(QString)", lambda path: self._choose_path(cache=path))
        self.ui.splitFile.connect("currentPathChanged(QString)", lambda path: self._choose_path(split=path))
        self.ui.estimateButton.connect("clicked()", self.estimate)
        self.ui.startButton.connect("clicked()", self.start_run)

    @property
    def set_up(self) -> SetUp:
        """What is set up now.

        Raises:
            UserError: there is no scene.
        """
        pack = self._pack()
        return SetUp(
            method=pack.method if pack.method in METHODS else "vae",
            preset=pack.preset if pack.preset in PRESETS else "small",
            data=tuple(Path(line) for line in pack.data.splitlines() if line),
            augment=pack.augment,
            changes=changes_of(pack.changes),
            autoencoder=_path(pack.autoencoder),
            parent=_path(pack.parent),
            name=pack.name,
            cache=_path(pack.cache),
            split=_path(pack.split),
        )

    def bind(self, parameters: Any) -> None:
        """Show the run that this scene sets up; a fresh one is called after its method."""
        super().bind(parameters)
        if parameters is None:
            return
        pack = parameters.set_up
        if not pack.parent:
            pack.parent = str(kept_folders()[0])
        if not pack.name:
            pack.name = _proposed(self.set_up)
        self._forget_answers()
        self._fill()

    def refresh(self) -> None:
        """Offer the runs that there are now."""
        if self._bound is not None:
            self._fill_autoencoders(self.set_up)
            self._fill_state(self.set_up)

    def choose(self, **values: Any) -> None:
        """Change parts of the set-up, by the names of ``SetUp``, and show it."""
        former = self.set_up
        chosen = replace(former, **values)
        if (former.method, former.preset) != (chosen.method, chosen.preset):
            given = chosen.autoencoder if chosen.method == former.method else None
            kept = fitting_changes(chosen.method, chosen.preset, chosen.changes, given is not None)
            chosen = replace(chosen, autoencoder=given, changes=kept)
        # A name that was proposed follows the method; one that was written stays.
        if former.name == _proposed(former):
            chosen = replace(chosen, name=values.get("name", _proposed(chosen)))
        self._keep(chosen)
        self._fill()

    def fill_from(self, folder: Path) -> None:
        """Set up a run like the one in a folder; what is no such run is told below the page."""
        made = self.do(lambda: like_run(folder))
        if made is not None:
            self._keep(made)
            self._forget_answers()
            self._fill()
            self.unfold()
            # What differs between the two is to be seen.
            self.ui.settingsBox.collapsed = False

    def check_data(self) -> None:
        """Look through the data in a process of its own."""
        data = self.set_up.data
        folder = _scratch("check", *map(str, data))
        words = self.do(lambda: check_words(data, folder))
        if words is not None:
            self.start(_("Check the data"), folder, words, lambda: self._checked(data, folder))

    def estimate(self) -> None:
        """Measure what the run would take, in a process of its own."""
        chosen = self.set_up
        order = self.do(chosen.order)
        if order is None:
            return
        cases = self._check[1].cases if self._check is not None and self._check[0] == chosen.data else 0
        folder = _scratch("estimate")
        words = estimate_words(order, folder, cases)
        self._estimate = ""
        self._measuring = self.start(_("Estimate"), folder, words, lambda: self._estimated(folder, chosen))
        self.refresh()

    def start_run(self) -> None:
        """Begin the run; it is watched from now on, and its name is given to no other one."""
        self.session.at(self.page)
        self.session.begun()
        chosen = self.set_up
        # What is wrong is told before anything is installed for it.
        if self.do(chosen.order) is None or not self.session.prepared():
            return
        if self.do(lambda: begin_set_up(chosen, self.session.python)) is None:
            return
        folder = chosen.folder
        self.session.keep_folder(folder.parent)
        self.session.runs.rescan()
        self.choose(name=free_name(folder.parent, folder.name))
        self.session.tell(_("{name} has begun. It goes on when Slicer is closed.").format(name=folder.name))
        self.session.changed()

    def _pack(self) -> Any:
        parameters = self.session.parameters
        if parameters is None:
            raise UserError("there is no scene", where="panel", remedy="Open the module first.")
        return parameters.set_up

    def _keep(self, chosen: SetUp) -> None:
        pack = self._pack()
        pack.method, pack.preset, pack.augment, pack.name = chosen.method, chosen.preset, chosen.augment, chosen.name
        pack.data = "\n".join(str(folder) for folder in chosen.data)
        pack.changes = json.dumps(dict(chosen.changes))
        for name in ("autoencoder", "parent", "cache", "split"):
            setattr(pack, name, str(getattr(chosen, name) or ""))

    def _fill_choices(self) -> None:
        for family in FAMILIES:
            self.ui.familySelector.addItem(_(family))
        for preset in PRESETS:
            self.ui.presetSelector.addItem(preset)
        for name in GEOMETRIC:
            self.ui.geometricSelector.addItem(_(name))

    def _fill(self) -> None:
        """Show all of it."""
        chosen, former = self.set_up, self._filling
        self._filling = True
        method = METHODS[chosen.method]
        self.ui.dataList.clear()
        self.ui.dataList.addItems([str(folder) for folder in chosen.data])
        self.ui.familySelector.currentIndex = FAMILIES.index(method.family)
        self.ui.methodSelector.clear()
        members = [one for one in ALL if one.family == method.family]
        self.ui.methodSelector.addItems([one.title for one in members])
        self.ui.methodSelector.currentIndex = members.index(method)
        self.ui.methodText.text = f"{_(method.good_for)}\n{method.published}"
        self.ui.presetText.text = _(PRESETS[chosen.preset])
        self.ui.presetSelector.currentIndex = NAMES.index(chosen.preset)
        names = chosen.augment.split("+")
        geometric = next((name for name in names if name in GEOMETRIC), "none")
        self.ui.geometricSelector.currentIndex = GEOMETRIC.index(geometric)
        self.ui.maskingBox.checked, self.ui.registrationBox.checked = "masking" in names, "registration" in names
        for widget, path in (
            (self.ui.parentFolder, chosen.parent),
            (self.ui.cacheFolder, chosen.cache),
            (self.ui.splitFile, chosen.split),
        ):
            widget.currentPath = str(path or "")
        self._fill_autoencoders(chosen)
        problems = chosen.problems()
        given = chosen.autoencoder is not None
        self.tree.show(settings_of(chosen.method, chosen.preset, given), chosen.changes, problems)
        self.ui.settingsProblem.text = "\n".join(f"{name}: {text}".lstrip(": ") for name, text in problems.items())
        self.ui.settingsProblem.visible = bool(problems)
        self._explain()
        self._fill_state(chosen)
        self._filling = former

    def _fill_autoencoders(self, chosen: SetUp) -> None:
        needed = bool(METHODS[chosen.method].autoencoder)
        found = autoencoder_runs(chosen.method, self.session.runs.runs)
        if chosen.autoencoder is not None and chosen.autoencoder not in found:
            found.append(chosen.autoencoder)
        selector = self.ui.autoencoderSelector
        selector.visible = self.ui.autoencoderSelectorLabel.visible = needed
        if found != self._autoencoders or selector.count == 0:
            self._autoencoders = found
            selector.clear()
            selector.addItem(_("Train one first, in this run"))
            selector.addItems([f"{run.name} ({run.parent})" for run in found])
        selector.currentIndex = 0 if chosen.autoencoder is None else 1 + found.index(chosen.autoencoder)

    def _fill_state(self, chosen: SetUp) -> None:
        self.ui.removeDataButton.enabled = self.ui.checkDataButton.enabled = bool(chosen.data)
        self.ui.startButton.enabled = self.ui.estimateButton.enabled = bool(chosen.data)
        self.ui.resetAllButton.enabled = bool(chosen.changes)
        check = self._check[1] if self._check is not None and self._check[0] == chosen.data else None
        for widget in (self.ui.dataText, self.ui.dataPicture):
            widget.visible = check is not None
        self.ui.brokenTree.visible = check is not None and bool(check.broken)
        measuring = self._measuring in self.session.commands
        self.ui.estimateButton.enabled &= not measuring
        text = _("Measuring; this takes about a minute.") if measuring else self._estimate
        self.ui.estimateText.text, self.ui.estimateText.visible = text, bool(text)

    def _forget_answers(self) -> None:
        self._check = None
        self._estimate = ""

    def _explain(self) -> None:
        setting = self.tree.chosen
        self.ui.resetButton.enabled = setting is not None
        self.ui.settingText.text = "" if setting is None else f"{setting.name}: {_(setting.meaning)}"

    def _change_setting(self, name: str, text: str) -> None:
        self.choose(changes={**self.set_up.changes, name: text})

    def _reset(self) -> None:
        setting = self.tree.chosen
        if setting is not None:
            changes = self.set_up.changes
            self.choose(changes={name: text for name, text in changes.items() if name != setting.name})

    def _add_data(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.page, _("Folder of a data set"))
        if folder and Path(folder) not in self.set_up.data:
            self.choose(data=(*self.set_up.data, Path(folder)))

    def _remove_data(self) -> None:
        row = self.ui.dataList.currentRow
        data = self.set_up.data
        self.choose(data=data[:row] + data[row + 1 :] if row >= 0 else data[:-1])

    def _choose_family(self, index: int) -> None:
        self.choose(method=next(one.name for one in ALL if one.family == FAMILIES[index]))

    def _choose_method(self, index: int) -> None:
        family = METHODS[self.set_up.method].family
        self.choose(method=[one.name for one in ALL if one.family == family][index])

    def _choose_autoencoder(self, index: int) -> None:
        chosen = self.set_up
        run = self._autoencoders[index - 1] if index else None
        kept = fitting_changes(chosen.method, chosen.preset, chosen.changes, run is not None)
        self.choose(autoencoder=run, changes=kept)

    def _choose_augmentation(self) -> None:
        geometric = GEOMETRIC[self.ui.geometricSelector.currentIndex]
        self.choose(augment=augment_of(geometric, self.ui.maskingBox.checked, self.ui.registrationBox.checked))

    def _choose_path(self, **paths: str) -> None:
        if not self._filling and self._bound is not None:
            self.choose(**{name: _path(path) for name, path in paths.items()})

    def _checked(self, data: tuple[Path, ...], folder: Path) -> None:
        found = read_data_check(folder)
        self._check = data, found
        self.ui.dataText.text = found.summary
        tree = self.ui.brokenTree
        tree.clear()
        for case in found.broken:
            item = qt.QTreeWidgetItem(tree)
            for column, text in enumerate((case.name, case.reason, str(case.path))):
                item.setText(column, text)
                item.setToolTip(column, str(case.path))
        for column in range(2):
            tree.resizeColumnToContents(column)
        picture = qt.QPixmap(str(found.picture)) if found.picture is not None else qt.QPixmap()
        width = min(picture.width(), max(300, self.page.width - 60))
        self.ui.dataPicture.setPixmap(picture.scaledToWidth(width, qt.Qt.SmoothTransformation))
        self.session.changed()
        self.refresh()

    def _estimated(self, folder: Path, chosen: SetUp) -> None:
        text = read_estimate(folder).summary
        if replace(self.set_up, name="", parent=None) != replace(chosen, name="", parent=None):
            text = _("As it was when it was measured: {text}").format(text=text)
        self._estimate = text
        self.refresh()


def _proposed(chosen: SetUp) -> str:
    """A name for a run that the user has given none."""
    return free_name(chosen.parent, f"{chosen.method}-{chosen.preset}")


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _scratch(kind: str, *parts: str) -> Path:
    """A folder that Slicer clears away, for answers to be read from."""
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return (
        Path(slicer.app.temporaryPath) / "CranialAugmentationTrainer" / f"{kind}-{slicer.app.applicationPid()}-{digest}"
    )
