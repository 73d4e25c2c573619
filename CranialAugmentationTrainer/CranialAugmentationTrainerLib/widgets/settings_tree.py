"""Every setting of a run in a tree, by group; a value is changed in its place, and what is changed stands out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CranialAugmentationTrainerLib.workflow.parameter_guide import Setting

SETTING, VALUE, UNIT, DEFAULT, SOURCE = range(5)
NAME = qt.Qt.UserRole
# Pixels; a list of widths need not be seen whole.
WIDEST = {SETTING: 200, VALUE: 110, UNIT: 90, DEFAULT: 110}


class SettingsTree:
    """Fills a ``QTreeWidget``.

    Args:
        tree: the widget.
        change: is called with a setting and the text that the user has written as its value.
        choose: is called when another setting is selected.
    """

    def __init__(self, tree: Any, change: Callable[[str, str], None], choose: Callable[[], None]) -> None:
        self._tree = tree
        self._change = change
        self._settings: tuple[Setting, ...] = ()
        self._items: dict[str, Any] = {}
        tree.setHeaderLabels([_("Setting"), _("Value"), _("Unit"), _("Default"), _("Source")])
        # Only values are edited; see _edit.
        tree.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        tree.connect("itemActivated(QTreeWidgetItem*,int)", self._edit)
        tree.connect("itemChanged(QTreeWidgetItem*,int)", self._changed)
        tree.connect("currentItemChanged(QTreeWidgetItem*,QTreeWidgetItem*)", lambda item, former: choose())

    @property
    def chosen(self) -> Setting | None:
        """The setting that is selected."""
        item = self._tree.currentItem()
        name = None if item is None else item.data(SETTING, NAME)
        return next((setting for setting in self._settings if setting.name == name), None)

    def show(self, settings: Sequence[Setting], changes: Mapping[str, str], problems: Mapping[str, str]) -> None:
        """Show these settings with their changes, and mark those that are wrong."""
        blocked = self._tree.blockSignals(True)
        anew = tuple(settings) != self._settings
        if anew:
            self._build(tuple(settings))
        for setting in self._settings:
            text = changes.get(setting.name, setting.default)
            self._mark(self._items[setting.name], setting, text, problems.get(setting.name, ""))
        for column, widest in WIDEST.items() if anew else ():
            self._tree.resizeColumnToContents(column)
            self._tree.setColumnWidth(column, min(widest, self._tree.columnWidth(column)))
        self._tree.blockSignals(blocked)

    def _build(self, settings: tuple[Setting, ...]) -> None:
        closed = {
            self._tree.topLevelItem(place).text(SETTING)
            for place in range(self._tree.topLevelItemCount)
            if not self._tree.topLevelItem(place).isExpanded()
        }
        self._tree.clear()
        self._settings, self._items = settings, {}
        groups: dict[str, Any] = {}
        for setting in settings:
            if setting.group not in groups:
                groups[setting.group] = self._new_group(setting.group)
            item = qt.QTreeWidgetItem(groups[setting.group])
            item.setFlags(item.flags() | qt.Qt.ItemIsEditable)
            item.setData(SETTING, NAME, setting.name)
            for column, text in ((SETTING, setting.title), (UNIT, setting.unit), (SOURCE, setting.source)):
                item.setText(column, text)
            item.setText(DEFAULT, setting.default)
            self._items[setting.name] = item
        for name, group in groups.items():
            group.setExpanded(name not in closed)

    def _new_group(self, name: str) -> Any:
        item = qt.QTreeWidgetItem(self._tree)
        item.setText(SETTING, name)
        item.setFirstColumnSpanned(True)
        _embolden(item, (SETTING,), True)
        return item

    def _mark(self, item: Any, setting: Setting, text: str, problem: str) -> None:
        item.setText(VALUE, text)
        _embolden(item, (SETTING, VALUE), text != setting.default)
        style = slicer.app.style()
        item.setIcon(VALUE, style.standardIcon(qt.QStyle.SP_MessageBoxWarning) if problem else qt.QIcon())
        for column in range(SOURCE + 1):
            item.setToolTip(column, problem or f"{setting.name}: {setting.meaning}")

    def _edit(self, item: Any, column: int) -> None:
        if item.data(SETTING, NAME):
            self._tree.editItem(item, VALUE)

    def _changed(self, item: Any, column: int) -> None:
        name = item.data(SETTING, NAME)
        if name and column == VALUE:
            self._change(name, item.text(VALUE).strip())


def _embolden(item: Any, columns: Sequence[int], bold: bool) -> None:
    for column in columns:
        font = item.font(column)
        font.setBold(bold)
        item.setFont(column, font)
