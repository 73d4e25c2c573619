"""How a line for a path shows and changes a parameter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctk
from slicer.parameterNodeWrapper import GuiConnector, unannotatedType


class PathEditConnector(GuiConnector):
    """Connects a ``ctkPathLineEdit`` with a ``Path``; the empty path is an empty line, not Slicer's "."."""

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        """Asked by Slicer which connector fits."""
        return type(widget) is ctk.ctkPathLineEdit and unannotatedType(datatype) is Path

    @staticmethod
    def create(widget: Any, datatype: Any) -> PathEditConnector | None:
        """A connector, or None where it does not fit."""
        return PathEditConnector(widget) if PathEditConnector.canRepresent(widget, datatype) else None

    def __init__(self, widget: Any) -> None:
        super().__init__()
        self._widget = widget

    def _connect(self) -> None:
        self._widget.connect("currentPathChanged(QString)", self._told)

    def _disconnect(self) -> None:
        self._widget.disconnect("currentPathChanged(QString)", self._told)

    def _told(self, *_arguments: Any) -> None:
        self.changed()

    def widget(self) -> Any:
        """The line."""
        return self._widget

    def read(self) -> Path:
        """What stands there."""
        return Path(self._widget.currentPath)

    def write(self, value: Path) -> None:
        """Let it stand there."""
        self._widget.currentPath = "" if value == Path() else str(value)
