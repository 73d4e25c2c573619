"""Rows of a table, a folder each, that stay in place while what they tell changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qt

FOLDER = qt.Qt.UserRole


@dataclass(frozen=True)
class FolderRow:
    """What a row tells.

    Attributes:
        texts: of the columns.
        about: more of it, when the mouse rests on it.
        ticked: of the box before the first text; None for a row without one.
    """

    texts: Sequence[str]
    about: str = ""
    ticked: bool | None = None


class FolderRows:
    """The rows of a tree widget.

    Args:
        table: the widget.
        titles: of its columns.
    """

    def __init__(self, table: Any, titles: Sequence[str]) -> None:
        self._table = table
        self._items: dict[Path, Any] = {}
        table.setHeaderLabels(list(titles))

    def clear(self) -> None:
        """Take all rows out."""
        self._items = {}
        self._table.clear()

    def show(self, rows: Mapping[Path, FolderRow], chosen: Path | None) -> None:
        """Bring the table up to date without a signal; ``chosen`` is its current row."""
        table = self._table
        blocked = table.blockSignals(True)
        for folder in self._items.keys() - rows.keys():
            table.takeTopLevelItem(table.indexOfTopLevelItem(self._items.pop(folder)))
        for folder, row in rows.items():
            if folder not in self._items:
                self._items[folder] = item = qt.QTreeWidgetItem()
                item.setData(0, FOLDER, str(folder))
                table.addTopLevelItem(item)
            self._fill(self._items[folder], row)
        item = None if chosen is None else self._items.get(chosen)
        if table.currentItem() != item:
            table.setCurrentItem(item)
        table.blockSignals(blocked)

    def _fill(self, item: Any, row: FolderRow) -> None:
        for column, text in enumerate(row.texts):
            item.setToolTip(column, row.about)
            if item.text(column) != text:
                item.setText(column, text)
                # Who made a column wider than its words keeps it so.
                if self._table.sizeHintForColumn(column) > self._table.columnWidth(column):
                    self._table.resizeColumnToContents(column)
        if row.ticked is not None:
            state = qt.Qt.Checked if row.ticked else qt.Qt.Unchecked
            # A new row has no box before it is given a state.
            if item.data(0, qt.Qt.CheckStateRole) is None or item.checkState(0) != state:
                item.setCheckState(0, state)


def folder_of_row(item: Any) -> Path:
    """The folder that a row is of."""
    return Path(item.data(0, FOLDER))
