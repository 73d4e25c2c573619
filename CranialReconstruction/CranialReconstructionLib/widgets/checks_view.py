"""The checks of an implant as rows; a click on one leads to the place that it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from CranialReconstructionLib.scene.checks import CheckRow, check_rows

Place = tuple[float, float, float]


class ChecksView:
    """Fills a ``QTableWidget`` from a table node of the scene.

    Args:
        table: the widget.
        lead: is called with the place of the row that was clicked.
    """

    def __init__(self, table: Any, lead: Callable[[Place], None]) -> None:
        self._table = table
        self._lead = lead
        self._rows: list[CheckRow] = []
        self._shown: tuple[str, int] | None = None
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels([_("Check"), _("Found"), _("Limit"), _("Verdict")])
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        table.verticalHeader().visible = False
        table.horizontalHeader().setStretchLastSection(True)
        table.connect("cellClicked(int,int)", self._clicked)

    def show(self, node: Any) -> None:
        """Show the rows of ``node``, a ``vtkMRMLTableNode`` or None."""
        state = None if node is None else (node.GetID(), node.GetMTime())
        if state == self._shown:
            return
        self._shown = state
        self._rows = [] if node is None else check_rows(node)
        self._table.setRowCount(len(self._rows))
        for count, row in enumerate(self._rows):
            for column, text in enumerate((row.name, row.value, row.limit, _verdict(row.verdict))):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(text if row.at is None else _("{text}\nClick to see the place.").format(text=text))
                if column == 0:
                    item.setIcon(_icon(row.verdict))
                self._table.setItem(count, column, item)
        self._table.resizeColumnsToContents()

    def _clicked(self, row: int, column: int) -> None:
        place = self._rows[row].at
        if place is not None:
            self._lead(place)


def _verdict(verdict: str) -> str:
    return {"pass": _("Passed"), "warn": _("Warning"), "fail": _("Failed")}[verdict]


def _icon(verdict: str) -> Any:
    style = slicer.app.style()
    kind = {
        "pass": qt.QStyle.SP_DialogApplyButton,
        "warn": qt.QStyle.SP_MessageBoxWarning,
        "fail": qt.QStyle.SP_MessageBoxCritical,
    }[verdict]
    return style.standardIcon(kind)
